"""A search in each part of a space, one after the other, and their best.

How Few-shot NAS (Zhao et al., 2021, https://arxiv.org/abs/2006.06863) takes
searches that train the supernet themselves; `estimators.few_shot` trains those
that only score.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from nasjax import ranking
from nasjax.estimators import few_shot
from nasjax.spaces import subspaces
from nasjax.types import Arch, Key, Search, Space, State


def in_parts(
  space: Space,
  search: Callable[..., Search],
  split: subspaces.Split,
  num_shared: int,
  num_each: int,
  score: Callable[[Key, State, Arch], jax.Array],
) -> Search:
  """Return the search that goes from part to part.

  Args:
    space: the whole.
    search: `(space=...) -> search`, for spaces that are known while tracing or
      not; its state has a field `weights`.
    split: the parts.
    num_shared: updates in the whole space; every part starts from its weights.
    num_each: updates in each part.
    score: `(key, state, arch) -> f32[]`, how the answer of a part is compared
      with those of the others, given the state of its search.

  Returns:
    The search, to be updated `num_shared + S num_each` times, with the batches
    of the inner one.

  Raises:
    ValueError: as `few_shot.in_turn`.
  """
  turns = few_shot.in_turn(
    lambda space, length: search(space=space),
    space,
    split,
    num_shared,
    num_each,
  )

  def best(key, state):
    def answer(item):
      part, mask = item
      net = turns.of_part(state, part)
      arch = search(space=subspaces.within(space, mask)).best(key, net)
      return arch, score(key, net, arch)

    parts = jnp.arange(subspaces.num_parts(split))
    masks = jax.tree.map(jnp.asarray, split.masks)
    archs, scores = jax.lax.map(answer, (parts, masks))
    winner = jnp.argmax(ranking.finite_or_worst(scores))
    return jax.tree.map(lambda leaf: leaf[winner], archs)

  return Search(turns.init, turns.update, best)
