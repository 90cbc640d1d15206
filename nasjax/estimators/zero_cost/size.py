"""Baselines that look at the size of a network alone.

Number of parameters, multiply-adds, layers with weights: what every other score
has to be compared with, since it beats most of them.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from nasjax.estimators.zero_cost import proxy
from nasjax.types import Arch


def size(count: Callable[[Arch], jax.Array]) -> proxy.Proxy:
  """Return a count as a proxy; more is better.

  Args:
    count: `(arch) -> f32[]`, such as `spaces.nasbench201.num_params`, `macs`
      or `num_layers`.

  Returns:
    The proxy, without weights.
  """

  def raw(key, variables, arch):
    del key, variables
    return count(arch)

  return proxy.Proxy(
    lambda key, arch: (),
    raw,
    sign=1,
    norm='unused',
    failure=jnp.nan,
    paper='',
  )
