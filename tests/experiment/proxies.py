"""Scores and parts that the scoring tests of this folder name."""

import jax
import jax.numpy as jnp

from nasjax.estimators import zero_cost
from tests.estimators import tiny

TRACES = []  # one entry whenever the raw value of a proxy is traced


def weighted(space, name='weighted', sign=-1, shape=()):
  """A random weight for every operation; no number without an operation 0."""
  del space

  def raw(key, variables, arch):
    TRACES.append(name)
    value = jnp.sum(variables['w'][arch['op']]) + 0.1 * jax.random.normal(key)
    fails = jnp.all(arch['op'] > 0)
    return jnp.broadcast_to(jnp.where(fails, jnp.nan, value), shape)

  return zero_cost.Proxy(
    init=lambda key, arch: {'w': jax.random.normal(key, (5,))},
    raw=raw,
    sign=sign,
    norm='unused',
    failure=jnp.nan,
    paper='https://example.org',
  )


def two():
  """Two scores that share a draw of weights, of which the second fails."""
  one = weighted(None)
  other = {'sum': one, 'none': one._replace(sign=1)}

  def raw(key, variables, arch):
    value = one.raw(key, variables, arch)
    return {'sum': value, 'none': jnp.full_like(value, jnp.nan)}

  return zero_cost.Joint(one.init, raw, other)


def misnamed():
  """Scores one of which is not described."""
  both = two()
  return both._replace(proxies={'sum': both.proxies['sum']})


def number_of_convolutions(key, arch):
  """The score of an estimator without state."""
  del key
  return jnp.sum((arch['op'] == 2) | (arch['op'] == 3)).astype(jnp.float32)


def batch():
  """Eight tiny images."""
  return tiny.images(jax.random.key(1), 8)


def tiny_space():
  """The space of the tiny network."""
  return tiny.SPACE
