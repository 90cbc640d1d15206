"""Tests for the tensors of ReNAS: against numbers that others published."""

import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench101_cells, nasbench201, tensors

_ROWS = '0100110 0010000 0001001 0000010 0000010 0000001 0000000'


def test_the_tensor_of_a_nasbench101_cell_has_its_vertices_in_columns():
  # Costs of the first cell of the first stage, as the nar repository has them.
  adjacency = np.array([[int(x) for x in row] for row in _ROWS.split()])
  flops = [0, 92274688, 589824, 75497472, 92274688, 25296896, 0]
  params = [0, 45312, 0, 36992, 45312, 12544, 0]
  edge = [adjacency[i, j] for i, j in nasbench101_cells.EDGES]
  arch = {'edge': jnp.array(edge), 'op': jnp.array([0, 2, 0, 0, 1])}
  tensor = tensors.nasbench101(arch, distinct=False)
  assert tensor.shape == (7, 7, 19)
  columns = [[1, 3, 4, 3, 3, 2, 5], np.log1p(flops), np.log1p(params)]
  for i in range(7):
    for j in range(7):
      expected = [adjacency[i, j] * column[j] for column in columns]
      np.testing.assert_allclose(tensor[i, j, :3], expected, rtol=1e-6)
  # Cells that are alike have channels that are.
  for first, second in [(1, 3), (1, 5), (9, 11), (15, 17)]:
    np.testing.assert_array_equal(
      tensor[..., first : first + 2], tensor[..., second : second + 2]
    )
  kept = [0, 1, 2, 7, 8, 9, 10, 13, 14, 15, 16]
  np.testing.assert_array_equal(tensors.nasbench101(arch), tensor[..., kept])


def test_the_tensor_of_a_nasbench201_cell_has_the_cost_of_every_edge():
  arch = nasbench201.from_string(
    '|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+'
    '|nor_conv_3x3~0|none~1|skip_connect~2|'
  )
  tensor = np.asarray(tensors.nasbench201(arch, distinct=False))
  assert tensor.shape == (4, 4, 31)
  assert np.count_nonzero(tensor[..., 0]) == 5
  assert tensor[0, 1, 0] == 4 and tensor[0, 3, 0] == 3
  # 16 channels and 32x32 pixels in cells 0 to 4: 294,912 for the 1x1 one.
  macs = np.expm1(tensor[0, 2, 1::2])
  np.testing.assert_allclose(macs[:5], 294_912, rtol=1e-5)
  params = np.expm1(tensor[0, 3, 2::2])
  np.testing.assert_allclose(params[:5], 9 * 16 * 16 + 32, rtol=1e-5)
  assert not np.any(tensor[1, 3]) and not np.any(tensor[0, 1, 1:])


def test_distinct_channels_are_the_others_without_their_copies():
  arch = {'op': jnp.array([2, 3, 3, 1, 0, 4])}
  few = tensors.nasbench201(arch)
  assert few.shape == (4, 4, 7)
  every = tensors.nasbench201(arch, distinct=False)
  first = np.array([0, 1, 2, 11, 12, 21, 22])  # of each stage
  np.testing.assert_array_equal(every[..., first], few)


def test_costs_of_edges_are_those_of_the_space():
  arch = {'op': jnp.array([2, 3, 3, 1, 0, 4])}
  params = np.expm1(np.asarray(tensors.nasbench201(arch, False))[..., 2::2])
  other = nasbench201.num_params({'op': jnp.array([1, 1, 1, 1, 0, 4])})
  np.testing.assert_allclose(
    params.sum(), nasbench201.num_params(arch) - other, rtol=1e-5
  )
