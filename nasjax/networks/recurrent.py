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


class Lstm(nn.Module):
  """Long short-term memory over the second last axis.

  `i, f, g, o = split(W x_t + U h + b)`, `c' = sig(f) c + sig(i) tanh(g)`,
  `h' = sig(o) tanh(c')`.
  """

  features: int

  @nn.compact
  def __call__(
    self, x: chex.Array, carry: chex.ArrayTree, reverse: bool = False
  ) -> tuple[jax.Array, chex.ArrayTree]:
    """Return outputs `[..., T, F]` for `x [..., T, E]`, and the last (h, c)."""
    init = layers.fan_in_uniform(self.features)
    # The inputs' part of all steps is one product.
    gates = nn.Dense(4 * self.features, kernel_init=init, bias_init=init)(x)
    recurrent = self.param(
      'recurrent', init, (self.features, 4 * self.features)
    )

    def step(carry, gates):
      hidden, cell = carry
      i, f, g, o = jnp.split(gates + hidden @ recurrent, 4, axis=-1)
      cell = nn.sigmoid(f) * cell + nn.sigmoid(i) * jnp.tanh(g)
      hidden = nn.sigmoid(o) * jnp.tanh(cell)
      return (hidden, cell), hidden

    gates = jnp.moveaxis(gates, -2, 0)
    # Not unrolled: that is no faster and takes twice as long to compile.
    carry, outputs = lax.scan(step, carry, gates, reverse=reverse)
    return jnp.moveaxis(outputs, 0, -2), carry
