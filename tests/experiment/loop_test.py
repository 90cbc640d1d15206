"""Tests of the loop: the same files and state however often it was stopped."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings

from absl.testing import absltest
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import batching, types
from nasjax.experiment import checkpoint, loop, metrics
from nasjax.searches import run as runs
from tests.experiment import toys

_FILES = ('metrics.jsonl', 'snapshots.jsonl')


def _plain(state):
  return {
    k: np.asarray(jax.random.key_data(v) if k == 'key' else v)
    for k, v in state.items()
  }


class LoopTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    directory = tempfile.TemporaryDirectory()
    cls.addClassCleanup(directory.cleanup)
    cls.whole = pathlib.Path(directory.name)
    cls.state = toys.run(cls.whole)

  def setUp(self):
    super().setUp()
    self.folder = toys.folder(self)

  def assert_same_run(self, state):
    for name in _FILES:
      self.assertEqual(
        (self.folder / name).read_bytes(),
        (self.whole / name).read_bytes(),
        name,
      )
    jax.tree.map(
      np.testing.assert_array_equal, _plain(state), _plain(self.state)
    )

  def test_files_hold_every_step_and_no_clock(self):
    rows = metrics.read(self.whole / 'metrics.jsonl')
    self.assertEqual([row['step'] for row in rows], list(range(1, 61)))
    self.assertEqual(set(rows[0]), {'step', 'loss', 'x'})
    snapshots = metrics.read(self.whole / 'snapshots.jsonl')
    self.assertEqual([row['step'] for row in snapshots], list(range(0, 61, 5)))
    steps = sorted(int(p.name) for p in (self.whole / 'checkpoints').iterdir())
    self.assertEqual(steps, [49, 56, 60])

  def test_a_run_without_data_is_the_run_of_searches(self):
    state = loop.loop(
      jax.random.key(3),
      toys.walk(),
      None,
      9,
      self.folder,
      report=lambda *_: None,
    )
    expected, stacked = jax.jit(
      lambda key: runs.run(key, toys.walk(), None, 9)
    )(jax.random.key(3))
    np.testing.assert_allclose(state['x'], expected['x'], rtol=1e-6)
    rows = metrics.read(self.folder / 'metrics.jsonl')
    _, loss = metrics.column(rows, 'loss')
    np.testing.assert_allclose(loss, stacked['loss'], rtol=1e-6)

  def test_resume_after_an_exception_is_bit_exact(self):
    calls = []

    def fail_late(*_):
      calls.append(_)
      if calls[-1][0] >= 30:
        raise KeyboardInterrupt

    with self.assertRaises(KeyboardInterrupt):
      loop.loop(
        jax.random.key(0),
        toys.walk(),
        toys.batches,
        60,
        self.folder,
        loop.Options(checkpoint_every=7, eval_every=5),
        snapshot=lambda state: {'x': state['x']},
        report=fail_late,
      )
    self.assertGreaterEqual(
      metrics.read(self.folder / 'metrics.jsonl')[-1]['step'], 30
    )
    self.assert_same_run(toys.run(self.folder))

  def test_resume_after_kill_9_is_bit_exact(self):
    with subprocess.Popen(
      [sys.executable, '-m', 'tests.experiment.toys', str(self.folder)],
      env=dict(os.environ, JAX_PLATFORMS='cpu'),
      cwd=pathlib.Path(__file__).parents[2],
    ) as process:
      deadline = time.monotonic() + 60
      # Between the first checkpoint and the end, wherever that is.
      while not list(self.folder.glob('checkpoints/7*')):
        self.assertIsNone(process.poll())
        self.assertLess(time.monotonic(), deadline)
        time.sleep(0.005)
      time.sleep(np.random.RandomState(os.getpid()).uniform(0, 0.3))
      process.send_signal(signal.SIGKILL)
    self.assert_same_run(toys.run(self.folder))

  def test_a_finished_run_is_left_alone(self):
    shutil.copytree(self.whole, self.folder, dirs_exist_ok=True)
    before = (self.folder / 'timings.jsonl').read_bytes()
    self.assert_same_run(toys.run(self.folder))
    self.assertEqual((self.folder / 'timings.jsonl').read_bytes(), before)

  def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(self):
    shutil.copytree(self.whole, self.folder, dirs_exist_ok=True)
    for path in (self.folder / 'checkpoints' / '60').rglob('*'):
      if path.is_file():
        path.write_bytes(b'\x00' * 7)
    with warnings.catch_warnings(record=True) as caught:
      warnings.simplefilter('always')
      state = toys.run(self.folder)
    self.assertRegex(
      ' '.join(str(w.message) for w in caught),
      'step 60 is damaged.*continuing from step 56',
    )
    self.assert_same_run(state)

  def test_no_readable_checkpoint_is_an_error_that_names_the_folder(self):
    shutil.copytree(self.whole, self.folder, dirs_exist_ok=True)
    for path in (self.folder / 'checkpoints').rglob('*'):
      if path.is_file() and path.parent.name != 'checkpoints':
        path.write_bytes(b'')
    with self.assertRaisesRegex(
      checkpoint.CheckpointError, r'checkpoints can be read.*60.*Delete'
    ):
      toys.run(self.folder)

  def test_the_state_of_another_search_is_refused(self):
    shutil.copytree(self.whole, self.folder, dirs_exist_ok=True)
    with self.assertRaisesRegex(checkpoint.StructureError, r'x.*\[3\].*\[4\]'):
      loop.loop(jax.random.key(0), toys.walk(size=4), None, 60, self.folder)

  def test_a_loss_that_is_nan_stops_and_names_step_and_checkpoint(self):
    with self.assertRaisesRegex(
      loop.Diverged, 'loss is nan at step 17; the last checkpoint is of step 14'
    ):
      toys.run(self.folder, nan_at=17)
    self.assertEqual(
      metrics.read(self.folder / 'metrics.jsonl')[16]['step'], 17
    )

  def test_one_diverged_member_of_a_population_does_not_stop_it(self):
    search = toys.walk()

    def update(key, state, batch):
      state, _ = search.update(key, state, batch)
      return state, {'loss': jax.numpy.array([jax.numpy.nan, 1.0])}

    loop.loop(
      jax.random.key(0),
      search._replace(update=update),
      None,
      3,
      self.folder,
      report=lambda *_: None,
    )
    self.assertLen(metrics.read(self.folder / 'metrics.jsonl'), 3)

  def test_a_resumed_run_on_several_devices_is_traced_once(self):
    """Its state lies where that of an uninterrupted run does."""
    traces = []

    def init(key):
      return batching.map_archs(jax.random.uniform, jax.random.split(key, 8))

    def update(key, state, batch):
      del key, batch
      traces.append(1)
      half = lambda x, everything: x / 2 + jnp.zeros_like(everything).sum()
      state = batching.map_archs(half, state, shared=(state,))
      return state, {'x': jnp.mean(state)}

    def go(num_steps):
      search = types.Search(init, update, None)
      options = loop.Options(checkpoint_every=2)
      key = jax.random.key(0)
      return loop.loop(key, search, None, num_steps, self.folder, options)

    self.assertLen(go(2).sharding.device_set, 4)
    state = go(6)
    self.assertLen(state.sharding.device_set, 4)
    self.assertLen(traces, 2)
    shutil.rmtree(self.folder)
    np.testing.assert_array_equal(go(6), state)

  def test_the_update_is_traced_once(self):
    search, traces = toys.walk(), []

    def update(key, state, batch):
      traces.append(1)
      return search.update(key, state, batch)

    loop.loop(
      jax.random.key(0),
      search._replace(update=update),
      None,
      20,
      self.folder,
      loop.Options(log_every=10),
      report=lambda *_: None,
    )
    self.assertLen(traces, 1)
    self.assertEqual(
      [r['step'] for r in metrics.read(self.folder / 'metrics.jsonl')], [10, 20]
    )


if __name__ == '__main__':
  absltest.main()
