"""Tests of the file of measured latencies."""

import jax
import numpy as np
import pytest

from nasjax.experiment import latencies, metrics
from nasjax.spaces import categorical

SPACE = categorical.categorical({'op': (3, 4)})
WHERE = {'name': 'tiny', 'form': 'child'}


class _Machine:
  """Compiles programs that take what their architecture says."""

  def __init__(self):
    self.now = 0.0
    self.compiled = []

  def compile_one(self, arch):
    self.compiled.append(tuple(np.asarray(arch['op']).tolist()))
    seconds = 1e-3 * (1 + sum(self.compiled[-1]))

    def run():
      self.now += seconds

    return run

  def measure(self, path, archs, where=WHERE, **kwargs):
    return latencies.measure(
      path,
      where,
      archs,
      self.compile_one,
      SPACE.index(0),
      clock=lambda: self.now,
      num_rounds=2,
      num_warmups=1,
      report=lambda *_: None,
      **kwargs,
    )


def _archs(*numbers):
  return [jax.device_get(SPACE.index(i)) for i in numbers]


def test_what_is_in_the_file_is_not_measured_again(tmp_path):
  path, machine = tmp_path / 'new' / 'cpu.jsonl', _Machine()
  found = machine.measure(path, _archs(5, 9, 5))
  assert machine.compiled == [(0, 0, 0), (0, 1, 1), (0, 2, 1)]
  np.testing.assert_allclose(found.milliseconds, [3, 4, 3], rtol=1e-6)
  np.testing.assert_allclose(found.noise, 0, atol=1e-12)
  again = _Machine()
  found = again.measure(path, _archs(9, 5, 63))
  assert again.compiled == [(0, 0, 0), (3, 3, 3)]
  np.testing.assert_allclose(found.milliseconds, [4, 3, 10], rtol=1e-6)
  idle = _Machine()
  idle.measure(path, _archs(9, 63))
  assert idle.compiled == [] and idle.now == 0


def test_blocks_are_written_as_they_are_done(tmp_path):
  path, machine = tmp_path / 'cpu.jsonl', _Machine()
  rows = []

  def report(done, speed, row):
    assert speed > 0 and 'noise' in row
    rows.append((done, len(metrics.read(path))))

  latencies.measure(
    path,
    WHERE,
    _archs(1, 2, 3, 4, 5),
    machine.compile_one,
    SPACE.index(0),
    block_size=2,
    clock=lambda: machine.now,
    report=report,
  )
  assert rows == [(2, 2), (4, 4), (5, 5)]
  # A line that was cut is as if it had not been measured.
  path.write_bytes(path.read_bytes()[:-10])
  again = _Machine()
  again.measure(path, _archs(1, 2, 3, 4, 5))
  assert len(again.compiled) == 2


def test_another_setting_is_measured_anew(tmp_path):
  path, machine = tmp_path / 'cpu.jsonl', _Machine()
  machine.measure(path, _archs(1))
  machine.measure(path, _archs(1), WHERE | {'jax': 'other'})
  assert len(machine.compiled) == 4
  assert len(metrics.read(path)) == 2


def test_no_more_is_compiled_than_is_allowed(tmp_path):
  path, machine = tmp_path / 'cpu.jsonl', _Machine()
  with pytest.raises(ValueError, match='3 architectures .* at most 2'):
    machine.measure(path, _archs(1, 2, 3), max_compiles=2)
  assert machine.compiled == []
  machine.measure(path, _archs(1, 2), max_compiles=2)
  machine.measure(path, _archs(1, 2, 3), max_compiles=1)


def test_a_column_has_gaps_where_nothing_was_measured(tmp_path):
  path, machine = tmp_path / 'cpu.jsonl', _Machine()
  index_of = categorical.numbering(SPACE.mask)
  with pytest.raises(ValueError, match='no latencies'):
    latencies.column(path, WHERE, index_of, SPACE.size)
  machine.measure(path, _archs(5, 63))
  values = latencies.column(path, WHERE, index_of, SPACE.size)
  assert values.shape == (64,)
  np.testing.assert_array_equal(np.flatnonzero(np.isfinite(values)), [5, 63])
  np.testing.assert_allclose(values[[5, 63]], [3, 10], rtol=1e-6)


def test_the_setting_of_a_file_is_found_where_there_is_one(tmp_path):
  path, machine = tmp_path / 'cpu.jsonl', _Machine()
  machine.measure(path, _archs(1), WHERE | {'cores': 1})
  assert latencies.known_setting(path, 'tiny', 'child')['cores'] == 1
  with pytest.raises(ValueError, match="'tiny' as 'switched' in 0 settings"):
    latencies.known_setting(path, 'tiny', 'switched')
  machine.measure(path, _archs(1), WHERE | {'cores': 2})
  with pytest.raises(ValueError, match='in 2 settings'):
    latencies.known_setting(path, 'tiny', 'child')


def test_what_is_no_latency_is_refused(tmp_path):
  path = tmp_path / 'cpu.jsonl'
  metrics.append(path, [{'setting': WHERE, 'arch': {'op': [0]}, 'ratio': -1}])
  with pytest.raises(ValueError, match='no latency'):
    latencies.read(path, WHERE)


def test_a_setting_says_what_was_compiled_where():
  x = jax.numpy.zeros((2, 8, 8, 1))
  found = latencies.setting('net', 'child', x, {'op': np.array([1, 2])})
  assert found['input'] == 'float32[2, 8, 8, 1]'
  assert found['anchor'] == {'op': [1, 2]}
  assert found['jax'] == jax.__version__
  assert found['name'] == 'net' and found['form'] == 'child'
  assert found['backend'] == jax.default_backend()
