"""Tests of what an update takes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.searches import memory
from nasjax.types import Search


def _search(size):
  """A search whose update holds `size` times `size` numbers at once."""

  def update(key, state, batch):
    noise = jax.random.normal(key, (size, size)) + state[:, None]
    return noise @ noise @ batch, {}

  return Search(lambda key: jnp.zeros(size), update, lambda key, state: None)


def test_the_peak_grows_with_what_an_update_holds():
  peaks = [memory.peak_bytes(_search(n), jnp.ones(n)) for n in (256, 512)]
  assert peaks[0] >= 256 * 256 * 4
  np.testing.assert_allclose(peaks[1] / peaks[0], 4, rtol=0.2)


def test_a_search_beyond_the_budget_is_refused_and_another_returned():
  search, batch = _search(256), jnp.ones(256)
  peak = memory.peak_bytes(search, batch)
  assert memory.check(search, batch, peak) is search
  with pytest.raises(ValueError, match=r'takes .* MB, the budget is .* MB'):
    memory.check(search, batch, peak - 1)
