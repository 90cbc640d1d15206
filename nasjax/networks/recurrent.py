"""Layers with a state that passes from one position to the next.

S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, 1997; gates in the
order of PyTorch, weights uniform in +-1/sqrt(F) as there.

Deviations
  * One bias vector, not two that are added.
"""

import chex
from flax import linen as nn
import jax
from jax import lax
import jax.numpy as jnp

from nasjax.networks import layers


def freeze(
  alive: chex.Array, new: chex.ArrayTree, old: chex.ArrayTree
) -> chex.ArrayTree:
  """Return the new state while a sequence lasts, and the last one after it."""
  return jax.tree.map(lambda a, b: jnp.where(alive, a, b), new, old)


class Lstm(nn.Module):
  """Long short-term memory over the second last axis.

  `i, f, g, o = split(W x_t + U h + b)`, `c' = sig(f) c + sig(i) tanh(g)`,
  `h' = sig(o) tanh(c')`.
  """

  features: int

  @nn.compact
  def __call__(
    self,
    x: chex.Array,
    carry: chex.ArrayTree,
    reverse: bool = False,
    mask: chex.Array | None = None,
    length: chex.Numeric | None = None,
  ) -> tuple[jax.Array, chex.ArrayTree]:
    """Return outputs `[..., T, F]` for `x [..., T, E]`, and the last (h, c).

    Args:
      x: inputs.
      carry: (h, c), both `[..., F]`, before the first step.
      reverse: whether the last position comes first.
      mask: `[..., F]`, what dropout keeps of h before its matrix, in all steps
        alike; None for all.
      length: position from which on (h, c) no longer change; None for T.
    """
    init = layers.fan_in_uniform(self.features)
    # The inputs' part of all steps is one product.
    gates = nn.Dense(4 * self.features, kernel_init=init, bias_init=init)(x)
    recurrent = self.param(
      'recurrent', init, (self.features, 4 * self.features)
    )

    def step(carry, inputs):
      gates, alive = inputs
      hidden, cell = carry
      kept = hidden if mask is None else hidden * mask
      i, f, g, o = jnp.split(gates + kept @ recurrent, 4, axis=-1)
      cell = nn.sigmoid(f) * cell + nn.sigmoid(i) * jnp.tanh(g)
      hidden = nn.sigmoid(o) * jnp.tanh(cell)
      new = (hidden, cell)
      return (new if length is None else freeze(alive, new, carry)), hidden

    gates = jnp.moveaxis(gates, -2, 0)
    alive = jnp.arange(len(gates)) < (len(gates) if length is None else length)
    # Not unrolled: that is no faster and takes twice as long to compile.
    carry, outputs = lax.scan(step, carry, (gates, alive), reverse=reverse)
    return jnp.moveaxis(outputs, 0, -2), carry
