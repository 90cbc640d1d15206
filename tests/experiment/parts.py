"""Factories that the configs of the tests of this folder name."""

import collections

import jax
import jax.numpy as jnp

from nasjax import archive
from nasjax.spaces import darts_cell
from nasjax.types import Search

_State = collections.namedtuple('_State', ['arch_params', 'seen'])


def target_estimator(key, arch):
  """A score with its maximum at operation 3 on every edge."""
  del key
  return -jnp.sum(jnp.abs(arch['op'] - 3)).astype(jnp.float32)


def alpha_search(space, num_steps, nan=False):
  """A search with architecture parameters, an archive and two objectives."""

  def init(key):
    arch = space.sample(key)
    return _State({'op': jnp.zeros((6, 5))}, archive.create(arch, 8, 2))

  def update(key, state, batch):
    del batch
    arch = space.sample(key)
    op = arch['op'].astype(jnp.float32)
    values = jnp.stack([jnp.sum(op), -jnp.sum(op**2)])[None]
    archs = jax.tree.map(lambda x: x[None], arch)
    alphas = jax.tree.map(
      lambda a, i: a + jax.nn.one_hot(i, 5) / num_steps, state.arch_params, arch
    )
    loss = jnp.where(nan, jnp.nan, jnp.sum(op))
    return (
      _State(alphas, archive.add(state.seen, archs, values)),
      {'train_loss': loss},
    )

  def best(key, state):
    del key
    return jax.tree.map(
      lambda a: jnp.argmax(a, -1).astype(jnp.int32), state.arch_params
    )

  return Search(init, update, best)


def untraceable(archs):
  """An evaluation whose mistake shows when its networks are made."""
  del archs

  def init(key):
    raise ValueError("Unknown operation 'conv7'.")

  return Search(init, lambda key, state, batch: (state, {}), None)


def population(archs, rows, num_steps, with_final=True):
  """An evaluation whose accuracy grows with the operations' numbers."""
  num = len(rows)
  quality = jnp.sum(archs['op'], -1).astype(jnp.float32)

  def init(key):
    return {'accuracy': jnp.zeros(num), 'noise': jax.random.normal(key, (num,))}

  def update(key, state, batch):
    del key, batch
    accuracy = state['accuracy'] + quality / num_steps
    return dict(state, accuracy=accuracy), {
      'loss': -accuracy,
      'accuracy': accuracy,
    }

  search = Search(init, update, lambda key, state: archs)

  def final(key, state):
    del key
    return {'test_accuracy': state['accuracy'] + 0.01 * state['noise']}

  return (search, final) if with_final else search


def cell_search(space, num_steps, drift=0.0, nan=False):
  """A random walk of the logits of cells, drawn to their fourth operation."""

  def init(key):
    return _State(
      jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), space.mask),
      jax.random.normal(key),
    )

  def update(key, state, batch):
    del batch
    leaves, structure = jax.tree.flatten(state.arch_params)
    keys = jax.random.split(key, len(leaves))
    moved = [
      leaf + jax.random.normal(k, leaf.shape) / num_steps
      for k, leaf in zip(keys, leaves)
    ]
    moved = [leaf.at[..., 3].add(drift / num_steps) for leaf in moved]
    loss = jnp.where(nan, jnp.nan, state.seen)
    row = {'train_loss': loss, 'train_accuracy': jax.random.uniform(key)}
    return state._replace(arch_params=structure.unflatten(moved)), row

  def best(key, state):
    del key
    return darts_cell.derive(jax.tree.map(jax.nn.softmax, state.arch_params))

  return Search(init, update, best)


def cell_population(archs, rows, num_steps):
  """An evaluation whose accuracy is lower the more skip connections there are.

  It takes all three steps to come near.
  """
  quality = jnp.mean(archs['cells'] != 3, (1, 2))

  def init(key):
    return {'accuracy': jnp.zeros(len(rows)), 'noise': jax.random.normal(key)}

  def update(key, state, batch):
    del key, batch
    accuracy = state['accuracy'] + quality / num_steps
    return dict(state, accuracy=accuracy), {'train_loss': -accuracy}

  def final(key, state):
    del key
    return {'test_accuracy': state['accuracy'] + 0.0 * state['noise']}

  return Search(init, update, lambda key, state: archs), final
