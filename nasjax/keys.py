"""Keys whose cipher is unrolled, for programs that draw few numbers a step.

On a CPU jax runs the twenty rounds of threefry in loops of four. That compiles
fast and costs nothing where a step draws thousands of words; where it draws
twenty, as a search over a table does, most of the step goes into the loops.
"""

import math

import jax
from jax.extend import random as extend
import jax.numpy as jnp

from nasjax.types import Key

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def threefry2x32(
  key: tuple[jax.Array, jax.Array],
  counter: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
  """Encrypt two words in twenty rounds.

  Each round is x += y, y = rotate(y) ^ x; each fourth adds the next two of
  three words of the key, and its own number.

  Args:
    key: two `uint32` of any shape.
    counter: two `uint32` of a shape that broadcasts with them.

  Returns:
    Two `uint32` of the common shape.

  References:
    J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, Parallel random
    numbers: as easy as 1, 2, 3, 2011.
  """
  words = (*key, key[0] ^ key[1] ^ jnp.uint32(_PARITY))
  x, y = counter[0] + words[0], counter[1] + words[1]
  for number in range(20):
    by = _ROTATIONS[number // 4 % 2][number % 4]
    x = x + y
    y = ((y << by) | (y >> (32 - by))) ^ x
    if number % 4 == 3:
      turn = number // 4 + 1
      x = x + words[turn % 3]
      y = y + words[(turn + 1) % 3] + jnp.uint32(turn)
  return x, y


def _hash_all(key, shape):
  low = jnp.arange(math.prod(shape), dtype=jnp.uint32).reshape(shape)
  return threefry2x32(key, (jnp.uint32(0), low))


def _seed(seed):
  return jax.random.key_data(jax.random.key(seed, impl='threefry2x32'))


def _split(key, shape):
  return jnp.stack(_hash_all(key, shape), axis=-1)


def _fold_in(key, data):
  counter = jnp.uint32(0), jnp.asarray(data).astype(jnp.uint32)
  return jnp.stack(threefry2x32(key, counter))


def _random_bits(key, width, shape):
  high, low = _hash_all(key, shape)
  if width == 64:
    return (high.astype(jnp.uint64) << 32) | low
  return (high ^ low).astype(f'uint{width}')


_IMPLEMENTATION = extend.define_prng_impl(
  key_shape=(2,),
  seed=_seed,
  split=_split,
  random_bits=_random_bits,
  fold_in=_fold_in,
  name='unrolled_threefry2x32',
  tag='unrolled',
)


def unrolled(key: Key) -> Key:
  """Return keys that give the same numbers, bit for bit, in unrolled code.

  The same as with `jax_threefry_partitionable`, jax's default, for draws of
  fewer than 2**32 words.

  Args:
    key: keys of jax's default implementation, threefry2x32, any shape.

  Returns:
    Keys of the same shape, which all of `jax.random` takes. Every draw compiles
    to a hundred operations more.

  Raises:
    ValueError: if the keys are of another implementation.
  """
  if str(jax.random.key_impl(key)) != 'threefry2x32':
    raise ValueError(
      'unrolled takes keys of threefry2x32, got keys of '
      f'{jax.random.key_impl(key)}.'
    )
  return jax.random.wrap_key_data(
    jax.random.key_data(key), impl=_IMPLEMENTATION
  )
