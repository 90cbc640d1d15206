"""Tests of the batch that stays the same."""

import numpy as np
import pytest

from nasjax import data
from nasjax.data import fixed


def test_the_first_images_are_normalised_and_in_order():
  train = data.digits()['train']
  batch = fixed.first(train, 5)
  expected = (train.images[:5] / 255 - train.mean) / train.std
  np.testing.assert_allclose(batch['image'], expected, rtol=1e-4, atol=1e-5)
  np.testing.assert_array_equal(batch['label'], train.labels[:5])


@pytest.mark.parametrize('num', [0, 701])
def test_more_images_than_there_are_is_an_error(num):
  with pytest.raises(ValueError, match='between 1 and the 700 images'):
    fixed.first(data.digits()['train'], num)
