"""Tests of the launchers: runs by command line, mistakes without noise."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys
from unittest import mock

from absl.testing import absltest, parameterized
import jax

from configs import random_search_nasbench201 as config_file
from nasjax import batching
from nasjax.experiment import launch, progress
from nasjax.spaces import nasbench201
from tests.experiment import toys

_ROOT = pathlib.Path(__file__).parents[2]


def _run(launcher, *flags):
  return subprocess.run(
    [sys.executable, '-m', f'experiments.{launcher}', *flags],
    cwd=_ROOT,
    env=dict(os.environ, JAX_PLATFORMS='cpu'),
    capture_output=True,
    text=True,
    check=False,
  )


class LaunchTest(parameterized.TestCase):
  def test_a_run_its_status_its_report_and_a_mistake(self):
    workdir = toys.folder(self)
    flags = (
      '--config=configs/random_search_nasbench201.py:quick',
      f'--workdir={workdir}',
      '--config.num_steps=5',
      f'--cache_dir={workdir.parent / "cache"}',
    )
    ran = _run('search', *flags)
    self.assertEqual(ran.returncode, 0, ran.stderr)
    self.assertIn('found - random', ran.stdout)
    self.assertLess(ran.stderr.count('\n'), 5, ran.stderr)
    wrong = _run('search', *flags, '--config.seed=1')
    self.assertEqual(wrong.returncode, 1)
    self.assertIn('seed: 0 there, 1 here', wrong.stderr)
    self.assertNotIn('Traceback', wrong.stderr)
    status = _run('search', f'--workdir={workdir}', '--status')
    self.assertRegex(status.stdout, '(?s)finished.*search  5/5')

  @parameterized.parameters(
    ('', '--config.sed=1', "key 'sed'. Did you mean 'seed'"),
    ('', '--config.search.samples=1', "argument .*'samples'.*num_samples"),
    ('', '--config.serch.samples=1', "Unknown config key 'serch'"),
    ('', '--config.log_every=often', "log_every must be int, got 'often'"),
    ('x', '--config.seed=1', 'No such file or directory'),
  )
  def test_a_mistake_on_the_command_line_is_one_line(self, file, flag, message):
    workdir = toys.folder(self)
    wrong = _run(
      'search',
      f'--config=configs/{file}random_search_nasbench201.py:quick',
      f'--workdir={workdir}',
      flag,
    )
    self.assertEqual(wrong.returncode, 1)
    self.assertRegex(wrong.stderr, message)
    self.assertEqual(wrong.stderr.count('\n'), 1, wrong.stderr)
    self.assertFalse(workdir.exists())

  @parameterized.parameters(
    ('search', 'Runs the job', ('workdir', 'config', 'status', 'sweep_index')),
    ('train', 'Trains architectures', ('workdir', 'config', 'spec')),
  )
  def test_help_shows_the_head_and_all_flags(self, launcher, head, flags):
    shown = _run(launcher, '--help').stdout
    self.assertStartsWith(shown, head)
    for flag in (*flags, 'cache_dir'):
      self.assertRegex(shown, rf'(?m)^  --(\[no\])?{flag}: ')
    self.assertEqual('status: ' in shown, 'status' in flags)

  def test_a_point_of_the_sweep_changes_the_config(self):
    config = config_file.get_config('quick')
    launch.apply_sweep(config, config_file.sweep(), 3)
    self.assertEqual(config.num_steps, 300)
    with self.assertRaisesRegex(ValueError, 'has 5 points, 0 to 4'):
      launch.apply_sweep(config, config_file.sweep(), 5)
    with self.assertRaisesRegex(ValueError, "Did you mean 'num_samples'"):
      launch.override(config, 'search.num_sample', 2)

  def test_devices_are_as_many_as_cores_unless_the_user_says(self):
    with mock.patch.dict(os.environ, {'XLA_FLAGS': '--other'}):
      launch.set_up_jax('')
      self.assertRegex(
        os.environ['XLA_FLAGS'], f'--other .*count={batching.num_cores()}$'
      )
    flags = '--xla_force_host_platform_device_count=3'
    with mock.patch.dict(os.environ, {'XLA_FLAGS': flags, 'PJRT_NPROC': '2'}):
      launch.set_up_jax('')
      self.assertEqual(os.environ['XLA_FLAGS'], flags)
      self.assertEqual(os.environ['PJRT_NPROC'], '4')
    with mock.patch.dict(os.environ, {'XLA_FLAGS': flags, 'PJRT_NPROC': '9'}):
      launch.set_up_jax('')
      self.assertEqual(os.environ['PJRT_NPROC'], '9')

  def test_a_mistake_ends_with_a_message_a_bug_with_its_traceback(self):
    stream = io.StringIO()
    with contextlib.redirect_stderr(stream), self.assertRaises(SystemExit) as e:
      with launch.clear_errors():
        raise ValueError('no such thing')
    self.assertEqual(e.exception.code, 1)
    self.assertEqual(stream.getvalue(), 'Error: no such thing\n')
    with self.assertRaises(TypeError):
      with launch.clear_errors():
        raise TypeError('a bug')

  def test_progress_is_quiet_outside_of_a_terminal(self):
    stream = io.StringIO()
    show = progress.reporter('search', 100, stream)
    for step in range(1, 101):
      show(step, 10.0, {'step': step})
    self.assertEqual(stream.getvalue().count('\n'), 1)
    terminal = mock.Mock(wraps=io.StringIO(), isatty=lambda: True)
    show = progress.reporter('search', 100, terminal)
    show(50, 10.0, {'step': 50})
    self.assertEqual(terminal.write.call_args.args[0][0], '\r')

  def test_the_planted_score_has_the_optimum_that_it_says(self):
    self.assertIsNotNone(config_file.get_config())
    with self.assertRaisesRegex(ValueError, 'Known: quick'):
      config_file.get_config('quik')
    space = nasbench201.nasbench201()
    scores = jax.vmap(lambda i: config_file.planted(None, space.index(i)))(
      jax.numpy.arange(space.size)
    )
    self.assertAlmostEqual(float(scores.max()), 100.0, places=3)
    self.assertEqual(
      space.index(scores.argmax())['op'].tolist(), [3, 3, 3, 1, 3, 3]
    )


if __name__ == '__main__':
  absltest.main()
