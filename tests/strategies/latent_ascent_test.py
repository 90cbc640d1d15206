"""Tests for latent ascent: against a loop, in a latent space made by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import archive
from nasjax.estimators import autoencoder
from nasjax.networks import autoencoder as networks
from nasjax.spaces import categorical, sequences
from nasjax.strategies import latent_ascent

_SPACE = categorical.categorical({'op': (4, 3)})
_SEQUENCES = sequences.categorical(_SPACE.mask)
_RNG = np.random.default_rng(0)
_EFFECTS = _RNG.normal(size=(4, 3)).astype(np.float32)


def _is_small(tokens):
  return (jnp.sum(tokens) <= 10) & sequences.allows(_SEQUENCES.mask, tokens)


# Not all that can be decoded is in the space.
_PICKY = _SEQUENCES._replace(is_valid=_is_small)

# H is the one-hot architecture, f linear, the decoder an argmax.
_PLANTED = autoencoder.Latent(
  lambda state, arch: jax.nn.one_hot(arch['op'], 3),
  lambda state, outputs: jnp.sum(state * outputs),
  lambda state, outputs: 1 + jnp.argmax(outputs, -1).astype(jnp.int32),
)


def _told(rows, values):
  told = archive.create({'op': jnp.zeros(4, jnp.int32)}, 10)
  return archive.add(told, {'op': jnp.asarray(rows)}, jnp.asarray(values))


def _rows(archs):
  return np.asarray(archs['op']).tolist()


def _propose(codec, *args, **kwargs):
  propose = latent_ascent.latent_ascent(
    _SPACE, codec, _PLANTED, *args, **kwargs
  )
  return jax.jit(propose)


_TOLD = _told(
  [[0, 1, 2, 0], [2, 2, 1, 0], [1, 1, 1, 1], [0, 0, 0, 2]],
  [3.0, jnp.nan, 5.0, 4.0],
)


def _oracle(first, increment, num_seeds, size):
  """Returns the new architectures of growing steps, one seed at a time."""
  told, values = _rows(_TOLD.archs)[:4], [3.0, -np.inf, 5.0, 4.0]
  order = sorted((0, 2, 3), key=lambda i: -values[i])[:num_seeds]
  found, eta = [], first
  while len(found) < size and eta < 100:
    for i in order:
      row = []
      for t in range(4):
        h = np.eye(3)[told[i][t]] + eta * _EFFECTS[t]
        row.append(int(np.argmax(h / np.linalg.norm(h))))
      is_known = row in told or row in found
      if not is_known and sum(row) + 4 <= 10 and len(found) < size:
        found.append(row)
    eta += increment
  return found


@pytest.mark.parametrize('num_seeds', [2, 100])
def test_proposals_are_those_of_a_loop_over_steps_and_seeds(num_seeds):
  expected = _oracle(0.1, 0.07, num_seeds, 3)
  assert len(expected) == 3
  propose = _propose(
    _PICKY, 3, num_seeds, first_step=0.1, increment=0.07, max_steps=200
  )
  found = propose(jax.random.key(0), jnp.asarray(_EFFECTS), _TOLD)
  assert _rows(found) == expected


def test_seeds_come_from_the_pool_and_what_was_told_is_left_out():
  pool = _told([[2, 2, 2, 2], [0, 1, 2, 0]], [1.0, -jnp.inf])
  propose = _propose(_SEQUENCES, 1, first_step=0.0, increment=0.0, max_steps=2)
  effects = jnp.asarray(_EFFECTS)
  # Without a step the seed itself is decoded: it is new, though in the pool.
  found = propose(jax.random.key(0), effects, _TOLD, pool)
  assert _rows(found) == [[2, 2, 2, 2]]
  known = archive.add(_TOLD, pool.archs, pool.values)
  (row,) = _rows(propose(jax.random.key(0), effects, known, pool))
  assert sum(a != 2 for a in row) == 1  # a mutation


def test_a_flat_predictor_leaves_mutations_of_seeds():
  propose = _propose(_SEQUENCES, 8, max_steps=3)
  found = _rows(propose(jax.random.key(0), jnp.zeros((4, 3)), _TOLD))
  told = _rows(_TOLD.archs)[:4]
  assert len({tuple(row) for row in found}) == 8
  for row in found:
    assert row not in told
    distances = [sum(a != b for a, b in zip(row, told[i])) for i in (0, 2, 3)]
    assert min(distances) == 1  # the one that failed is no seed


def test_without_any_value_proposals_are_random():
  nothing = archive.create({'op': jnp.zeros(4, jnp.int32)}, 10)
  propose = _propose(_SEQUENCES, 8, max_steps=3)
  found = _rows(propose(jax.random.key(0), jnp.asarray(_EFFECTS), nothing))
  assert len({tuple(row) for row in found}) > 4


def test_sizes_that_cannot_be_are_refused():
  for sizes in [(0, 1), (1, 0)]:
    with pytest.raises(ValueError, match='latent_ascent needs'):
      _propose(_SEQUENCES, *sizes)


# With a network.

_NETWORK = networks.Autoencoder(4, 16, 16, widths=(8, 16))


@pytest.fixture(scope='module')
def fitted():
  """Returns the functions and the state of a fit, and all architectures."""
  cells = jax.vmap(_SPACE.index)(jnp.arange(81))
  effects = _EFFECTS[np.arange(4), np.asarray(cells['op'])]
  values = jnp.asarray(effects.sum(1) + effects[:, 0] * effects[:, 1])
  told = archive.Archive(cells, values, jnp.int32(81))
  model = autoencoder.autoencoder(
    _NETWORK, _SEQUENCES, num_steps=200, batch_size=32, learning_rate=5e-3
  )
  state = jax.jit(model.init)(jax.random.key(0))
  state, _ = jax.jit(model.update)(jax.random.key(1), state, told)
  return autoencoder.latent(_NETWORK, _SEQUENCES), state, cells


def test_the_prediction_rises_along_the_step(fitted):
  latent, state, cells = fitted

  @jax.jit
  @jax.vmap
  def rises(arch):
    outputs = latent.encode(state, arch)
    predict = lambda h: latent.predict(state, h)
    gradient = jax.grad(predict)(outputs)
    steps = jnp.array([0.0, 0.1, 1.0, 3.0])
    moved = jax.vmap(lambda eta: networks.normalise(outputs + eta * gradient))
    return jax.vmap(predict)(moved(steps)) - predict(outputs)

  rise = rises(cells)
  np.testing.assert_allclose(rise[:, 0], 0, atol=1e-6)
  assert np.all(np.mean(rise[:, 1:] > 0, axis=0) >= 0.95)


def test_the_gradient_is_that_of_finite_differences(fitted):
  latent, state, cells = fitted
  with jax.enable_x64(True):
    state = jax.tree.map(
      lambda x: x.astype('f8') if x.dtype == 'f4' else x, state
    )
    arch = jax.tree.map(lambda leaf: leaf[5], cells)
    outputs = latent.encode(state, arch).astype('f8')
    gradient = jax.grad(lambda h: latent.predict(state, h))(outputs)
    norm = jnp.linalg.norm(gradient)
    step = 1e-5 * gradient / norm
    rise = latent.predict(state, outputs + step) - latent.predict(
      state, outputs - step
    )
    np.testing.assert_allclose(rise / 2e-5, norm, rtol=1e-3)


def test_any_latent_vector_decodes_to_an_architecture(fitted):
  latent, state, _ = fitted
  outputs = 5 * jax.random.normal(jax.random.key(2), (500, 4, 16))
  decode = jax.jit(jax.vmap(lambda h: latent.decode(state, h)))
  tokens = np.concatenate([decode(outputs), decode(outputs * 0)])
  assert np.all(jax.vmap(_SEQUENCES.is_valid)(tokens))
  cells = jax.vmap(_SEQUENCES.decode)(tokens)
  assert np.all((cells['op'] >= 0) & (cells['op'] < 3))
  assert len(np.unique(tokens, axis=0)) > 10
