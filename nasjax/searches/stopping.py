"""Searches that end when their curvature grows too fast.

Zela, Elsken, Saikia, Marrakchi, Brox, Hutter, Understanding and Robustifying
Differentiable Architecture Search, 2020, https://arxiv.org/abs/1909.09656,
section 5.1. The rule is `monitors.early_stop`; here it acts on a search.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import optax

from nasjax.searches import monitors
from nasjax.types import Arch, Params, Search

Rule = Callable[[jax.Array], monitors.Stop]


class State(NamedTuple):
  """A search and what its past epochs were like."""

  epoch: jax.Array  # i32[] epochs done
  search: Any  # state of the search
  eigenvalues: jax.Array  # f32[E], NaN for epochs to come
  history: Params  # [E, ...] architecture parameters after each epoch


def stopping(
  search: Search,
  mode: Callable[[Params], Arch],
  num_epochs: int,
  rule: Rule = monitors.early_stop,
) -> Search:
  """Return the search that stops, and goes back to where the rule says.

  Args:
    search: of which an update is an epoch, from `run.epochs`, with the metric
      `dominant_eigenvalue` of `monitors.curvature`; its states have
      `arch_params`.
    mode: `(arch_params) -> arch`, that of its distribution.
    num_epochs: E, how many are remembered.
    rule: `(f32[E]) -> Stop` of the eigenvalues, NaN for epochs to come.

  Returns:
    The search. Once stopped its updates do nothing; their metrics are zero but
    for `stopped`.
  """

  def init(key):
    inner = search.init(key)
    history = jax.tree.map(
      lambda leaf: jnp.zeros((num_epochs, *leaf.shape), leaf.dtype),
      inner.arch_params,
    )
    epoch = jnp.zeros((), jnp.int32)
    return State(epoch, inner, jnp.full(num_epochs, jnp.nan), history)

  def update(key, state, batch):
    def go():
      inner, metrics = search.update(key, state.search, batch)
      eigenvalues = state.eigenvalues.at[state.epoch].set(
        metrics['dominant_eigenvalue']
      )
      history = jax.tree.map(
        lambda rows, row: rows.at[state.epoch].set(row),
        state.history,
        inner.arch_params,
      )
      return State(state.epoch + 1, inner, eigenvalues, history), metrics

    def rest():
      return state, optax.tree.zeros_like(jax.eval_shape(go)[1])

    stopped = rule(state.eigenvalues).stopped
    state, metrics = lax.cond(stopped, rest, go)
    return state, dict(metrics, stopped=stopped.astype(jnp.float32))

  def best(key, state):
    del key
    stop = rule(state.eigenvalues)
    epoch = jnp.where(stop.stopped, stop.epoch, state.epoch - 1)
    arch_params = jax.tree.map(
      lambda rows, row: jnp.where(state.epoch > 0, rows[epoch], row),
      state.history,
      state.search.arch_params,
    )
    return mode(arch_params)

  return Search(init, update, best)
