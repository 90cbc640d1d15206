"""Random search: independent samples, the baseline of every other method.

J. Bergstra and Y. Bengio, Random Search for Hyper-Parameter Optimization, 2012,
https://jmlr.org/papers/v13/bergstra12a.html.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import ranking
from nasjax.types import Proposal, Space, Strategy


class State(NamedTuple):
  """What has been drawn so far."""

  num_asked: jax.Array  # i32[] architectures proposed so far
  order: jax.Array  # i32[size] order of drawing without replacement, or i32[0]


def random_search(
  space: Space, batch_size: int = 1, replace: bool = True
) -> Strategy:
  """Propose architectures drawn from the space, whatever their values.

  Args:
    space: the space.
    batch_size: B, architectures a proposal.
    replace: whether an architecture may be drawn twice. Without replacement
      the state holds a permutation of the space, which starts over when all of
      it has been drawn.

  Returns:
    The strategy.

  Raises:
    ValueError: without replacement, if the space cannot be enumerated.

  References:
    Bergstra and Bengio, Random Search for Hyper-Parameter Optimization, 2012.
  """
  if not replace and (space.index is None or space.size is None):
    raise ValueError(
      'Drawing without replacement needs a space with `index` and `size`; '
      'this one has none. Use replace=True.'
    )

  def init(key):
    size = 0 if replace else space.size
    return State(jnp.int32(0), jax.random.permutation(key, size))

  def ask(key, state):
    if replace:
      archs = jax.vmap(space.sample)(jax.random.split(key, batch_size))
    else:
      draws = (state.num_asked + jnp.arange(batch_size)) % space.size
      archs = jax.vmap(space.index)(state.order[draws])
    proposal = Proposal(archs, jnp.ones(batch_size))
    return proposal, state._replace(num_asked=state.num_asked + batch_size)

  def tell(key, state, proposal, values):
    del key, proposal
    return state, {'told_mean': jnp.mean(ranking.finite_or_worst(values))}

  return Strategy(init, ask, tell)
