"""Pseudo-labelled pairs: a comparator taught by what it is most sure of.

Y. Chen et al., Contrastive Neural Architecture Search with Neural Architecture
Comparators (CTNAS), CVPR 2021, https://arxiv.org/abs/2103.05471, section 3.3,
data exploration: pairs of architectures that a policy draws, of which those
with the highest probability that the first wins are kept as if they had been
measured; the comparator is trained on them and on as many measured ones.

Deviations
  * Every pair comes with its mirror image. The pairs that are kept are nearly
    all of label one, and a comparator that always says one would do.
  * As many pairs are kept at every time; in official code more at the first.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from nasjax import archive
from nasjax.estimators.comparator import Comparator
from nasjax.types import Arch, Distribution, Key, Params, State


class Explored(NamedTuple):
  """A comparator, and the pairs that it has labelled."""

  comparator: State
  optimizer: Any
  pairs: archive.Archive  # {'first', 'second'}, 1 where the first wins


class Explorer(NamedTuple):
  """Data exploration.

  Attributes:
    init: `(comparator state, arch) -> explored`, without pairs.
    explore: `(key, params of the policy, explored, told) -> explored`.
  """

  init: Callable[[State, Arch], Explored]
  explore: Callable[[Key, Params, Explored, archive.Archive], Explored]


def _select(archs, slot):
  return jax.tree.map(lambda leaf: leaf[slot], archs)


def _join(*archs):
  return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *archs)


def _one(arch):
  return jax.tree.map(lambda leaf: leaf[None], arch)


def _of_pairs(comparator, state, first, second):
  """Probability that the first of each pair wins, `f32[P]`."""
  pair = lambda a, b: comparator.compare(state, _one(a), _one(b))[0, 0]
  return jax.vmap(pair)(first, second)


def _cross_entropy(comparator, state, first, second, labels, weights):
  """Mean over the pairs and their mirror images."""
  sides = [(first, second, labels), (second, first, 1 - labels)]
  total = 0.0
  for a, b, label in sides:
    # No gradient, rather than an infinite one, where it is certain.
    p = jnp.clip(_of_pairs(comparator, state, a, b), 1e-6, 1 - 1e-6)
    loss = -label * jnp.log(p) - (1 - label) * jnp.log1p(-p)
    total += jnp.sum(weights * loss)
  return total / jnp.maximum(2 * jnp.sum(weights), 1)


def explorer(
  controller: Distribution,
  comparator: Comparator,
  optimizer: optax.GradientTransformation,
  num_pairs: int = 100,
  capacity: int = 1000,
  num_steps: int = 2,
) -> Explorer:
  """Return data exploration.

  Args:
    controller: draws the pairs, index choices.
    comparator: its whole state is trained, through `compare`, so it must be
      floats.
    optimizer: of that training.
    num_pairs: K, kept of 2 K (100).
    capacity: pairs that are remembered; the oldest make room.
    num_steps: of training each time, each with as many measured pairs as the
      archive has slots, drawn at random, and as many of those explored.

  Returns:
    The explorer.

  Raises:
    ValueError: if the pairs of one time do not fit into the capacity.

  References:
    Chen et al., 2021, section 3.3.
  """
  if not 1 <= num_pairs <= capacity:
    raise ValueError(
      f'num_pairs must lie between 1 and the capacity of {capacity}, got '
      f'{num_pairs}.'
    )

  def init(state, arch):
    pairs = archive.create({'first': arch, 'second': arch}, capacity)
    return Explored(state, optimizer.init(state), pairs)

  def label(key, params, explored):
    keys = jax.random.split(key, (2, 2 * num_pairs))
    sides = jax.vmap(jax.vmap(controller.sample, (0, None)), (0, None))
    archs = sides(keys, params)
    first, second = _select(archs, 0), _select(archs, 1)
    p = _of_pairs(comparator, explored.comparator, first, second)
    p, slots = jax.lax.top_k(p, num_pairs)
    pairs = {'first': _select(first, slots), 'second': _select(second, slots)}
    return archive.add(explored.pairs, pairs, (p > 0.5).astype(jnp.float32))

  def draw(key, told, pairs):
    """Pairs of both kinds, their labels and their weights."""
    key_a, key_b, key_p = jax.random.split(key, 3)
    size = archive.capacity(told)
    filled = jnp.maximum(archive.num_filled(told), 1)
    a, b = (jax.random.randint(k, (size,), 0, filled) for k in (key_a, key_b))
    values, others = told.values[a], told.values[b]
    measured = jnp.isfinite(values) & jnp.isfinite(others) & (values != others)
    slots = jax.random.randint(key_p, (size,), 0, archive.num_filled(pairs))
    pseudo = archive.select(pairs, slots)
    first = _join(archive.select(told, a), pseudo['first'])
    second = _join(archive.select(told, b), pseudo['second'])
    labels = jnp.concatenate([values > others, pairs.values[slots] > 0.5])
    weights = jnp.concatenate([measured, jnp.ones(size, bool)])
    return first, second, labels.astype(jnp.float32), weights

  def explore(key, params, explored, told):
    label_key, train_key = jax.random.split(key)
    pairs = label(label_key, params, explored)

    def step(carry, key):
      state, optimizer_state = carry
      batch = draw(key, told, pairs)
      gradient = jax.grad(_cross_entropy, 1)(comparator, state, *batch)
      updates, optimizer_state = optimizer.update(
        gradient, optimizer_state, state
      )
      return (optax.apply_updates(state, updates), optimizer_state), None

    (state, optimizer_state), _ = jax.lax.scan(
      step,
      (explored.comparator, explored.optimizer),
      jax.random.split(train_key, num_steps),
    )
    return Explored(state, optimizer_state, pairs)

  return Explorer(init, explore)
