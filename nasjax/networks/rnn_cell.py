"""The recurrent cell of DARTS over a sequence, in any form of choice.

Liu, Simonyan, Yang, DARTS: Differentiable Architecture Search, 2019
(https://arxiv.org/abs/1806.09055), section 3.1.2. With x the input of a step
and h the output of the one before it,

  [c | u] = [x, h] W_0,    s_0 = h + sig(c) (tanh(u) - h)
  [c | u] = s_p W_n,       s_n = s_p + sig(c) (f(u) - s_p)

for node n with input p and function f; the output is the mean of the nodes. A
node has one matrix, whatever its input and function, so all forms of an
architecture share their weights. Relaxed, s_n is the sum over all p < n and all
f other than `none`, weighted; with `norm`, as in the search, s_0 and every node
are normalised, without scale and shift.
"""

from typing import NamedTuple

import chex
from flax import linen as nn
import jax
from jax import lax
import jax.numpy as jnp

from nasjax import choice, ops
from nasjax.networks import layers, recurrent
from nasjax.spaces import rnn_genotypes
from nasjax.types import Arch

FUNCTIONS = {
  'none': jnp.zeros_like,
  'tanh': jnp.tanh,
  'relu': jax.nn.relu,
  'sigmoid': jax.nn.sigmoid,
  'identity': lambda u: u,
}
SMALL = layers.fan_in_uniform(625)  # U(-0.04, 0.04), whatever the fan-in


class Masks(NamedTuple):
  """What dropout keeps of the operands of matrices, in all steps alike."""

  x: jax.Array  # [B, E]
  hidden: jax.Array  # [B, H], of the hidden state and of every node


def _input(row):
  """Return the source and the function of a node, an index or a static row."""
  if not isinstance(row, tuple):
    source = jnp.argmax(row != 0)
    return source, choice.select(source, row)
  used = [source for source, function in enumerate(row) if function != 0]
  if len(used) != 1:
    raise ValueError(
      f'Node {len(row) - 1} of a recurrent cell needs one input, got the '
      f'choices {row} (0 is none).'
    )
  return used[0], row[used[0]]


class RnnCell(nn.Module):
  """A recurrent cell; `(2H)^2 + 2 N H^2` weights for N nodes of H features.

  Attributes:
    features: H, of the hidden state and of the input.
    num_nodes: N.
    norm: whether states are normalised over the batch (search).
    functions: names of the K choices, in the order of the space.
  """

  features: int
  num_nodes: int = 8
  norm: bool = False
  functions: tuple[str, ...] = rnn_genotypes.FUNCTIONS

  def initial(self, batch_size: int) -> jax.Array:
    """Return the hidden states before the first step, `[B, H]`."""
    return jnp.zeros((batch_size, self.features))

  @nn.compact
  def __call__(
    self,
    arch: Arch,
    x: chex.Array,
    hidden: chex.Array,
    masks: Masks | None = None,
    length: chex.Numeric | None = None,
  ) -> tuple[jax.Array, jax.Array]:
    """Apply the cell step by step.

    Args:
      arch: `{'recurrent': ...}`, `int32[E]`, `f32[E, K]` or a tuple of E ints;
        an index or static architecture has one input a node.
      x: inputs `[B, T, H]`.
      hidden: `[B, H]`.
      masks: of dropout; None for none.
      length: steps after which the hidden state no longer changes; None for T.

    Returns:
      Outputs `[B, T, H]`, and the hidden state `[B, H]` after the last step.
    """
    rows = self._rows(arch['recurrent'])
    features = self.features
    first = self.param('input', SMALL, (2 * features, 2 * features))
    nodes = self.param('nodes', SMALL, (self.num_nodes, features, 2 * features))
    if masks is not None:
      x = x * masks.x[:, None]
    norm = ops.batch_norm if self.norm else lambda state: state

    def keep(states):
      if masks is None:
        return states
      return states * jnp.broadcast_to(masks.hidden, states.shape)

    def step(hidden, inputs):
      gates, alive = inputs
      gates = gates + keep(hidden) @ first[features:]
      states = [norm(_highway(hidden, gates, jnp.tanh))]
      for row, weights in zip(rows, nodes):
        states.append(norm(self._node(row, states, weights, keep)))
      output = sum(states[1:]) / self.num_nodes
      return recurrent.freeze(alive, output, hidden), output

    num_steps = x.shape[1]
    alive = jnp.arange(num_steps) < (num_steps if length is None else length)
    # The inputs' part of all steps is one product.
    gates = jnp.moveaxis(x @ first[:features], 1, 0)
    hidden, outputs = lax.scan(step, hidden, (gates, alive))
    return jnp.moveaxis(outputs, 0, 1), hidden

  def _rows(self, choices):
    """The choices of the edges that enter each node."""
    sizes = range(1, 1 + self.num_nodes)
    shape = (len(choices),) if isinstance(choices, tuple) else choices.shape
    num_edges, num_choices = sum(sizes), len(self.functions)
    if shape not in ((num_edges,), (num_edges, num_choices)):
      raise ValueError(
        f'A cell of {self.num_nodes} nodes with {num_choices} functions takes '
        f'choices of shape ({num_edges},), or ({num_edges}, {num_choices}) for '
        f'relaxed ones, got {shape}.'
      )
    return [choices[n * (n - 1) // 2 :][:n] for n in sizes]

  def _node(self, row, states, weights, keep):
    """Return the state of one node, `[B, H]`."""
    functions = [FUNCTIONS[name] for name in self.functions]
    states = jnp.stack(states)
    if isinstance(row, tuple) or not choice.is_relaxed(row):
      source, function = _input(row)
      state = choice.select(source, states)
      return _highway(
        state,
        keep(state) @ weights,
        lambda u: choice.switch(function, functions, u),
      )
    gate, u = jnp.split(keep(states) @ weights, 2, axis=-1)
    # What is left of the sum over functions f of s + c (f(u) - s), weighted.
    total = _per_state(row[:, 1:].sum(-1)) * states
    mixed = sum(
      _per_state(row[:, k]) * f(u) for k, f in enumerate(functions) if k > 0
    )
    return jnp.sum(total + jax.nn.sigmoid(gate) * (mixed - total), axis=0)


def _highway(state, gates, function):
  gate, u = jnp.split(gates, 2, axis=-1)
  return state + jax.nn.sigmoid(gate) * (function(u) - state)


def _per_state(weights):
  return weights[:, None, None]
