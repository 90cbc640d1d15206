"""The choices of DeepNets-1M: what a network of cells consists of.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100, section 3 and appendix A. A layout holds the
options of every choice; an architecture picks one of each:

  op        i32[2, S, 2]  operations of the nodes, of normal and reduction cells
  source    i32[2, S]     the pair of earlier states that they read, see `pairs`
  drop      i32[2, S]     whether the cell does not put the node out
  NAME      i32[1]        of each other field of `Layout` that is a tuple of
                          options
"""

from collections.abc import Collection
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import deepnets_primitives
from nasjax.types import Arch


class Layout(NamedTuple):
  """The options of every choice; the defaults are those of DeepNets-1M."""

  operations: tuple[str, ...] = deepnets_primitives.OPERATIONS
  depths: tuple[int, ...] = tuple(range(4, 19))  # L, cells
  steps: tuple[int, ...] = (1, 2, 3, 4)  # nodes of a cell
  widths: tuple[int, ...] = (32, 48, 64, 80, 96, 112, 128)
  multipliers: tuple[int, ...] = (1, 2)  # of the width in a reduction
  kernels: tuple[int, ...] = (3, 5, 7)  # of a stem that is not of patches
  norms: tuple[str, ...] = ('batch', 'none')
  stems: tuple[str, ...] = ('simple', 'double')  # double: as for ImageNet
  stem_pools: tuple[bool, ...] = (False, True)
  heads: tuple[str, ...] = ('average', 'flatten')
  hidden: tuple[int, ...] = (0, 64, 128, 256, 512)  # width of a hidden layer
  stem_factor: int = 3  # times the width, in a simple stem
  reductions: int = 2
  deep_from: tuple[int, int] = (7, 11)  # deep: more cells than a draw of these
  steps_if_deep: int = 2  # most nodes of a deep network's cell
  image: tuple[int, int, int] = (32, 32, 3)
  num_classes: int = 10
  max_params: float | None = 1e7  # in networks that are kept; None: any

  @property
  def parameter_free(self) -> tuple[str, ...]:
    """The operations without tensors, 'none' left out."""
    return tuple(
      op for op in self.operations if 'pool' in op or op == 'skip_connect'
    )


PATCH = 3  # rows and columns of an image that a stem of patches makes one
CIFAR = Layout()
DIGITS = Layout(
  operations=(
    'none',
    'skip_connect',
    'max_pool_3x3',
    'avg_pool_3x3',
    'sep_conv_3x3',
    'dil_conv_3x3',
    'conv_1x1',
    'conv_3x3',
    'cse',
  ),
  depths=(2, 3, 4),
  steps=(1, 2),
  widths=(4, 8),
  multipliers=(2,),
  kernels=(3,),
  stems=('simple',),
  stem_pools=(False,),
  heads=('average',),
  hidden=(0,),
  stem_factor=1,
  reductions=1,
  image=(8, 8, 1),
  max_params=None,
)


def check(layout: Layout, image: tuple[int, ...] | None = None) -> Layout:
  """Return a layout, or refuse one whose networks cannot be built.

  Args:
    layout: the layout.
    image: `[H, W, C]` of what its networks are to see, if that is known.

  Returns:
    The layout.

  Raises:
    ValueError: if it has too few cells for its reductions, heads of unequal
      widths, or other images.
  """
  if min(layout.depths) <= layout.reductions:
    raise ValueError(
      f'{layout.reductions} reductions need more cells, got depths='
      f'{layout.depths}.'
    )
  heads = deepnets_primitives.HEADS
  if 'msa' in layout.operations and any(w % heads for w in layout.widths):
    raise ValueError(
      f"'msa' has {heads} heads, which must divide the widths {layout.widths}."
    )
  if image is not None and tuple(image) != layout.image:
    raise ValueError(
      f'The images have shape {tuple(image)}, those of the layout '
      f'{layout.image}.'
    )
  return layout


def pairs(num_nodes: int) -> np.ndarray:
  """Return all pairs of states before the last node, `i32[K, 2]`.

  Those of fewer states come first.
  """
  return np.array(
    [(i, j) for j in range(1, num_nodes + 1) for i in range(j)], np.int32
  )


def values(layout: Layout, arch: Arch) -> Any:
  """Return a layout with the chosen option in every field of one choice.

  Args:
    layout: of the network.
    arch: index choices.

  Returns:
    The layout with `i32[]` for sizes, and for words their number among
    ('batch', 'simple', 'average'): 0 for those, 1 otherwise.
  """
  first = ('batch', 'simple', 'average')

  def value(option):
    return int(option not in first) if isinstance(option, str) else int(option)

  names = [name for name in layout._fields if name in arch]
  chosen = {
    name: jnp.asarray([value(o) for o in getattr(layout, name)])[arch[name][0]]
    for name in names
  }
  return layout._replace(**chosen)


def reads(layout: Layout, arch: Arch) -> jax.Array:
  """Return what the nodes of both cells read, `bool[2, S, 2, 2 + S]`.

  The last axis is that of states: the cell before the last, the last, nodes.
  """
  num_nodes = max(layout.steps)
  source = jnp.asarray(pairs(num_nodes))[arch['source']]
  there = jnp.arange(num_nodes) < values(layout, arch).steps
  nothing = np.array([op == 'none' for op in layout.operations])
  real = ~jnp.asarray(nothing)[arch['op']] & there[None, :, None]
  return jax.nn.one_hot(source, num_nodes + 2, dtype=bool) & real[..., None]


def has(layout: Layout, arch: Arch, names: Collection[str]) -> jax.Array:
  """Return where operations of nodes are some of these, `bool[2, S, 2]`."""
  there = jnp.arange(max(layout.steps)) < values(layout, arch).steps
  chosen = jnp.asarray([name in names for name in layout.operations])
  return chosen[arch['op']] & there[None, :, None]


def attends(layout: Layout, arch: Arch) -> jax.Array:
  """Return whether a network attends: a stem of patches, one size, `bool[]`."""
  return has(layout, arch, ('msa',)).any()


def sides(layout: Layout, halvings: chex.Numeric, patches: chex.Numeric) -> Any:
  """Return rows and columns of what an image of a layout has become.

  Args:
    layout: has the size of images.
    halvings: how often it is halved.
    patches: whether it is cut into patches first.

  Returns:
    Two numbers of the type of the arguments.
  """
  cut = lambda n: (n - 1) // PATCH + 1
  # What is odd is rounded up.
  return tuple(
    (cut(n) * patches + n * (1 - patches) + (1 << halvings) - 1) >> halvings
    for n in layout.image[:2]
  )


class Cells(NamedTuple):
  """What the L cells of a network are, padded to the deepest."""

  present: jax.Array  # bool[L]
  kind: jax.Array  # i32[L] 0 normal, 1 reduction
  width: jax.Array  # i32[L] channels of a node
  level: jax.Array  # i32[L] how often the image has been halved
  halvings: jax.Array  # i32[L, 2] how often an input is halved
  inputs: jax.Array  # i32[L, 2] channels of both inputs
  kept: jax.Array  # bool[2, S] nodes that a kind of cell puts out


def cells(layout: Layout, arch: Arch) -> Cells:
  """Return what the cells of a network are.

  Args:
    layout: of the network.
    arch: index choices.

  Returns:
    Cells, in their order.
  """
  value = values(layout, arch)
  place = jnp.arange(max(layout.depths))
  parts = layout.reductions + 1
  kind = jnp.zeros(len(place), bool)
  for r in range(1, parts):
    kind |= (place > 0) & (place == r * value.depths // parts)
  stage = jnp.cumsum(kind)
  width = value.widths * value.multipliers**stage
  there = jnp.arange(max(layout.steps)) < value.steps
  kept = (arch['drop'] == 0) & there[None]
  kind = kind.astype(jnp.int32)
  before = np.arange(len(place))[:, None] + np.array([-2, -1])
  is_stem, states = before < 0, np.maximum(before, 0)
  # Halvings of the two outputs of the stem, and of the cells behind it.
  patches = attends(layout, arch)
  first = jnp.where(patches, 0, jnp.maximum(value.stems, value.stem_pools))
  level = jnp.where(patches, 0, first + stage)
  of_stem = jnp.where((before == -2) & (value.stems > 0), 0, first)
  simple = (value.stems == 0) & ~patches
  stem_width = value.widths * jnp.where(simple, layout.stem_factor, 1)
  channels = (width * kept.sum(1)[kind])[states]
  return Cells(
    place < value.depths,
    kind,
    width,
    level,
    level[:, None] - jnp.where(is_stem, of_stem, level[states]),
    jnp.where(is_stem, stem_width, channels),
    kept,
  )
