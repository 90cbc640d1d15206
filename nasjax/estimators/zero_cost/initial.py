"""First weights other than a network's own.

Programs of papers draw weights anew before they score: from N(0, 1) (Zen-NAS),
or after He et al., Delving Deep into Rectifiers, 2015,
https://arxiv.org/abs/1502.01852, from N(0, 2 / fan) with the fan of inputs or
outputs (TE-NAS). Scales of normalisation start at 1, shifts and biases at 0.
"""

from collections.abc import Callable
import math

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.estimators.zero_cost import proxy
from nasjax.types import Arch, Key, Params

_FANS = ('in', 'out', None)


def _deviation(path, shape, fan):
  """The standard deviation of a kernel; leading axes count slots."""
  if fan is None:
    return 1.0
  if 'Depthwise' in path[-2]:  # [kh, kw, C], one channel each
    return math.sqrt(2 / math.prod(shape[-3:-1]))
  window = math.prod(shape[-4:-2]) if len(shape) > 3 else 1
  channels = shape[-2] if fan == 'in' else shape[-1]
  return math.sqrt(2 / (window * channels))


def normal_weights(key: Key, params: Params, fan: str | None = None) -> Params:
  """Draw all weights anew.

  Args:
    key: draws them.
    params: of a network.
    fan: 'in' or 'out' for a variance of 2 / fan; None for 1.

  Returns:
    Pytree like `params`.

  Raises:
    ValueError: for another fan.
  """
  if fan not in _FANS:
    raise ValueError(f'Unknown fan {fan!r}. Known: in, out, None.')
  leaves = jax.tree.leaves_with_path(params)
  kernels = [leaf for path, leaf in leaves if proxy.is_weight(_names(path))]
  sizes = [leaf.size for leaf in kernels]
  # One draw for all: each shape would be compiled on its own.
  flat = jax.random.normal(key, (sum(sizes),))
  parts = iter(jnp.split(flat, np.cumsum(sizes)[:-1]))

  def fill(path, leaf):
    names = _names(path)
    if names[-1] == 'kernel':
      drawn = next(parts).reshape(leaf.shape)
      return _deviation(names, leaf.shape, fan) * drawn
    return jnp.full_like(leaf, 1.0 if names[-1] == 'scale' else 0.0)

  return jax.tree.map_with_path(fill, params)


def _names(path):
  return tuple(key.key for key in path)


def redrawn(
  init: Callable[[Key, Arch], Params], fan: str | None
) -> Callable[[Key, Arch], Params]:
  """Return `(key, arch) -> variables` with other weights, see above."""

  def init_and_draw(key, arch):
    init_key, draw_key = jax.random.split(key)
    variables = init(init_key, arch)
    params = normal_weights(draw_key, variables['params'], fan)
    return {**variables, 'params': params}

  return init_and_draw


def initialized(scored: proxy.Proxy, fan: str | None) -> proxy.Proxy:
  """Return a proxy whose networks start from other weights.

  Args:
    scored: the proxy.
    fan: as in `normal_weights`.

  Returns:
    The proxy.

  Raises:
    ValueError: if it is a `Joint`.
  """
  proxy.check_single(scored)
  return scored._replace(init=redrawn(scored.init, fan))
