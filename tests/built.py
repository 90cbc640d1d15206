"""Implementations built and compiled once for all checks of a row."""

import collections
from collections.abc import Callable
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import descriptors

NUM_KEYS = 3
_WARM_UP = 5  # updates, so that what is checked is not only the start


class Built(NamedTuple):
  """An implementation, its functions, and arguments to call them with."""

  row: descriptors.Row
  protocol: Any
  functions: dict[str, Callable]  # its own, and `evaluate`
  jitted: dict[str, Callable]
  traces: collections.Counter  # function -> times that jit has traced it
  arguments: dict[str, Any]  # function -> tuple of arguments [NUM_KEYS, ...]


def value(row, arch):
  """Returns any deterministic score of an architecture."""
  features = row.space.encode(arch)
  return features @ jnp.sin(jnp.arange(features.size, dtype=jnp.float32))


def step_of(row, f):
  """Returns `(key, state) -> (state, metrics)`, one update with functions f."""

  def ask_and_tell(key, state):
    ask_key, tell_key = jax.random.split(key)
    proposal, state = f['ask'](ask_key, state)
    values = f['evaluate'](proposal.archs)
    return f['tell'](tell_key, state, proposal, values)

  def update(key, state):
    return f['update'](key, state, row.batch)

  return ask_and_tell if 'ask' in f else update


def _warm(row, f, key):
  step, state = step_of(row, f), f['init'](key)
  for step_key in jax.random.split(key, _WARM_UP):
    state, _ = step(step_key, state)
  return state


def _space_arguments(row, f, key):
  arch = f['sample'](key)
  return {'sample': (key,), 'mutate': (key, arch), 'encode': (arch,)}


def _distribution_arguments(row, f, key):
  params = f['init'](key)
  return {
    'init': (key,),
    'sample': (key, params),
    'log_prob': (params, row.space.sample(key)),
    'mode': (params,),
  }


def _estimator_arguments(row, f, key):
  state = _warm(row, f, key)
  return {
    'init': (key,),
    'update': (key, state, row.batch),
    'score': (key, state, row.space.sample(key)),
  }


def _strategy_arguments(row, f, key):
  state = _warm(row, f, key)
  proposal, asked = f['ask'](key, state)
  values = f['evaluate'](proposal.archs)
  return {
    'init': (key,),
    'ask': (key, state),
    'tell': (key, asked, proposal, values),
  }


def _search_arguments(row, f, key):
  state = _warm(row, f, key)
  return {
    'init': (key,),
    'update': (key, state, row.batch),
    'best': (key, state),
  }


KINDS = {
  'space': (descriptors.SPACES, _space_arguments),
  'distribution': (descriptors.DISTRIBUTIONS, _distribution_arguments),
  'estimator': (descriptors.ESTIMATORS, _estimator_arguments),
  'strategy': (descriptors.STRATEGIES, _strategy_arguments),
  'search': (descriptors.SEARCHES, _search_arguments),
}
FUNCTIONS = {
  'space': ('sample', 'mutate', 'encode'),
  'distribution': ('init', 'sample', 'log_prob', 'mode'),
  'estimator': ('init', 'update', 'score'),
  'strategy': ('init', 'ask', 'tell'),
  'search': ('init', 'update', 'best'),
}


def _counting(f, name, traces):
  def counted(*args):
    traces[name] += 1
    return f(*args)

  return counted


# What is built and compiled once serves all checks of a row, which come one
# after the other (conftest.py). Programs of all rows are gigabytes: those of
# the last row are forgotten.
@functools.lru_cache(1)
def build(kind: str, name: str) -> Built:
  jax.clear_caches()
  rows, arguments_of = KINDS[kind]
  row = next(row for row in rows if row.name == name)
  protocol, traces = row.build(), collections.Counter()
  functions = {f: getattr(protocol, f) for f in FUNCTIONS[kind]}
  functions['evaluate'] = jax.vmap(functools.partial(value, row))
  jitted = {
    name: jax.jit(_counting(f, name, traces)) for name, f in functions.items()
  }
  keys = jax.random.split(jax.random.key(0), NUM_KEYS)
  arguments = stack([arguments_of(row, jitted, key) for key in keys])
  return Built(row, protocol, functions, jitted, traces, arguments)


def _param(kind, row, *function):
  return pytest.param(
    *(kind, row.name, *function),
    id='-'.join((kind, row.name, *function)),
    marks=[pytest.mark.slow] * row.slow,
  )


def each(*kinds):
  """Parametrises a test over the rows of some kinds."""
  return pytest.mark.parametrize(
    'kind, name',
    [_param(kind, row) for kind in kinds for row in KINDS[kind][0]],
  )


each_function = pytest.mark.parametrize(
  'kind, name, function',
  [
    _param(kind, row, function)
    for kind, (rows, _) in KINDS.items()
    for row in rows
    for function in FUNCTIONS[kind]
  ],
)


def build_unless_exempt(kind, name, check):
  """Returns an implementation, unless it is exempt from the check."""
  built = build(kind, name)
  if check in built.row.exempt:
    pytest.skip(built.row.exempt[check])
  return built


def at(tree, i):
  return jax.tree.map(lambda leaf: leaf[i], tree)


def stack(trees):
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def raw(tree):
  """Returns a tree of numpy arrays, those of typed keys their bits."""

  def bits(leaf):
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
      leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)

  return jax.tree.map(bits, tree)
