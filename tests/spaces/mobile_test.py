"""Tests of spaces of mobile networks."""

import jax
import numpy as np
import pytest

from nasjax.spaces import (
  categorical,
  mobile,
  mobile_grid,
  mobile_layouts,
  mobile_sizes,
  mobile_strings,
)

LAYOUT = mobile.Layout(
  resolutions=(6, 8),
  stem=(4,),
  stages=(
    mobile.Stage((4, 6, 8), (1, 2), (3,), (1,)),
    mobile.Stage((8, 12), (1, 3), (3, 5), (2, 3), (0.0, 0.25), 2),
  ),
  head=(16, 24),
  per_block=('kernel',),
)
SPACE = mobile.mobile(LAYOUT)
B1 = (
  'r1_k3_s11_e1_i32_o16_noskip',
  'r3_k3_s22_e3_i16_o24',
  'r3_k5_s22_e3_i24_o40',
  'r3_k5_s22_e6_i40_o80',
  'r2_k3_s11_e6_i80_o96',
  'r4_k5_s22_e6_i96_o192',
  'r1_k3_s11_e6_i192_o320_noskip',
)
A1 = (
  'r1_k3_s11_e1_i32_o16_noskip',
  'r2_k3_s22_e6_i16_o24',
  'r3_k5_s22_e3_i24_o40_se0.25',
  'r4_k3_s22_e6_i40_o80',
  'r2_k3_s11_e6_i80_o112_se0.25',
  'r3_k5_s22_e6_i112_o160_se0.25',
  'r1_k3_s11_e6_i160_o320',
)


def test_an_architecture_has_the_decisions_that_have_options():
  shapes = {name: leaf.shape for name, leaf in SPACE.mask.items()}
  assert shapes == {
    'resolution': (1, 2),
    'width': (4, 3),  # stem, two stages, head
    'depth': (2, 2),
    'kernel': (5, 2),  # of every block
    'expansion': (2, 2),
    'squeeze': (2, 2),
  }
  # Decisions with fewer options than others of their leaf have no more.
  np.testing.assert_array_equal(SPACE.mask['width'].sum(-1), [1, 3, 2, 2])
  np.testing.assert_array_equal(SPACE.mask['kernel'].sum(-1), [1, 1, 2, 2, 2])


def test_the_biggest_and_the_smallest_are_the_ends_of_every_decision():
  biggest, smallest = mobile.biggest(LAYOUT), mobile.smallest(LAYOUT)
  for name, leaf in SPACE.mask.items():
    np.testing.assert_array_equal(biggest[name], leaf.sum(-1) - 1)
    assert not np.any(smallest[name])
  for arch in (biggest, smallest):
    assert categorical.contains(arch, SPACE.mask)


def test_children_that_differ_in_absent_blocks_alone_count_once():
  # Counted by hand: resolution 2, widths 3 * 2 * 2, first stage 2 depths,
  # second stage 2 * 2 (expansion, squeeze) times 2^1 or 2^3 kernels.
  assert mobile.num_children(LAYOUT) == 2 * 12 * 2 * 4 * (2 + 8)
  assert SPACE.size == 2 * 12 * 2 * 2 * 4 * 2**3


def test_the_space_of_bignas_has_as_many_children_as_its_table():
  assert mobile.num_children(mobile_layouts.bignas()) == 5_013_504_000
  per_block = mobile_layouts.bignas(per_block_kernels=True)
  assert mobile.num_children(per_block) == 16_188_403_875_840


def test_other_layouts_have_as_many_children_as_their_choices_multiply_to():
  # Three kernels and three expansions a block, two to four blocks, five units.
  unit = 9**2 + 9**3 + 9**4
  count = mobile.num_children(mobile_layouts.once_for_all())
  assert count == 4 * unit**5
  # Six bottlenecks a block: five stages of one to four, one of one.
  stage = 6 + 6**2 + 6**3 + 6**4
  assert mobile.num_children(mobile_layouts.proxyless_nas()) == 6 * stage**5
  # Of a block that a stage repeats: operation, kernel, squeeze, skip, channels,
  # expansion; then two or three depths.
  block = 3 * 2 * 2 * 3 * 3 * 2
  count = mobile.num_children(mobile_layouts.mnasnet())
  assert count == block**7 * 2**2 * 3**5


def test_choices_are_drawn_uniformly():
  keys = jax.random.split(jax.random.key(0), 6000)
  drawn = jax.jit(jax.vmap(SPACE.sample))(keys)
  for name, leaf in SPACE.mask.items():
    for d, allowed in enumerate(leaf):
      counts = np.bincount(drawn[name][:, d], minlength=len(allowed))
      expected = len(keys) * allowed / allowed.sum()
      used = allowed > 0
      statistic = np.sum((counts - expected)[used] ** 2 / expected[used])
      assert statistic < 18.4  # p = 1e-4 of two degrees of freedom
      assert counts[~used].sum() == 0


def test_the_grid_has_all_combinations_of_levels():
  grid = mobile_grid.grid(LAYOUT, 2)
  assert {leaf.shape[0] for leaf in grid.values()} == {2**6}
  rows = {
    tuple(int(x) for leaf in jax.tree.leaves(grid) for x in leaf[i])
    for i in range(64)
  }
  assert len(rows) == 64
  for arch in (mobile.biggest(LAYOUT), mobile.smallest(LAYOUT)):
    assert tuple(int(x) for leaf in jax.tree.leaves(arch) for x in leaf) in rows
  # A leaf of two options has no third level; widths have.
  assert mobile_grid.grid(LAYOUT, 3)['width'].shape == (2**5 * 3, 4)


def test_levels_between_are_places_among_the_options_of_each_decision():
  shares = dict.fromkeys(SPACE.mask, 0.5)
  arch = mobile_grid.between(LAYOUT, shares)
  np.testing.assert_array_equal(arch['width'], [0, 1, 1, 1])


@pytest.mark.parametrize('strings', [B1, A1], ids=['B1', 'A1'])
def test_strings_of_networks_are_read_and_written(strings):
  layout = mobile_strings.from_strings(strings)
  assert mobile.leaves(layout) == {}
  assert mobile_strings.to_strings(layout, {}) == strings


def test_a_string_must_follow_the_one_before():
  with pytest.raises(ValueError, match='follows 16 channels'):
    mobile_strings.from_strings((B1[0], B1[2]))
  for string in ('hello', 'r1_k3_s11_e1'):
    with pytest.raises(ValueError, match=f"'{string}' is no stage like 'r3"):
      mobile_strings.from_strings((string,))


def test_strings_of_an_architecture_say_what_was_chosen():
  arch = mobile.biggest(LAYOUT) | {'depth': np.array([1, 0])}
  assert mobile_strings.to_strings(LAYOUT, arch) == (
    'r1_k3_s11_e1_i4_o8',
    'r1_k3_s11_e1_i8_o8',
    'r1_k5_s22_e3_i8_o12_se0.25',
  )


def test_channels_are_rounded_to_multiples_not_far_below():
  values = [(18, 8), (20, 8), (3, 8), (6, 1), (11, 8), (100, 8)]
  rounded = [mobile_sizes.divisible(*value) for value in values]
  assert rounded == [24, 24, 8, 6, 16, 104]


def test_squeezed_channels_are_of_the_input_or_of_the_hidden_ones():
  assert mobile_sizes.squeezed(LAYOUT, 24, 6, 0.25) == 6
  assert mobile_sizes.squeezed(LAYOUT, 24, 6, 0.0) == 0
  hidden = LAYOUT._replace(squeeze_of='hidden', divisor=8)
  assert mobile_sizes.squeezed(hidden, 24, 6, 0.25) == 40  # of 36


def _changed(**fields):
  stage = LAYOUT.stages[1]._replace(**fields)
  return LAYOUT._replace(stages=(LAYOUT.stages[0], stage))


@pytest.mark.parametrize(
  'layout, message',
  [
    (LAYOUT._replace(stages=()), 'needs a stage'),
    (_changed(widths=(12, 8)), 'must be distinct and rise'),
    (_changed(depths=()), 'must be distinct and rise|empty'),
    (_changed(operations=('conv7',)), 'Unknown operation'),
    (_changed(skips=('pool', 'pool')), 'must be distinct'),
    (_changed(kernels=(2, 4)), 'odd'),
    (_changed(depths=(0, 1)), 'depth must be positive'),
    (_changed(stride=3), 'Strides must be 1 or 2'),
    (_changed(activation='gelu'), "Unknown activation 'gelu'"),
    (LAYOUT._replace(per_block=('width',)), 'Blocks decide about'),
    (LAYOUT._replace(squeeze_of='output'), "'output'"),
  ],
)
def test_a_layout_that_means_nothing_is_refused(layout, message):
  with pytest.raises(ValueError, match=message):
    mobile.mobile(layout)
