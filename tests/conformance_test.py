"""What every implementation of a protocol must do; rows in descriptors.py.

A check that a row cannot pass is named in its `exempt`, with the reason.
"""

import collections
from collections.abc import Callable
import functools
import io
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.estimators import combine
from nasjax.searches import black_box, run
from tests import descriptors

_NUM_KEYS = 3
_WARM_UP = 5  # updates, so that what is checked is not only the start


class _Built(NamedTuple):
  """An implementation, its functions, and arguments to call them with."""

  row: descriptors.Row
  protocol: Any
  functions: dict[str, Callable]  # its own, and `evaluate`
  jitted: dict[str, Callable]
  traces: collections.Counter  # function -> times that jit has traced it
  arguments: dict[str, Any]  # function -> tuple of arguments [_NUM_KEYS, ...]


def _value(row, arch):
  """Returns any deterministic score of an architecture."""
  features = row.space.encode(arch)
  return features @ jnp.sin(jnp.arange(features.size, dtype=jnp.float32))


def _step(row, f):
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
  step, state = _step(row, f), f['init'](key)
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


_KINDS = {
  'space': (descriptors.SPACES, _space_arguments),
  'distribution': (descriptors.DISTRIBUTIONS, _distribution_arguments),
  'estimator': (descriptors.ESTIMATORS, _estimator_arguments),
  'strategy': (descriptors.STRATEGIES, _strategy_arguments),
  'search': (descriptors.SEARCHES, _search_arguments),
}
_FUNCTIONS = {
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


# What is built and compiled once serves all checks of a row.
@functools.cache
def _built(kind: str, name: str) -> _Built:
  rows, arguments_of = _KINDS[kind]
  row = next(row for row in rows if row.name == name)
  protocol, traces = row.build(), collections.Counter()
  functions = {f: getattr(protocol, f) for f in _FUNCTIONS[kind]}
  functions['evaluate'] = jax.vmap(functools.partial(_value, row))
  jitted = {
    name: jax.jit(_counting(f, name, traces)) for name, f in functions.items()
  }
  keys = jax.random.split(jax.random.key(0), _NUM_KEYS)
  arguments = _stack([arguments_of(row, jitted, key) for key in keys])
  return _Built(row, protocol, functions, jitted, traces, arguments)


def _each(*kinds):
  """Parametrises a test over the rows of some kinds."""
  return pytest.mark.parametrize(
    'kind, name',
    [
      pytest.param(kind, row.name, id=f'{kind}-{row.name}')
      for kind in kinds
      for row in _KINDS[kind][0]
    ],
  )


_each_function = pytest.mark.parametrize(
  'kind, name, function',
  [
    pytest.param(kind, row.name, function, id=f'{kind}-{row.name}-{function}')
    for kind, (rows, _) in _KINDS.items()
    for row in rows
    for function in _FUNCTIONS[kind]
  ],
)


def _row(kind, name, check):
  """Returns an implementation, unless it is exempt from the check."""
  built = _built(kind, name)
  if check in built.row.exempt:
    pytest.skip(built.row.exempt[check])
  return built


def _at(tree, i):
  return jax.tree.map(lambda leaf: leaf[i], tree)


def _stack(trees):
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _raw(tree):
  """Returns a tree of numpy arrays, those of typed keys their bits."""

  def raw(leaf):
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
      leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)

  return jax.tree.map(raw, tree)


def _assert_close(actual, expected):
  chex.assert_trees_all_close(
    _raw(actual), _raw(expected), rtol=1e-5, atol=1e-6
  )


# All functions of all protocols.


@_each_function
def test_jit_changes_nothing(kind, name, function):
  built = _row(kind, name, 'jit')
  arguments = _at(built.arguments[function], 0)
  _assert_close(
    built.jitted[function](*arguments), built.functions[function](*arguments)
  )


@_each_function
def test_vmap_is_a_loop(kind, name, function):
  built = _row(kind, name, 'vmap')
  arguments = built.arguments[function]
  batched = jax.jit(jax.vmap(built.functions[function]))(*arguments)
  loop = [built.jitted[function](*_at(arguments, i)) for i in range(_NUM_KEYS)]
  _assert_close(batched, _stack(loop))


@_each_function
def test_a_second_call_gives_the_same_and_does_not_retrace(
  kind, name, function
):
  built = _row(kind, name, 'retrace')
  f, arguments = built.jitted[function], built.arguments[function]
  results = [_raw(f(*_at(arguments, i))) for i in (0, 1, 0)]
  chex.assert_trees_all_equal(results[0], results[2])
  assert built.traces[function] == 1


# States, and what is in them.


def _types(tree):
  """Returns structure, shapes and dtypes; a weak type would retrace."""
  return jax.tree.map(
    lambda leaf: (leaf.shape, str(leaf.dtype), leaf.weak_type), tree
  )


@_each('estimator', 'strategy', 'search')
def test_an_update_keeps_structure_shapes_and_dtypes(kind, name):
  built = _row(kind, name, 'structure')
  key = jax.random.key(0)
  before = jax.eval_shape(built.protocol.init, key)
  step = _step(built.row, built.functions)
  after, _ = jax.eval_shape(step, key, before)
  assert _types(after) == _types(before)


def _run(row, jitted, state, keys):
  """Returns the final state and the metrics of a loop of updates."""
  step, metrics = _step(row, jitted), []
  for key in keys:
    state, values = step(key, state)
    metrics.append(values)
  return state, _stack(metrics)


@_each('estimator', 'strategy', 'search')
def test_scan_is_a_loop(kind, name):
  built = _row(kind, name, 'scan')
  keys = jax.random.split(jax.random.key(1), 4)
  start = built.jitted['init'](keys[0])
  step = _step(built.row, built.functions)

  @jax.jit
  def scan(state):
    return jax.lax.scan(lambda state, key: step(key, state), state, keys)

  _assert_close(scan(start), _run(built.row, built.jitted, start, keys))


def _to_bytes(state):
  stream = io.BytesIO()
  leaves = jax.tree.leaves(_raw(state))
  np.savez(stream, **{str(i): leaf for i, leaf in enumerate(leaves)})
  return stream.getvalue()


def _from_bytes(data, like):
  """Returns the state in bytes, with the structure and keys of another."""
  with np.load(io.BytesIO(data), allow_pickle=False) as file:
    stored = [file[str(i)] for i in range(len(file.files))]
  leaves, structure = jax.tree.flatten(like)

  def restore(old, leaf):
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
      return jax.random.wrap_key_data(old, impl=jax.random.key_impl(leaf))
    return jnp.asarray(old)

  return structure.unflatten(map(restore, stored, leaves))


@_each('estimator', 'strategy', 'search')
def test_a_resumed_run_equals_an_uninterrupted_one(kind, name):
  built = _row(kind, name, 'resume')
  keys = jax.random.split(jax.random.key(1), 4)
  start = built.jitted['init'](keys[0])
  expected, expected_metrics = _run(built.row, built.jitted, start, keys)
  middle, _ = _run(built.row, built.jitted, start, keys[:2])
  # A new process: the state comes from bytes, the functions are built again.
  again = built.row.build()
  functions = {f: jax.jit(getattr(again, f)) for f in _FUNCTIONS[kind]}
  functions = built.jitted | functions
  restored = _from_bytes(_to_bytes(middle), functions['init'](keys[0]))
  resumed, metrics = _run(built.row, functions, restored, keys[2:])
  chex.assert_trees_all_equal(_raw(resumed), _raw(expected))
  chex.assert_trees_all_equal(
    _raw(metrics), _raw(_at(expected_metrics, slice(2, None)))
  )


# Architectures stay where they belong.


def _over_samples(space, check, num_samples=64):
  """Returns `check(key, arch)` of samples of a space, as numpy arrays."""
  keys = jax.random.split(jax.random.key(2), num_samples)
  results = jax.jit(jax.vmap(lambda key: check(key, space.sample(key))))(keys)
  return jax.tree.map(np.asarray, results)


@_each('space')
def test_samples_are_inside_and_differ(kind, name):
  row, space = _built(kind, name)[:2]
  inside, encoded = _over_samples(
    space,
    lambda key, arch: (row.contains(arch, space.mask), space.encode(arch)),
  )
  assert inside.all()
  assert len(np.unique(encoded, axis=0)) > 1


@_each('space')
def test_mutations_are_inside_and_never_the_same(kind, name):
  row, space = _built(kind, name)[:2]

  def check(key, arch):
    mutated = space.mutate(key, arch)
    differs = jnp.any(space.encode(arch) != space.encode(mutated))
    return row.contains(mutated, space.mask), differs

  inside, differs = _over_samples(space, check)
  assert inside.all()
  assert differs.all()


@_each('space')
def test_an_encoding_accepts_every_form(kind, name):
  built = _built(kind, name)
  space, (arch,) = built.protocol, _at(built.arguments['encode'], 0)
  expected = built.jitted['encode'](arch)
  relaxed = choice.one_hot(arch, space.mask)
  chex.assert_trees_all_equal(built.jitted['encode'](relaxed), expected)
  chex.assert_trees_all_equal(space.encode(choice.static(arch)), expected)


@pytest.mark.parametrize(
  'name', [row.name for row in descriptors.SPACES if row.build().index]
)
def test_an_enumeration_counts_the_space(name):
  row, space = _built('space', name)[:2]
  numbers = np.unique(np.linspace(0, space.size - 1, 64).astype(np.int32))

  @jax.jit
  @jax.vmap
  def check(number):
    arch = space.index(number)
    return row.contains(arch, space.mask), space.encode(arch)

  inside, encoded = check(numbers)
  assert jnp.all(inside)
  assert len(np.unique(np.asarray(encoded), axis=0)) == len(numbers)


def _without_last(mask):
  """Returns a mask without the last choice of decisions that have another."""

  def drop(leaf):
    count = leaf.sum(-1, keepdims=True)
    return leaf & ((leaf.cumsum(-1) < count) | (count < 2))

  return jax.tree.map(drop, mask)


@_each('space')
def test_a_restriction_is_the_and_of_two_masks(kind, name):
  row, space = _built(kind, name)[:2]
  mask = _without_last(space.mask)
  restricted = space.restrict(mask)
  chex.assert_trees_all_equal(restricted.mask, mask)
  chex.assert_trees_all_equal(restricted.restrict(space.mask).mask, mask)
  assert space.size is None or restricted.size < space.size
  assert _over_samples(
    restricted, lambda key, arch: row.contains(arch, mask)
  ).all()


def _is_inside(row, arch):
  """Returns whether choices are in the space, and relaxed ones in its shape."""
  mask = row.space.mask
  leaves = jax.tree.leaves(arch)
  if all(jnp.issubdtype(leaf.dtype, jnp.integer) for leaf in leaves):
    return row.contains(arch, mask)
  chex.assert_trees_all_equal_shapes(arch, mask)
  outside = jax.tree.map(
    lambda allowed, leaf: jnp.any(~allowed & (leaf != 0)), mask, arch
  )
  return ~jnp.any(jnp.stack(jax.tree.leaves(outside)))


@_each('distribution')
def test_draws_and_the_mode_are_inside(kind, name):
  row, distribution = _built(kind, name)[:2]

  def check(key):
    params = distribution.init(key)
    arch = distribution.sample(key, params)
    mode = distribution.mode(params)
    return _is_inside(row, arch) & row.contains(mode, row.space.mask)

  keys = jax.random.split(jax.random.key(4), 16)
  assert jnp.all(jax.jit(jax.vmap(check))(keys))


@_each('distribution')
def test_gradients_are_finite_and_not_all_zero(kind, name):
  row, distribution = _built(kind, name)[:2]
  key = jax.random.key(5)
  params = distribution.init(key)
  arch = row.space.sample(key)

  def objective(params):
    drawn = distribution.sample(key, params)
    value = distribution.log_prob(params, arch)
    if jnp.issubdtype(jax.tree.leaves(drawn)[0].dtype, jnp.floating):
      value += _value(row, drawn)
    return value

  value, gradient = jax.jit(jax.value_and_grad(objective))(params)
  gradient, _ = jax.flatten_util.ravel_pytree(gradient)
  assert jnp.isfinite(value)
  assert jnp.all(jnp.isfinite(gradient))
  assert jnp.any(gradient != 0)


def _all_inside(row, archs):
  return jnp.all(
    jax.vmap(lambda arch: row.contains(arch, row.space.mask))(archs)
  )


@_each('strategy')
def test_proposals_are_inside_and_have_a_fidelity(kind, name):
  built = _built(kind, name)
  proposal, _ = built.jitted['ask'](*_at(built.arguments['ask'], 0))
  assert jax.jit(functools.partial(_all_inside, built.row))(proposal.archs)
  num_archs = jax.tree.leaves(proposal.archs)[0].shape[0]
  assert proposal.fidelity.shape == (num_archs,)
  assert jnp.all(proposal.fidelity > 0)


@_each('strategy')
def test_values_may_come_late_and_out_of_order(kind, name):
  built = _row(kind, name, 'late')
  ask, tell = built.jitted['ask'], built.jitted['tell']
  key, state = _at(built.arguments['ask'], 0)
  first, state = ask(key, state)
  second, state = ask(jax.random.key(6), state)
  for proposal in (second, first):
    values = built.jitted['evaluate'](proposal.archs)
    state, metrics = tell(key, state, proposal, values)
  third, _ = ask(jax.random.key(7), state)
  assert jax.jit(functools.partial(_all_inside, built.row))(third.archs)
  assert all(np.all(np.isfinite(leaf)) for leaf in metrics.values())


@_each('strategy')
def test_a_score_that_is_not_finite_never_wins(kind, name):
  row, strategy = _row(kind, name, 'nan')[:2]

  def score(key, arch):
    del key
    value = _value(row, arch)
    return jnp.where(value > 0, jnp.nan, value)

  search = black_box.black_box(strategy, combine.stateless(score), batch_size=8)

  @jax.jit
  def find(key):
    state, metrics = run.run(key, search, None, 30)
    best = search.best(key, state)
    return score(key, best), metrics['num_not_finite']

  value, num_not_finite = find(jax.random.key(7))
  assert jnp.sum(num_not_finite) > 0
  assert jnp.isfinite(value)


@_each('search')
def test_the_best_is_inside(kind, name):
  built = _built(kind, name)
  best = built.jitted['best'](*_at(built.arguments['best'], 0))
  assert built.row.contains(best, built.row.space.mask)


@pytest.mark.parametrize('kind', list(_KINDS))
def test_names_of_rows_are_unique(kind):
  names = [row.name for row in _KINDS[kind][0]]
  assert names and len(set(names)) == len(names)
