"""What every implementation of a protocol must do; rows in descriptors.py.

A check that a row cannot pass is named in its `exempt`, with the reason.
"""

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
  functions: dict[str, Callable]
  arguments: dict[str, Any]  # function -> tuple of arguments [_NUM_KEYS, ...]
  jitted: dict[str, Callable]


def _value(row, arch):
  """Any deterministic score of an architecture."""
  features = row.space.encode(arch)
  return features @ jnp.sin(jnp.arange(features.size, dtype=jnp.float32))


def _ask_and_tell(row, strategy):
  def step(key, state):
    ask_key, tell_key = jax.random.split(key)
    proposal, state = strategy.ask(ask_key, state)
    values = jax.vmap(lambda arch: _value(row, arch))(proposal.archs)
    state, metrics = strategy.tell(tell_key, state, proposal, values)
    return state, metrics

  return step


def _step(row, protocol):
  """Returns `(key, state) -> (state, metrics)` of a protocol with a state."""
  if hasattr(protocol, 'tell'):
    return _ask_and_tell(row, protocol)
  return lambda key, state: protocol.update(key, state, row.batch)


def _warm(row, protocol, key):
  step = _step(row, protocol)
  keys = jax.random.split(key, _WARM_UP)
  return jax.lax.fori_loop(
    0, _WARM_UP, lambda t, s: step(keys[t], s)[0], protocol.init(key)
  )


def _space_arguments(row, space, key):
  arch = space.sample(key)
  return {'sample': (key,), 'mutate': (key, arch), 'encode': (arch,)}


def _distribution_arguments(row, distribution, key):
  params = distribution.init(key)
  return {
    'init': (key,),
    'sample': (key, params),
    'log_prob': (params, row.space.sample(key)),
    'mode': (params,),
  }


def _estimator_arguments(row, estimator, key):
  state = _warm(row, estimator, key)
  return {
    'init': (key,),
    'update': (key, state, row.batch),
    'score': (key, state, row.space.sample(key)),
  }


def _strategy_arguments(row, strategy, key):
  state = _warm(row, strategy, key)
  proposal, asked = strategy.ask(key, state)
  values = jax.vmap(lambda arch: _value(row, arch))(proposal.archs)
  return {
    'init': (key,),
    'ask': (key, state),
    'tell': (key, asked, proposal, values),
  }


def _search_arguments(row, search, key):
  state = _warm(row, search, key)
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


@functools.cache
def _built(kind: str, name: str) -> _Built:
  rows, arguments_of = _KINDS[kind]
  row = next(row for row in rows if row.name == name)
  protocol = row.build()
  functions = {f: getattr(protocol, f) for f in _FUNCTIONS[kind]}
  keys = jax.random.split(jax.random.key(0), _NUM_KEYS)
  arguments = jax.jit(jax.vmap(functools.partial(arguments_of, row, protocol)))(
    keys
  )
  jitted = {name: jax.jit(f) for name, f in functions.items()}
  return _Built(row, protocol, functions, arguments, jitted)


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
  built = _built(kind, name)
  if check in built.row.exempt:
    pytest.skip(built.row.exempt[check])
  return built


def _at(tree, i):
  return jax.tree.map(lambda leaf: leaf[i], tree)


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


def _loop(built, function):
  arguments = built.arguments[function]
  results = [
    built.jitted[function](*_at(arguments, i)) for i in range(_NUM_KEYS)
  ]
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *results)


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
  batched = jax.jit(jax.vmap(built.functions[function]))
  _assert_close(batched(*built.arguments[function]), _loop(built, function))


@_each_function
def test_scan_is_a_loop(kind, name, function):
  built = _row(kind, name, 'scan')
  f = built.functions[function]

  @jax.jit
  def scan(arguments):
    return jax.lax.scan(lambda c, a: (c, f(*a)), (), arguments)[1]

  _assert_close(scan(built.arguments[function]), _loop(built, function))


@_each_function
def test_second_call_does_not_retrace_and_gives_the_same(kind, name, function):
  built = _row(kind, name, 'retrace')
  chex.clear_trace_counter()
  f = jax.jit(chex.assert_max_traces(built.functions[function], n=1))
  first, other = (_at(built.arguments[function], i) for i in (0, 1))
  expected = f(*first)
  f(*other)
  chex.assert_trees_all_equal(_raw(f(*first)), _raw(expected))


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
  after, _ = jax.eval_shape(_step(built.row, built.protocol), key, before)
  assert _types(after) == _types(before)


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

  def run(protocol, state, keys):
    step = jax.jit(_step(built.row, protocol))
    metrics = []
    for key in keys:
      state, values = step(key, state)
      metrics.append(values)
    return state, metrics

  start = jax.jit(built.protocol.init)(keys[0])
  expected, expected_metrics = run(built.protocol, start, keys)
  middle, _ = run(built.protocol, start, keys[:2])
  # A new process: the state comes from bytes, the functions are built again.
  again = built.row.build()
  restored = _from_bytes(_to_bytes(middle), again.init(keys[0]))
  resumed, metrics = run(again, restored, keys[2:])
  chex.assert_trees_all_equal(_raw(resumed), _raw(expected))
  chex.assert_trees_all_equal(_raw(metrics), _raw(expected_metrics[2:]))


# Architectures stay where they belong.


def _samples(space, num_samples=64):
  keys = jax.random.split(jax.random.key(2), num_samples)
  return jax.jit(jax.vmap(space.sample))(keys)


def _all_inside(row, archs, mask):
  return jnp.all(jax.vmap(lambda arch: row.contains(arch, mask))(archs))


@_each('space')
def test_samples_are_inside_and_differ(kind, name):
  row, space = _built(kind, name)[:2]
  archs = _samples(space)
  assert _all_inside(row, archs, space.mask)
  encoded = np.asarray(jax.vmap(space.encode)(archs))
  assert len(np.unique(encoded, axis=0)) > 1


@_each('space')
def test_mutations_are_inside_and_never_the_same(kind, name):
  row, space = _built(kind, name)[:2]
  keys = jax.random.split(jax.random.key(3), 64)
  archs = _samples(space)
  mutated = jax.jit(jax.vmap(space.mutate))(keys, archs)
  assert _all_inside(row, mutated, space.mask)
  changes = jax.vmap(space.encode)(archs) != jax.vmap(space.encode)(mutated)
  assert np.all(np.any(np.asarray(changes), -1))


@_each('space')
def test_an_encoding_accepts_every_form(kind, name):
  _, space = _built(kind, name)[:2]
  arch = space.sample(jax.random.key(0))
  expected = space.encode(arch)
  relaxed = choice.one_hot(arch, space.mask)
  chex.assert_trees_all_equal(space.encode(relaxed), expected)
  chex.assert_trees_all_equal(space.encode(choice.static(arch)), expected)


@_each('space')
def test_an_enumeration_counts_the_space(kind, name):
  row, space = _built(kind, name)[:2]
  if space.index is None:
    assert space.size is None or space.size > 2**31 - 1
    return
  numbers = np.unique(np.linspace(0, space.size - 1, 100).astype(np.int32))
  archs = jax.jit(jax.vmap(space.index))(numbers)
  assert _all_inside(row, archs, space.mask)
  encoded = np.asarray(jax.vmap(space.encode)(archs))
  assert len(np.unique(encoded, axis=0)) == len(numbers)


@_each('space')
def test_a_restriction_is_the_and_of_two_masks(kind, name):
  row, space = _built(kind, name)[:2]
  last = jax.tree.map(lambda leaf: leaf.cumsum(-1) < leaf.sum(-1, keepdims=True), space.mask)
  # All choices but the last one, where that leaves any.
  kept = jax.tree.map(
    lambda leaf, other: leaf & (other | (leaf.sum(-1, keepdims=True) < 2)),
    space.mask,
    last,
  )
  inside = space.restrict(kept)
  chex.assert_trees_all_equal(inside.mask, kept)
  assert _all_inside(row, _samples(inside), kept)
  assert space.size is None or inside.size < space.size
  chex.assert_trees_all_equal(inside.restrict(space.mask).mask, kept)


def _is_inside(row, arch):
  """Returns whether index choices are in the space, relaxed ones in its shape."""
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


@_each('strategy')
def test_proposals_are_inside_and_have_a_fidelity(kind, name):
  built = _built(kind, name)
  key, state = built.arguments['ask']
  proposals, _ = jax.vmap(built.protocol.ask)(key, state)
  archs, fidelity = proposals
  flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), archs)
  assert _all_inside(built.row, flat, built.row.space.mask)
  assert fidelity.shape == jax.tree.leaves(archs)[0].shape[:2]
  assert jnp.all(fidelity > 0)


@_each('strategy')
def test_values_may_come_late_and_out_of_order(kind, name):
  row, strategy = _row(kind, name, 'late')[:2]

  @jax.jit
  def search(key):
    first, state = strategy.ask(key, strategy.init(key))
    second, state = strategy.ask(key, state)
    for proposal in (second, first):
      values = jax.vmap(lambda arch: _value(row, arch))(proposal.archs)
      state, metrics = strategy.tell(key, state, proposal, values)
    return strategy.ask(key, state)[0], metrics

  proposal, metrics = search(jax.random.key(6))
  assert _all_inside(row, proposal.archs, row.space.mask)
  assert all(np.all(np.isfinite(leaf)) for leaf in metrics.values())


@_each('strategy')
def test_a_score_that_is_not_finite_never_wins(kind, name):
  row, strategy = _row(kind, name, 'nan')[:2]

  def score(key, arch):
    value = _value(row, arch)
    return jnp.where(value > 0, jnp.nan, value)

  search = black_box.black_box(strategy, combine.stateless(score))

  @jax.jit
  def find(key):
    state, metrics = run.run(key, search, None, 30)
    return search.best(key, state), metrics

  best, metrics = find(jax.random.key(7))
  assert jnp.sum(metrics['num_not_finite']) > 0
  assert jnp.isfinite(score(None, best))


@_each('search')
def test_the_best_is_inside(kind, name):
  built = _built(kind, name)
  best = jax.vmap(built.protocol.best)(*built.arguments['best'])
  assert _all_inside(built.row, best, built.row.space.mask)


@pytest.mark.parametrize('kind', list(_KINDS))
def test_names_of_rows_are_unique(kind):
  names = [row.name for row in _KINDS[kind][0]]
  assert names and len(set(names)) == len(names)
