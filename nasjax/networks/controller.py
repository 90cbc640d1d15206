"""A recurrent controller: decisions one after another, each given the earlier.

H. Pham, M. Guan, B. Zoph, Q. Le and J. Dean, Efficient Neural Architecture
Search via Parameter Sharing, ICML 2018, https://arxiv.org/abs/1802.03268,
section 2.2; B. Zoph and Q. Le, Neural Architecture Search with Reinforcement
Learning, ICLR 2017, https://arxiv.org/abs/1611.01578.

An LSTM reads the embedding of the previous choice; a head of the decision's
group turns its output h into logits `c tanh((w h + b) / tau)`.

Deviations
  * The LSTM and the heads have biases, which start at zero. The authors' prior
    in favour of separable convolutions is none of them.
"""

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.networks import layers

_SMALL = layers.fan_in_uniform(100)  # U(-0.1, 0.1), whatever the fan-in


class _Decision(nn.Module):
  """One step of the recurrence."""

  num_layers: int
  temperature: float
  tanh_constant: float | None

  @nn.compact
  def __call__(self, carry, decision):
    states, x = carry
    head, bias, embeddings, allowed, noise, chosen = decision
    new_states = []
    for layer, state in enumerate(states):
      cell = nn.OptimizedLSTMCell(
        x.shape[-1],
        kernel_init=_SMALL,
        recurrent_kernel_init=_SMALL,
        name=f'lstm_{layer}',
      )
      state, x = cell(state, x)
      new_states.append(state)
    logits = (head @ x + bias) / self.temperature
    if self.tanh_constant is not None:
      logits = self.tanh_constant * jnp.tanh(logits)
    logits = jnp.where(allowed, logits, -jnp.inf)
    if chosen is None:
      chosen = jnp.argmax(logits + noise).astype(jnp.int32)
    return (tuple(new_states), embeddings[chosen]), (chosen, logits)


class Controller(nn.Module):
  """A policy over D decisions among at most K choices.

  Attributes:
    groups: the group of each decision, from 0: those of one group share head
      and embeddings.
    features: width of the LSTM and of the embeddings.
    num_layers: of the LSTM.
    temperature: tau, by which logits are divided.
    tanh_constant: c, the bound of logits; None for none.
  """

  groups: tuple[int, ...]
  features: int = 32
  num_layers: int = 2
  temperature: float = 5.0
  tanh_constant: float | None = 2.5

  @nn.compact
  def __call__(
    self,
    allowed: chex.Array,
    noise: chex.Array,
    chosen: chex.Array | None = None,
    order: chex.Array | None = None,
  ) -> tuple[jax.Array, jax.Array]:
    """Return choices, and the logits of every decision given those before.

    Args:
      allowed: `bool[D, K]`, the choices of each decision.
      noise: `f32[D, K]`, added to the logits before the largest is chosen:
        standard Gumbel for a sample, zero for the greedy choice.
      chosen: `int32[D]`, the choices where they are known; noise is ignored.
      order: `int32[D]`, in which decisions are made; by default as they are.

    Returns:
      `int32[D]` and `f32[D, K]`, -inf where not allowed.
    """
    groups = np.asarray(self.groups)
    shape = (groups.max() + 1, allowed.shape[-1], self.features)
    if order is not None:
      groups = jnp.asarray(groups)[order]
      allowed, noise = jnp.asarray(allowed)[order], noise[order]
      chosen = None if chosen is None else chosen[order]
    heads = self.param('heads', _SMALL, shape)
    biases = self.param('biases', nn.initializers.zeros, shape[:2])
    embeddings = self.param('embeddings', _SMALL, shape)
    start = self.param('start', _SMALL, (self.features,))
    zeros = jnp.zeros(self.features)
    decide = nn.scan(
      _Decision, variable_broadcast='params', split_rngs={'params': False}
    )(self.num_layers, self.temperature, self.tanh_constant, name='decisions')
    _, results = decide(
      (((zeros, zeros),) * self.num_layers, start),
      (
        heads[groups],
        biases[groups],
        embeddings[groups],
        jnp.asarray(allowed),
        noise,
        chosen,
      ),
    )
    if order is None:
      return results
    place = jnp.argsort(order)
    return jax.tree.map(lambda rows: rows[place], results)
