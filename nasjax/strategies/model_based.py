"""Search by a learned model: fit it to all that is known, ask what it proposes.

Most methods that predict performance are this loop with another model and
another way of proposing:

  told <- n random architectures and their values
  repeat: model <- fit(told)
          told <- told + values of propose(model, told)

Bayesian optimisation proposes the candidates of highest acquisition, neural
architecture optimisation climbs in the model's latent space, a ranking model
names the best of the whole space.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import archive
from nasjax.types import Arch, Estimator, Key, Proposal, Space, Strategy
from nasjax.types import State as Pytree

Propose = Callable[[Key, Pytree, archive.Archive], Arch]


class State(NamedTuple):
  """All that is known, and the model of it."""

  told: archive.Archive  # every architecture told, up to the capacity
  model: Pytree  # state of the model, fitted before the last proposal
  num_asked: jax.Array  # i32[] architectures proposed so far


def model_based(
  space: Space,
  model: Estimator,
  propose: Propose,
  num_initial: int,
  batch_size: int,
  capacity: int,
  num_objectives: int | None = None,
) -> Strategy:
  """Propose what a model expects to be good, fitted anew for every proposal.

  Args:
    space: the space.
    model: an estimator whose `update` takes an `archive.Archive` of all that
      was told (values are -inf in empty slots and where an evaluation failed)
      and fits to it; whether from fresh weights or from the last ones is the
      model's affair.
    propose: `(key, model state, told) -> archs [B, ...]`; it should leave out
      what `archive.contains`.
    num_initial: n, random architectures before the first fit.
    batch_size: B, architectures of one proposal.
    capacity: architectures that can be told before the oldest are forgotten.
    num_objectives: M where values `[B, M]` are told, and the archive has them
      all; None for values `[B]`.

  Returns:
    The strategy. It fits in `ask`; under `vmap` it fits in every `ask`, also
    in those that do not need it, so run its seeds one after another.

  Raises:
    ValueError: if the sizes do not fit.
  """
  if num_initial < 1 or num_initial % batch_size or capacity < num_initial:
    raise ValueError(
      'A model-based search needs num_initial, a positive multiple of '
      f'batch_size, and capacity >= num_initial, got num_initial={num_initial},'
      f' batch_size={batch_size}, capacity={capacity}.'
    )

  def init(key):
    sample_key, model_key = jax.random.split(key)
    return State(
      archive.create(space.sample(sample_key), capacity, num_objectives),
      model.init(model_key),
      jnp.int32(0),
    )

  def explore(key, state):
    keys = jax.random.split(key, batch_size)
    return jax.vmap(space.sample)(keys), state.model

  def exploit(key, state):
    fit_key, propose_key = jax.random.split(key)
    fitted, _ = model.update(fit_key, state.model, state.told)
    return propose(propose_key, fitted, state.told), fitted

  def ask(key, state):
    # Results that are late are waited for: a model of nothing proposes nothing.
    known = jnp.minimum(state.num_asked, state.told.count)
    archs, fitted = jax.lax.cond(
      known < num_initial, explore, exploit, key, state
    )
    proposal = Proposal(archs, jnp.ones(batch_size))
    return proposal, state._replace(
      model=fitted, num_asked=state.num_asked + batch_size
    )

  def tell(key, state, proposal, values):
    del key
    told = archive.add(state.told, proposal.archs, values)
    best = jnp.max(told.values, axis=0)
    metrics = {'told_best': best}
    if num_objectives is not None:
      metrics = {f'told_best_{m}': best[m] for m in range(num_objectives)}
    return state._replace(told=told), metrics

  return Strategy(init, ask, tell)
