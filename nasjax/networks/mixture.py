"""The weighted sum of all operations of an edge, fused.

Most operations of a supernet end in a normalisation without weights. Stacked,
they share one, so that there is less to compile.
"""
from collections.abc import Callable, Mapping

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import ops
from nasjax.types import Params


def mixture(
    modules: Mapping[str, nn.Module]
) -> Callable[[chex.Array, Params, chex.Array], chex.Array]:
  """Return `sum_k w_k o_k(x)` of operations without running statistics.

  Args:
    modules: the K operations, `(x, train) -> y`. Those that say `ends_in_norm`
      leave it out at a site without `last_norm`.

  Returns:
    `(weights [K], params, x) -> y`, with params by name of the operation.
  """
  ends = np.array([
      getattr(module, 'ends_in_norm', False) for module in modules.values()])
  parts = {
      name: _without_norm(module) if end else module
      for end, (name, module) in zip(ends, modules.items())}

  def mix(weights, params, x):
    total, stacked = 0, []
    for k, (name, module) in enumerate(parts.items()):
      if name == 'none':
        continue
      y = module.apply({'params': params.get(name, {})}, x, train=True)
      if ends[k]:
        stacked.append(y)
      else:
        total += ops.scale(weights[k], y)
    if stacked:
      normed = jax.vmap(ops.batch_norm)(jnp.stack(stacked))
      total += sum(jax.vmap(ops.scale)(weights[np.flatnonzero(ends)], normed))
    return total

  return mix


def _without_norm(module):
  return module.clone(site=module.site._replace(last_norm=False))
