"""What every function of every protocol must do; rows in descriptors.py.

A check that a row cannot pass is named in its `exempt`, with the reason.
"""

import io

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import built


def _assert_close(actual, expected):
  chex.assert_trees_all_close(
    built.raw(actual), built.raw(expected), rtol=1e-5, atol=1e-6
  )


# All functions of all protocols.


@built.each_function
def test_jit_changes_nothing(kind, name, function):
  item = built.build_unless_exempt(kind, name, 'jit')
  arguments = built.at(item.arguments[function], 0)
  _assert_close(
    item.jitted[function](*arguments), item.functions[function](*arguments)
  )


@built.each_function
def test_vmap_is_a_loop(kind, name, function):
  item = built.build_unless_exempt(kind, name, 'vmap')
  arguments = item.arguments[function]
  batched = jax.jit(jax.vmap(item.functions[function]))(*arguments)
  loop = [
    item.jitted[function](*built.at(arguments, i))
    for i in range(built.NUM_KEYS)
  ]
  _assert_close(batched, built.stack(loop))


@built.each_function
def test_a_second_call_gives_the_same_and_does_not_retrace(
  kind, name, function
):
  item = built.build_unless_exempt(kind, name, 'retrace')
  f, arguments = item.jitted[function], item.arguments[function]
  first = built.raw(f(*built.at(arguments, 0)))
  traces = item.traces[function]
  f(*built.at(arguments, 1))
  chex.assert_trees_all_equal(first, built.raw(f(*built.at(arguments, 0))))
  assert item.traces[function] == traces


# States, and what is in them.


def _types(tree):
  """Returns structure, shapes and dtypes; a weak type would retrace."""
  return jax.tree.map(
    lambda leaf: (leaf.shape, str(leaf.dtype), leaf.weak_type), tree
  )


@built.each('estimator', 'strategy', 'search')
def test_an_update_keeps_structure_shapes_and_dtypes(kind, name):
  item = built.build_unless_exempt(kind, name, 'structure')
  key = jax.random.key(0)
  before = jax.eval_shape(item.protocol.init, key)
  step = built.step_of(item.row, item.functions)
  after, _ = jax.eval_shape(step, key, before)
  assert _types(after) == _types(before)


def _run(row, jitted, state, keys):
  """Returns the final state and the metrics of a loop of updates."""
  step, metrics = built.step_of(row, jitted), []
  for key in keys:
    state, values = step(key, state)
    metrics.append(values)
  return state, built.stack(metrics)


@built.each('estimator', 'strategy', 'search')
def test_scan_is_a_loop(kind, name):
  item = built.build_unless_exempt(kind, name, 'scan')
  keys = jax.random.split(jax.random.key(1), 4)
  start = item.jitted['init'](keys[0])
  step = built.step_of(item.row, item.functions)

  @jax.jit
  def scan(state):
    return jax.lax.scan(lambda state, key: step(key, state), state, keys)

  _assert_close(scan(start), _run(item.row, item.jitted, start, keys))


def _to_bytes(state):
  stream = io.BytesIO()
  leaves = jax.tree.leaves(built.raw(state))
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


@built.each('estimator', 'strategy', 'search')
def test_a_resumed_run_equals_an_uninterrupted_one(kind, name):
  item = built.build_unless_exempt(kind, name, 'resume')
  keys = jax.random.split(jax.random.key(1), 4)
  start = item.jitted['init'](keys[0])
  expected, expected_metrics = _run(item.row, item.jitted, start, keys)
  middle, _ = _run(item.row, item.jitted, start, keys[:2])
  # A new process: the state comes from bytes, the functions are built again.
  again = item.row.build()
  functions = {f: jax.jit(getattr(again, f)) for f in built.FUNCTIONS[kind]}
  functions = item.jitted | functions
  restored = _from_bytes(_to_bytes(middle), functions['init'](keys[0]))
  resumed, metrics = _run(item.row, functions, restored, keys[2:])
  chex.assert_trees_all_equal(built.raw(resumed), built.raw(expected))
  chex.assert_trees_all_equal(
    built.raw(metrics), built.raw(built.at(expected_metrics, slice(2, None)))
  )


@pytest.mark.parametrize('kind', list(built.KINDS))
def test_names_of_rows_are_unique(kind):
  names = [row.name for row in built.KINDS[kind][0]]
  assert names and len(set(names)) == len(names)
