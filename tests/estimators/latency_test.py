"""Tests of measured latency, on a clock that is not real."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import archive
from nasjax.estimators import latency, latency_predictor, ridge
from nasjax.spaces import categorical
from tests.estimators import tiny


class _Machine:
  """A clock that programs advance; it slows down over time and is noisy."""

  def __init__(self, drift=0.0, noise=0.0):
    self.now = 0.0
    self.drift, self.noise = drift, noise
    self.log = []
    self.generator = np.random.default_rng(0)

  def clock(self):
    return self.now

  def program(self, name, seconds):
    def run():
      self.log.append(name)
      factor = 1 + self.drift * self.now
      factor *= np.exp(self.noise * self.generator.normal())
      self.now += seconds * factor

    return run


def _measure(machine, seconds, **kwargs):
  runs = [machine.program(i, s) for i, s in enumerate(seconds)]
  anchor = machine.program('anchor', 1e-3)
  return latency.measure(runs, anchor, clock=machine.clock, **kwargs)


def test_drift_is_divided_out():
  seconds = np.array([1e-3, 2e-3, 5e-4, 4e-3])
  machine = _Machine(drift=1.0)  # twice as slow after a second
  timings = _measure(machine, seconds, num_rounds=40)
  assert machine.now > 0.5
  np.testing.assert_allclose(timings.ratio, seconds / 1e-3, rtol=0.01)
  # Without the anchor, what is timed late would seem slow.
  assert timings.anchor > 1.2e-3
  assert timings.noise.max() < 0.01


def test_an_anchor_stands_before_and_after_each_and_orders_differ():
  machine = _Machine()
  _measure(
    machine, [1.0, 1.0, 1.0], num_rounds=5, num_warmups=2, min_seconds=1e-3
  )
  warm, rounds = machine.log[:8], machine.log[8:]
  assert warm == [0, 0, 1, 1, 2, 2, 'anchor', 'anchor']
  rounds = [rounds[i : i + 7] for i in range(0, len(rounds), 7)]
  assert len(rounds) == 5
  for done in rounds:
    assert done[::2] == ['anchor'] * 4
    assert sorted(done[1::2]) == [0, 1, 2]
  assert len({tuple(done[1::2]) for done in rounds}) > 1


def test_short_programs_are_called_until_the_clock_can_tell():
  machine = _Machine()
  timings = _measure(
    machine, [1e-5], num_rounds=2, num_warmups=1, min_seconds=2e-3
  )
  assert machine.log.count(0) == 1 + 2 * 200
  assert machine.log.count('anchor') == 1 + 2 * 2 * 2
  np.testing.assert_allclose(timings.ratio, 0.01, rtol=1e-6)


def test_a_single_slow_round_changes_nothing():
  machine = _Machine()
  calls = itertools.count()

  def sometimes():
    machine.now += 1.0 if next(calls) == 4 else 2e-3

  anchor = machine.program('anchor', 1e-3)
  timings = latency.measure([sometimes], anchor, clock=machine.clock)
  np.testing.assert_allclose(timings.ratio, 2, rtol=1e-6)


def test_noise_is_the_error_of_the_ratios():
  machine = _Machine(noise=0.1)
  truth = np.full(200, 2e-3)
  timings = _measure(machine, truth, num_rounds=20)
  error = np.abs(timings.ratio / 2 - 1)
  assert 0.7 < timings.noise.mean() / error.mean() < 1.4


def test_too_few_rounds_are_refused():
  with pytest.raises(ValueError, match='num_rounds=1'):
    _measure(_Machine(), [1.0], num_rounds=1)
  with pytest.raises(ValueError, match='0 programs'):
    _measure(_Machine(), [])


@pytest.mark.parametrize('track', [False, True])
def test_the_switched_program_tells_architectures_apart_and_children_run(track):
  network = tiny.Network(track=track)
  x = tiny.images(jax.random.key(0), 4)['image']
  archs = [tiny.SPACE.index(i) for i in (5, 14)]
  child = latency.children(network, x, train=not track)
  switched = latency.switched(network, x, archs[0], train=not track)
  results = []
  for arch in archs:
    logits = switched(arch)()
    assert logits.shape == (4, 2) and np.isfinite(logits).all()
    results.append(logits)
  assert not np.allclose(*results)
  # Weights are drawn in one order; a child lacks those of other operations.
  assert child(archs[0])().shape == (4, 2)


def test_variants_are_one_decision_apart_and_fit_the_table():
  space = categorical.categorical({'a': (2, 3), 'b': (1, 2)}).restrict(
    {'a': np.array([[1, 1, 1], [1, 0, 1]], bool), 'b': np.ones((1, 2), bool)}
  )
  base = space.index(3)
  archs = latency.variants(space.mask, base)
  assert len(archs) == 1 + 2 + 1 + 1
  codes = np.stack([space.encode(arch) for arch in archs])
  assert len(np.unique(codes, axis=0)) == len(archs)
  np.testing.assert_array_equal(
    np.abs(codes[1:] - codes[0]).sum(-1), 2 * np.ones(4)
  )
  weights = np.random.default_rng(0).uniform(1, 2, codes.shape[1])
  told = archive.Archive(
    jax.tree.map(lambda *leaves: jnp.stack(leaves), *archs),
    jnp.float32(codes @ weights),
    jnp.int32(len(archs)),
  )
  table = latency_predictor.fit(ridge.ridge(space.encode, base, 1e-5), told)
  for i in range(space.size):
    arch = space.index(i)
    np.testing.assert_allclose(
      table(arch), space.encode(arch) @ weights, rtol=1e-4
    )


def test_errors_are_those_of_a_loop():
  measured = np.array([1.0, 2.0, 4.0, 5.0])
  predicted = np.array([1.1, 1.8, 5.0, 4.5])
  found = latency.errors(predicted, measured)
  relative = [abs(p - m) / m for p, m in zip(predicted, measured)]
  assert found['mape'] == pytest.approx(sum(relative) / 4)
  assert found['median_ape'] == pytest.approx(0.1)
  square = sum((p - m) ** 2 for p, m in zip(predicted, measured)) / 4
  assert found['rmse'] == pytest.approx(square**0.5)
  assert found['r2'] == pytest.approx(1 - square / np.var(measured))
  assert found['kendall'] == pytest.approx((5 - 1) / 6)
  assert found['spearman'] == pytest.approx(0.8)
