"""In how many units do two examples have the same sign?"""

import chex
import jax
from jax import lax
import jax.numpy as jnp


def agreement(x: chex.Array) -> chex.Array:
  """Count the units that are positive in both of two examples or in neither.

  With codes z in {-1, 1}: `(z z^T + D) / 2`, one product of 8-bit integers,
  which is exact.

  Args:
    x: `[N, ...]` with D numbers an example, up to 2^24.

  Returns:
    `f32[N, N]`: D minus the Hamming distance of the sign patterns.
  """
  codes = jnp.where(x > 0, 1, -1).astype(jnp.int8).reshape(len(x), -1)
  product = lax.dot_general(
    codes,
    codes,
    (((1,), (1,)), ((), ())),
    preferred_element_type=jnp.int32,
  )
  return ((product + codes.shape[1]) // 2).astype(
    jax.dtypes.canonicalize_dtype(float)
  )
