"""Tests for the NAS-Bench-201 space."""

import itertools
import os
import pathlib

from absl.testing import absltest
import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.spaces import nasbench201

_STRING = (
  '|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|'
  '+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|'
)


def _all_cells():
  return [{'op': ops} for ops in itertools.product(range(5), repeat=6)]


class Nasbench201Test(chex.TestCase):
  def test_index_and_cell_index_are_inverse_over_all_cells(self):
    space = nasbench201.nasbench201()
    self.assertEqual(space.size, 15_625)
    archs = jax.vmap(space.index)(jnp.arange(15_625))
    np.testing.assert_array_equal(
      archs['op'], [cell['op'] for cell in _all_cells()]
    )
    np.testing.assert_array_equal(
      jax.vmap(nasbench201.cell_index)(archs), np.arange(15_625)
    )

  def test_strings_round_trip(self):
    arch = nasbench201.from_string(_STRING)
    np.testing.assert_array_equal(arch['op'], [4, 2, 1, 2, 1, 1])
    self.assertEqual(nasbench201.to_string(arch), _STRING)
    for cell in _all_cells()[::977]:
      again = nasbench201.from_string(nasbench201.to_string(cell))
      self.assertEqual(choice.static(again), cell)

  def test_strings_of_other_forms_are_value_errors(self):
    with self.assertRaisesRegex(
      ValueError, "Unknown operation 'conv7'. Known: none, skip_connect"
    ):
      nasbench201.from_string(_STRING.replace('avg_pool_3x3', 'conv7'))
    for string in (
      '',
      _STRING[1:],
      _STRING + '+',
      _STRING.replace('~2', '~1'),
      _STRING.rsplit('+', 1)[0],
      _STRING.replace('+', ''),
    ):
      with self.assertRaisesRegex(ValueError, 'A cell is written'):
        nasbench201.from_string(string)

  def test_classes_of_isomorphic_cells_are_12751_and_6466(self):
    cells = _all_cells()
    self.assertLen(
      {nasbench201.canonical(cell, zeros=False) for cell in cells}, 12_751
    )
    self.assertLen({nasbench201.canonical(cell) for cell in cells}, 6_466)

  def test_canonical_of_a_hand_made_cell(self):
    arch = nasbench201.from_string(
      '|none~0|+|nor_conv_1x1~0|nor_conv_3x3~1|'
      '+|skip_connect~0|skip_connect~1|avg_pool_3x3~2|'
    )
    self.assertEqual(
      nasbench201.canonical(arch), '#+(#+(0)@nor_conv_1x1)@avg_pool_3x3+0'
    )

  def test_costs_of_the_extreme_cells(self):
    none = {'op': (0,) * 6}
    conv = {'op': jnp.full(6, 3)}
    self.assertEqual(int(nasbench201.num_params(none)), 73_306)
    self.assertEqual(int(nasbench201.macs(none)), 7_783_040)
    self.assertEqual(int(nasbench201.num_params(conv)), 1_531_546)
    self.assertEqual(int(nasbench201.macs(conv)), 220_119_680)
    self.assertEqual(int(nasbench201.num_params(none, 100)), 73_306 + 5_850)
    self.assertEqual(int(nasbench201.num_params(none, 120)), 73_306 + 7_150)

  def test_costs_are_the_same_in_all_forms(self):
    space = nasbench201.nasbench201()
    arch = space.index(8_642)
    forms = (choice.static(arch), arch, choice.one_hot(arch, space.mask))
    for cost in (nasbench201.num_params, nasbench201.macs):
      values = [float(cost(form, channels=4, cells=1)) for form in forms]
      np.testing.assert_allclose(values, values[0], rtol=1e-6)

  def test_relaxed_cost_is_expected_with_per_operation_gradients(self):
    uniform = {'op': jnp.full((6, 5), 0.2)}
    expected = 73_306 + 6 * (28_000 + 243_040) / 5
    np.testing.assert_allclose(
      nasbench201.num_params(uniform), expected, rtol=1e-6
    )
    gradient = jax.jit(jax.grad(nasbench201.macs))(uniform)
    np.testing.assert_allclose(
      gradient['op'], np.tile([0, 0, 3_932_160, 35_389_440, 0], (6, 1))
    )

  def test_a_mask_restricts_the_space(self):
    mask = {'op': np.ones((6, 5), bool)}
    mask['op'][0] = [False, False, False, True, False]
    space = nasbench201.nasbench201(mask)
    self.assertEqual(space.size, 3_125)
    keys = jax.random.split(jax.random.key(0), 50)
    np.testing.assert_array_equal(jax.vmap(space.sample)(keys)['op'][:, 0], 3)
    with self.assertRaisesRegex(ValueError, 'shapes'):
      nasbench201.nasbench201({'op': np.ones((5, 5), bool)})


@pytest.mark.data
class TableTest(chex.TestCase):
  def test_classes_and_costs_equal_the_benchmarks(self):
    path = pathlib.Path(os.environ['NASJAX_DATA_DIR']) / 'nb201_table.npz'
    table = np.load(path, allow_pickle=False)
    self.assertEqual(tuple(table['op_names']), nasbench201.OPERATIONS)
    archs = {'op': jnp.asarray(table['ops'], jnp.int32)}
    np.testing.assert_array_equal(
      jax.vmap(nasbench201.num_params)(archs), table['params_cifar10']
    )
    np.testing.assert_allclose(
      (jax.vmap(nasbench201.macs)(archs) + 10) / 1e6,
      table['flops_cifar10_M'],
      rtol=1e-6,
    )
    classes = [
      nasbench201.canonical({'op': ops}) for ops in table['ops'].tolist()
    ]
    pairs = set(zip(classes, table['isomorph_id'].tolist()))
    self.assertLen(pairs, 6_466)


if __name__ == '__main__':
  absltest.main()
