"""Tests for `map_archs`: one function, the same numbers on every path."""

import os
import pathlib
import subprocess
import sys

import chex
import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import batching

_BRANCHES = [jnp.sin, jnp.cos, lambda x: x * x]


def _archs(size):
  return {
    'op': jnp.arange(size, dtype=jnp.int32) % 3,
    'key': jax.random.split(jax.random.key(0), size),
  }


def _score(arch, x=1.0):
  """A switch, random numbers, and a loop that starts from a constant."""
  noise = jax.random.normal(arch['key'], (3,))
  start = lax.switch(arch['op'], _BRANCHES, x * noise)
  total, _ = lax.scan(lambda c, y: (c + y, None), 0.0, start)
  return {'total': total, 'start': start, 'key': arch['key']}


def _with_numbers(results):
  return dict(results, key=jax.random.key_data(results['key']))


@pytest.mark.parametrize(
  'size, batch_size',
  [
    (1, None),
    (8, None),
    (6, None),
    (7, None),
    (6, 2),
    (10, 2),
    (15, 2),
    (6, 4),
    (7, 4),
    (6, 6),
    (6, 99),
  ],
)
def test_every_path_gives_the_same_numbers(size, batch_size):
  assert jax.local_device_count() == 4
  archs = _archs(size)
  found = jax.jit(lambda a: batching.map_archs(_score, a, batch_size))(archs)
  expected = jax.jit(lambda a: lax.map(_score, a))(archs)
  chex.assert_trees_all_close(
    _with_numbers(found), _with_numbers(expected), rtol=1e-6
  )


def test_architectures_are_spread_over_devices_block_by_block():
  f = jax.jit(lambda x, n: batching.map_archs(jnp.sin, x, n), static_argnums=1)
  devices = lambda n: len(f(jnp.arange(8.0), n).sharding.device_set)
  assert devices(None) == devices(2) == 4
  assert devices(8) == 1  # one block


def test_few_architectures_that_do_not_divide_stay_on_one_device():
  f = jax.jit(lambda x: batching.map_archs(jnp.sin, x))
  devices = lambda size: len(f(jnp.arange(float(size))).sharding.device_set)
  assert [devices(size) for size in (2, 5, 6)] == [1, 1, 1]
  assert [devices(size) for size in (4, 7, 8, 13, 15)] == [4, 4, 4, 4, 4]


def test_it_closes_over_traced_arrays_inside_jit_scan_and_grad():
  archs = _archs(6)

  def total(map_archs, scale):
    def step(scale, t):
      results = map_archs(lambda arch: _score(arch, scale * t), archs)
      return scale + jnp.mean(results['total']), None

    return lax.scan(step, scale, jnp.arange(1.0, 4.0))[0]

  found = jax.jit(jax.value_and_grad(lambda s: total(batching.map_archs, s)))
  expected = jax.value_and_grad(lambda s: total(lax.map, s))
  np.testing.assert_allclose(found(0.5), expected(0.5), rtol=1e-5)


@pytest.mark.parametrize('size', [1, 6])
def test_it_can_be_vmapped(size):
  archs = _archs(size)
  run = lambda m: jax.jit(
    jax.vmap(lambda x: m(lambda arch: _score(arch, x)['total'], archs))
  )
  x = jnp.arange(5.0)
  np.testing.assert_allclose(
    run(batching.map_archs)(x), run(lax.map)(x), rtol=1e-6
  )


def test_it_can_be_nested():
  def inner(m):
    return lambda x: jnp.sum(m(lambda y: jnp.sin(x * y), jnp.arange(3.0)))

  x = jnp.arange(6.0)
  found = jax.jit(lambda x: batching.map_archs(inner(batching.map_archs), x))(x)
  np.testing.assert_allclose(found, lax.map(inner(lax.map), x), rtol=1e-6)


def test_the_second_call_does_not_compile_again():
  f = jax.jit(
    chex.assert_max_traces(lambda x: batching.map_archs(jnp.sin, x), n=1)
  )
  f(jnp.arange(6.0))
  f(jnp.arange(6.0) + 1)


def test_what_is_shared_may_come_from_another_map():
  """A loop whose state depends on all results, compiled once."""

  def update(state, archs):
    results = batching.map_archs(
      lambda arch, state: jnp.zeros_like(state) + state * arch,
      archs,
      shared=(state,),
    )
    return jnp.mean(results)

  update = jax.jit(chex.assert_max_traces(update, n=1))
  state = batching.place(jnp.float32(1.0), 8)
  assert len(state.sharding.device_set) == 4
  assert len(batching.place(state, 3).sharding.device_set) == 4  # left there
  for _ in range(3):
    state = update(state, jnp.arange(8.0))
  np.testing.assert_allclose(state, 3.5**3)


def test_values_stay_where_one_device_does_all():
  assert len(batching.place(jnp.ones(3), 2).sharding.device_set) == 1
  assert len(batching.place(jnp.ones(3), 8, 8).sharding.device_set) == 1


def test_leaves_of_different_lengths_are_refused():
  with pytest.raises(ValueError, match=r'got sizes \[2, 3\]'):
    batching.map_archs(lambda x: x, (jnp.zeros(2), jnp.zeros(3)))
  with pytest.raises(ValueError, match=r'got sizes \[0\]'):
    batching.map_archs(lambda x: x, jnp.zeros(0))


def test_devices_without_a_spare_thread_are_warned_of(monkeypatch):
  monkeypatch.setenv('PJRT_NPROC', '4')
  with pytest.warns(UserWarning, match='4 threads for 4 devices'):
    batching.map_archs(_score, _archs(8))


def test_threads_are_counted_as_xla_counts_them(monkeypatch):
  monkeypatch.delenv('PJRT_NPROC')
  monkeypatch.setenv('NPROC', '7')
  assert batching.num_threads() == 7
  monkeypatch.setenv('PJRT_NPROC', 'many')  # XLA passes over it
  assert batching.num_threads() == 7
  monkeypatch.delenv('NPROC')
  monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: {3, 5}, False)
  monkeypatch.setattr(os, 'cpu_count', lambda: 64)
  assert batching.num_threads() == 2


def _on_two_devices(*flags):
  root = pathlib.Path(__file__).parents[1]
  ran = subprocess.run(
    [sys.executable, root / 'tests' / 'two_devices.py', *flags],
    env=dict(os.environ, PYTHONPATH=str(root), PJRT_NPROC='2'),
    capture_output=True,
    text=True,
    check=False,
  )
  assert ran.returncode == 0, ran.stderr
  return ran.stdout


def test_equal_gradients_on_two_devices_are_equal():
  assert _on_two_devices() == 'different: 0\n'


@pytest.mark.slow
def test_the_spare_thread_is_still_needed():
  # Where this fails, `batching.num_threads` and all that asks it can go.
  assert _on_two_devices('--without_spare_thread') == 'different: 1\n'
