"""One batch that stays the same: what scores of untrained networks look at."""

import jax.numpy as jnp

from nasjax.data import arrays
from nasjax.data import augment as augment_lib
from nasjax.types import Batch


def first(dataset: arrays.Dataset, num_images: int) -> Batch:
  """Return the first images of a data set, normalised and not augmented.

  Args:
    dataset: the data set.
    num_images: B.

  Returns:
    `dict(image=f32[B, H, W, C], label=i32[B])`.

  Raises:
    ValueError: if there are not so many.
  """
  if not 1 <= num_images <= len(dataset.labels):
    raise ValueError(
      f'num_images must lie between 1 and the {len(dataset.labels)} images '
      f'that there are, got {num_images}.'
    )
  image = jnp.asarray(dataset.images[:num_images])
  return {
    'image': augment_lib.normalise(image, dataset.mean, dataset.std),
    'label': jnp.asarray(dataset.labels[:num_images]),
  }
