"""What searches that propose and score have in common."""

import jax
import jax.numpy as jnp

from nasjax import archive, batching
from nasjax.estimators import combine
from nasjax.types import Estimator, Key, Proposal, State, Strategy


def form(strategy: Strategy, state: State) -> Proposal:
  """Return shapes and dtypes of a proposal; to ask may be to fit a model.

  Args:
    strategy: the strategy.
    state: of it.
  """
  return jax.eval_shape(strategy.ask, jax.random.key(0), state)[0]


def empty_archive(
  proposal: Proposal, size: int, num_objectives: int | None = None
) -> archive.Archive:
  """Return an archive for the architectures of proposals like this.

  Its slots hold zeros, which need not be an architecture: `occupy` comes before
  anything is read.

  Args:
    proposal: from `form`.
    size: N.
    num_objectives: see `archive.create`.
  """
  example = jax.tree.map(
    lambda leaf: jnp.zeros(leaf.shape[1:], leaf.dtype), proposal.archs
  )
  return archive.create(example, size, num_objectives)


def occupy(found: archive.Archive, proposal: Proposal) -> archive.Archive:
  """Put architectures of the space into slots that nothing was written to.

  Where everything fails, what is called best is then at least one of the space.

  Args:
    found: an archive.
    proposal: the first of it goes to all slots of an archive that is new.

  Returns:
    The archive; values stay as they are.
  """
  is_used = jnp.broadcast_to(found.count > 0, archive.capacity(found))
  first = jax.tree.map(lambda leaf: leaf[:1], proposal.archs)
  return found._replace(archs=archive.fill(is_used, found.archs, first))


def score_all(
  estimator: Estimator,
  key: Key,
  state: State,
  proposal: Proposal,
  batch_size: int | None,
) -> jax.Array:
  """Return the scores of all proposed architectures.

  Args:
    estimator: is given the fidelity where it takes one.
    key: random key.
    state: of the estimator.
    proposal: B architectures.
    batch_size: see `batching.map_archs`.

  Returns:
    `f32[B]`, as the estimator gives them.
  """

  def score(item, state):
    key, arch, fidelity = item
    if combine.takes_fidelity(estimator.score):
      return estimator.score(key, state, arch, fidelity=fidelity)
    return estimator.score(key, state, arch)

  keys = jax.random.split(key, proposal.fidelity.shape[0])
  return batching.map_archs(score, (keys, *proposal), batch_size, (state,))
