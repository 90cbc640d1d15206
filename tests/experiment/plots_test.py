"""Tests of what the plots show."""

import numpy as np

from nasjax.experiment import plots


def test_panels_show_the_mean_and_one_deviation_in_one_colour_a_name():
  x = np.arange(3)
  loss = np.array([[1.0, 3.0], [2.0, 2.0], [0.0, 4.0]])
  drawing = plots.panels(
    {'loss': {'a': (x, loss), 'b': (x, loss + 1)}, 'rate': {'b': (x, loss)}},
    'epoch',
  )
  above, below = drawing.axes
  line, other = above.lines
  np.testing.assert_array_equal(line.get_ydata(), [2.0, 2.0, 2.0])
  band = above.collections[0].get_paths()[0].vertices
  assert (band[:, 1].min(), band[:, 1].max()) == (0.0, 4.0)
  assert other.get_color() == below.lines[0].get_color() != line.get_color()
  assert (above.get_ylabel(), below.get_ylabel()) == ('loss', 'rate')
  assert plots.png(drawing).startswith(b'\x89PNG')
