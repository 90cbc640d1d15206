"""Tests of the files of numbers."""

import json
import math

from absl.testing import absltest
import jax.numpy as jnp
import numpy as np

from nasjax.experiment import metrics
from tests.experiment import toys


class MetricsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.path = toys.folder(self).with_name('m.jsonl')

  def test_float32_values_come_back_exactly(self):
    values = np.random.RandomState(0).randn(50).astype(np.float32)
    metrics.append(self.path, [{'step': 1, 'x': jnp.asarray(values)}])
    found = metrics.read(self.path)[0]['x']
    np.testing.assert_array_equal(np.float32(found), values)

  def test_arrays_are_written_whole_or_not_at_all(self):
    class Broken:
      def __array__(self, *args, **kwargs):
        raise RuntimeError('killed')

    path = self.path.with_name('m.npz')
    metrics.write_arrays(path, {'a': np.arange(3)})
    with self.assertRaisesRegex(RuntimeError, 'killed'):
      metrics.write_arrays(path, {'a': np.arange(9), 'b': Broken()})
    with np.load(path) as file:
      np.testing.assert_array_equal(file['a'], np.arange(3))

  def test_lines_are_strict_json_even_when_not_finite(self):
    metrics.append(
      self.path,
      [{'step': 1, 'x': np.nan, 'y': np.float32(-np.inf), 'z': [np.inf, 1]}],
    )
    json.loads(self.path.read_text(), parse_constant=self.fail)
    row = metrics.read(self.path)[0]
    self.assertTrue(math.isnan(row['x']))
    self.assertEqual((row['y'], row['z']), (-math.inf, [math.inf, 1]))

  def test_truncate_drops_later_rows_and_a_line_that_was_cut(self):
    metrics.append(self.path, [{'step': i} for i in range(1, 6)])
    with open(self.path, 'a') as file:
      file.write('{"step": 6, "x"')
    self.assertLen(metrics.read(self.path), 5)
    metrics.truncate(self.path, 3)
    self.assertEqual([r['step'] for r in metrics.read(self.path)], [1, 2, 3])
    self.assertEqual(self.path.read_bytes().count(b'\n'), 3)

  def test_last_rows_and_columns(self):
    metrics.append(self.path, [{'step': i, 'x': [i, 2 * i]} for i in range(4)])
    self.assertEqual(metrics.read(self.path, last=1)[0]['step'], 3)
    steps, values = metrics.column(metrics.read(self.path), 'x')
    self.assertEqual(values.shape, (4, 2))
    self.assertEqual(steps.tolist(), [0, 1, 2, 3])

  def test_a_file_that_does_not_exist_has_no_rows(self):
    self.assertEqual(metrics.read(self.path), [])
    metrics.truncate(self.path, 3)


if __name__ == '__main__':
  absltest.main()


def test_times_add_up_the_seconds_of_every_phase_in_order_of_time(tmp_path):
  for phase, start in (('search', 10.0), ('evaluate', 20.0), ('later', None)):
    (tmp_path / phase).mkdir()
    rows = (
      []
      if start is None
      else [
        {'step': step, 'seconds': 0.5, 'time': start + step}
        for step in (2, 4, 6)
      ]
    )
    metrics.append(tmp_path / phase / 'timings.jsonl', rows)
  assert metrics.times(tmp_path) == [('search', 6, 1.5), ('evaluate', 6, 1.5)]
