"""Tests for what networks of NAS-Bench-101 cost."""

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.data import nasbench101 as data
from nasjax.spaces import nasbench101_classes, nasbench101_costs
from tests.spaces import nasbench101_oracles as oracles


def _cells(num):
  """Returns cells of the space, the first of them the smallest."""
  cells = nasbench101_classes.all_cells()
  rows = np.random.default_rng(0).integers(423_624, size=num - 1)
  return jax.tree.map(lambda leaf: leaf[np.array([0, *rows])], cells)


class CostsTest(chex.TestCase):
  def test_the_golden_cell_has_its_published_costs(self):
    arch = oracles.golden()
    costs = jax.jit(nasbench101_costs.vertex_costs)(arch)
    np.testing.assert_array_equal(
      costs.flops[0], [0, 92274688, 589824, 75497472, 92274688, 25296896, 0]
    )
    np.testing.assert_array_equal(
      costs.params[0], [0, 45312, 0, 36992, 45312, 12544, 0]
    )
    # Stem, two pools, mean and classifier; exact where an int32 is too small.
    rest = 7_077_888 + 131_072 + 65_536 + 32_768 + 10_240 + 10
    total = np.asarray(costs.flops, np.int64).sum() + rest
    self.assertEqual(total, 2_527_684_618)
    self.assertEqual(int(nasbench101_costs.num_params(arch)), 8_555_530)
    flops = jax.jit(nasbench101_costs.flops)(arch)
    np.testing.assert_allclose(flops, 2_527_684_618, rtol=1e-6)

  def test_costs_are_those_of_a_slow_count(self):
    cells = _cells(60)
    costs = jax.jit(jax.vmap(nasbench101_costs.vertex_costs))(cells)
    costs = jax.tree.map(np.asarray, costs)
    params = jax.jit(jax.vmap(nasbench101_costs.num_params))(cells)
    flops = jax.jit(jax.vmap(nasbench101_costs.flops))(cells)
    for i in range(60):
      matrix, ops = oracles.prune(oracles.at(cells, i))
      all_flops, all_params = 7_317_514, 8_842
      for j, shape in enumerate(nasbench101_costs.CELL_SHAPES):
        c_in, channels, side = shape
        expected = oracles.costs(matrix, ops, *shape)
        size = len(matrix) - 1  # the vertices before the output
        for actual, values in zip(costs, expected):
          np.testing.assert_array_equal(actual[i, j, :size], values[:size])
          np.testing.assert_array_equal(actual[i, j, size:], 0)
        all_flops += sum(expected[0])
        all_params += sum(expected[1])
        if matrix[0, -1]:
          all_params += (c_in + 2) * channels
          is_added = matrix[1:, -1].any()
          all_flops += (2 * c_in + is_added) * channels * side**2
      self.assertEqual(int(params[i]), all_params)
      np.testing.assert_allclose(flops[i], all_flops, rtol=1e-6)

  def test_spare_channels_go_to_the_first_vertices(self):
    matrix = np.zeros((7, 7), int)
    matrix[0, 1:6] = matrix[2:5, 6] = matrix[1, 3] = matrix[5, 6] = 1
    matrix[5, 6] = 0
    arch = oracles.arch_of(matrix, [0] * 5)
    widths = nasbench101_costs.vertex_widths(arch, jnp.int32(128))
    # 128 = 43 + 43 + 42 on vertices 2 to 4; vertex 1 is as wide as 3, and 5
    # leads nowhere.
    np.testing.assert_array_equal(widths, [0, 43, 43, 43, 42, 0, 128])


@pytest.mark.data
def test_weights_are_those_of_the_table(data_dir):
  table = data.load_nasbench101(data_dir)
  archs = jax.tree.map(jnp.asarray, table.archs)
  params = jax.jit(jax.vmap(nasbench101_costs.num_params))(archs)
  equal = np.asarray(params) == table.columns['trainable_parameters']
  # By the number of interior vertices that feed the output.
  feeding = table.archs['edge'][:, 16:].sum(1)
  assert equal[feeding != 3].all()
  # Where 3 vertices share 128 channels the order of vertices matters, and that
  # of the benchmark is not known.
  assert 0.9 < equal[feeding == 3].mean() < 1
  assert equal.mean() >= 0.98


if __name__ == '__main__':
  absltest.main()
