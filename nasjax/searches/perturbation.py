"""Choices by perturbation: what a trained supernet loses without an option.

R. Wang, M. Cheng, X. Chen, X. Tang and C.-J. Hsieh, Rethinking Architecture
Selection in Differentiable NAS, ICLR 2021, https://arxiv.org/abs/2108.04392,
algorithm 1. What is decided is a mask, `bool[D, K]` by leaf: an open decision
has several options, a taken one has one, an edge that was dropped has none.
Options lose their weight, and the others are not normalised anew.
"""

from collections.abc import Callable, Sequence

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from nasjax import ranking
from nasjax.distributions import logits as logits_lib
from nasjax.distributions import softmax
from nasjax.types import Arch, Distribution, Key, Mask, Params, Space

Score = Callable[
  [Arch], jax.Array
]  # of relaxed architectures, higher is better


def relaxed(logits: Params, mask: Mask) -> Arch:
  """Return the mixtures of what is left of every decision.

  Args:
    logits: pytree of `f32[D, K]`.
    mask: pytree of `bool[D, K]`.

  Returns:
    Pytree of `f32[D, K]`: the softmax over what is left, zero for the rest.
  """

  def of_leaf(leaf, left):
    some = left | ~jnp.any(left, -1, keepdims=True)
    weights = jax.nn.softmax(jnp.where(some, leaf, -jnp.inf))
    return jnp.where(left, weights, 0.0)

  return jax.tree.map(of_leaf, logits, mask)


def mixtures(
  space: Space,
  mask: Mask,
  init_scale: float = 1e-3,
  derive: logits_lib.Derive | None = None,
) -> Distribution:
  """Return the relaxation of DARTS with what has been decided.

  Args:
    space: the space.
    mask: pytree of `bool[D, K]`, traced or not, inside the space's.
    init_scale: as in `softmax`.
    derive: as in `softmax`; given the mixtures of what is left.

  Returns:
    The distribution, whose params are those of `softmax`.
  """

  def sample(key, params):
    del key  # not random
    return relaxed(params, mask)

  def mode(params):
    logits = logits_lib.apply_mask(params, mask)
    return logits_lib.decide(logits, relaxed(params, mask), derive)

  whole = softmax.softmax(space, init_scale, derive)
  return whole._replace(sample=sample, mode=mode)


def _edit(tree, rows, edit):
  """Change rows of all leaves: `edit(leaf, bool[D, 1])`."""
  leaves, structure = jax.tree.flatten(tree)
  ends = np.cumsum([len(leaf) for leaf in leaves])[:-1]
  parts = jnp.split(rows, ends)
  return structure.unflatten(
    [edit(leaf, part[:, None]) for leaf, part in zip(leaves, parts)]
  )


def without(
  arch: Arch, decision: jax.Array, option: jax.Array | None = None
) -> Arch:
  """Return mixtures without an option of a decision, or without any.

  Args:
    arch: pytree of `f32[D, K]`.
    decision: `i32[]`, counted through the leaves.
    option: `i32[]`; None for all.

  Returns:
    The same with zeros.
  """

  def edit(leaf, row):
    options = jnp.arange(leaf.shape[1])[None]
    return jnp.where(row & (option is None or options == option), 0.0, leaf)

  num_decisions = sum(map(len, jax.tree.leaves(arch)))
  return _edit(arch, jnp.arange(num_decisions) == decision, edit)


def _pad(mask):
  """All decisions as `bool[D, K]`, short ones filled up with False."""
  leaves = jax.tree.leaves(mask)
  width = max(leaf.shape[1] for leaf in leaves)
  return jnp.concatenate(
    [jnp.pad(leaf, ((0, 0), (0, width - leaf.shape[1]))) for leaf in leaves]
  )


def decide(
  key: Key, score: Score, logits: Params, mask: Mask, candidates: Mask
) -> Mask:
  """Take a random open decision: for what the supernet can least do without.

    argmin_k score(arch without k)

  Args:
    key: draws the decision.
    score: of the supernet, for example its validation accuracy.
    logits: pytree of `f32[D, K]`, alpha.
    mask: pytree of `bool[D, K]`; at least one decision is open.
    candidates: pytree of `bool[D, K]`, the options that may be taken.

  Returns:
    The mask, with one option for that decision.

  References:
    Wang et al., https://arxiv.org/abs/2108.04392, algorithm 1, phase 1.
  """
  left = _pad(mask)
  is_open = jnp.sum(left, -1) > 1
  decision = jax.random.categorical(key, jnp.where(is_open, 0.0, -jnp.inf))
  arch = relaxed(logits, mask)
  eligible = (left & _pad(candidates))[decision]
  scores = lax.map(
    lambda k: ranking.finite_or_worst(score(without(arch, decision, k))),
    jnp.arange(left.shape[1]),
  )
  option = jnp.argmin(jnp.where(eligible, scores, jnp.inf))

  def take(leaf, row):
    return jnp.where(row, jnp.arange(leaf.shape[1])[None] == option, leaf)

  return _edit(mask, jnp.arange(len(left)) == decision, take)


def crowded(mask: Mask, groups: Sequence[int], num_kept: int) -> jax.Array:
  """Return which decisions belong to a group with more than enough of them.

  Args:
    mask: pytree of `bool[D, K]`.
    groups: of every decision, counted through the leaves: the node that it
      enters.
    num_kept: edges that a node keeps.

  Returns:
    `bool[D]`, over all leaves.
  """
  used = jnp.any(_pad(mask), -1)
  same = np.asarray(groups)[:, None] == np.asarray(groups)[None]
  return used & (jnp.asarray(same, jnp.int32) @ used > num_kept)


def drop(
  key: Key,
  score: Score,
  logits: Params,
  mask: Mask,
  groups: Sequence[int],
  num_kept: int = 2,
) -> Mask:
  """Drop edges of a random node, those that the supernet misses least.

  Args:
    key: draws the node.
    score: of the supernet.
    logits: pytree of `f32[D, K]`, alpha.
    mask: pytree of `bool[D, K]`; at least one node is `crowded`.
    groups: of every decision, see `crowded`.
    num_kept: edges that a node keeps.

  Returns:
    The mask, with no option for what is dropped.

  References:
    Wang et al., https://arxiv.org/abs/2108.04392, algorithm 1, phase 2.
  """
  nodes = jnp.asarray(groups)
  candidates = crowded(mask, groups, num_kept)
  # Nodes are equally likely, however many edges enter them.
  sizes = jnp.sum((nodes[:, None] == nodes[None]) & candidates[None], -1)
  chances = jnp.where(candidates, -jnp.log(sizes), -jnp.inf)
  node = nodes[jax.random.categorical(key, chances)]
  members = candidates & (nodes == node)
  arch = relaxed(logits, mask)

  def of_edge(edge):
    return lax.cond(
      members[edge],
      lambda: ranking.finite_or_worst(score(without(arch, edge))),
      lambda: jnp.inf,
    )

  scores = lax.map(of_edge, jnp.arange(len(nodes)))
  place = jnp.argsort(jnp.argsort(scores))
  goes = members & (place >= num_kept)
  return _edit(mask, goes, lambda leaf, row: leaf & ~row)


def num_open(mask: Mask) -> jax.Array:
  """Return how many decisions have several options left: `i32[]`."""
  return jnp.sum(jnp.sum(_pad(mask), -1) > 1, dtype=jnp.int32)


def advance(
  key: Key,
  score: Score,
  logits: Params,
  mask: Mask,
  candidates: Mask,
  groups: Sequence[int] = (),
) -> Mask:
  """Take the next decision: all options first, then the edges of nodes.

  Args:
    key: draws which it is.
    score: of the supernet.
    logits: pytree of `f32[D, K]`, alpha.
    mask: pytree of `bool[D, K]`.
    candidates: as in `decide`.
    groups: as in `drop`; none where all edges stay.

  Returns:
    The mask; the same where nothing is left to decide.
  """
  given = (key, score, logits, mask)
  rest = lambda: mask
  edges = rest
  if len(groups):
    many = jnp.any(crowded(mask, groups, 2))
    edges = lambda: lax.cond(many, lambda: drop(*given, groups), rest)
  options = lambda: decide(*given, candidates)
  return lax.cond(num_open(mask) > 0, options, edges)
