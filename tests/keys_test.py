"""Unrolled keys draw what the keys of jax draw."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import keys


def _both(draw, seed=0):
  """What a function draws from a key of jax and from its unrolled one."""
  key = jax.random.key(seed)
  return draw(key), draw(keys.unrolled(key))


# The known answers of Random123 for twenty rounds: key, counter, result.
@pytest.mark.parametrize(
  'key, counter, expected',
  [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
    (
      (0x13198A2E, 0x03707344),
      (0x243F6A88, 0x85A308D3),
      (0xC4923A9C, 0x483DF7A0),
    ),
  ],
)
def test_the_cipher_gives_the_known_answers(key, counter, expected):
  found = keys.threefry2x32(jnp.uint32(key), jnp.uint32(counter))
  assert tuple(int(word) for word in found) == expected


@pytest.mark.parametrize('width', [8, 16, 32])
def test_words_are_those_of_jax(width):
  theirs, ours = _both(lambda key: jax.random.bits(key, (7, 5), f'uint{width}'))
  chex.assert_trees_all_equal(ours, theirs)


def test_words_of_64_bits_are_those_of_jax():
  with jax.enable_x64(True):
    theirs, ours = _both(lambda key: jax.random.bits(key, (9,), 'uint64'))
  chex.assert_trees_all_equal(ours, theirs)


@pytest.mark.parametrize('seed', [0, 1, -1, 2**31 - 1, np.uint32(2**32 - 1)])
def test_seeds_splits_and_folds_are_those_of_jax(seed):
  def draw(key):
    children = jax.random.split(key, (3, 4))
    folded = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(-2, 3))
    again = jax.random.fold_in(children[1, 2], 2**32 - 1)
    return [jax.random.key_data(k) for k in (key, children, folded, again)]

  theirs, ours = _both(draw, seed)
  chex.assert_trees_all_equal(ours, theirs)


@pytest.mark.parametrize(
  'draw',
  [
    lambda key: jax.random.uniform(key, (3, 4)),
    lambda key: jax.random.normal(key, (6,)),
    lambda key: jax.random.randint(key, (8,), -3, 11),
    lambda key: jax.random.permutation(key, 10),
    lambda key: jax.random.categorical(key, jnp.arange(5.0)),
    lambda key: jax.random.choice(key, 9, (4,), replace=False),
    lambda key: jax.random.bernoulli(key, 0.3, (20,)),
    lambda key: jax.random.dirichlet(key, jnp.ones(3)),
  ],
)
def test_draws_are_those_of_jax_under_vmap_jit_and_scan(draw):
  def many(key):
    def step(key, _):
      key, own = jax.random.split(key)
      return key, jax.vmap(draw)(jax.random.split(own, 3))

    return jax.lax.scan(step, key, length=4)[1]

  theirs, ours = _both(jax.jit(many))
  chex.assert_trees_all_equal(ours, theirs)


def test_keys_of_another_implementation_are_refused():
  with pytest.raises(ValueError, match='threefry2x32, got keys of rbg'):
    keys.unrolled(jax.random.key(0, impl='rbg'))
