"""The cell space of NAS-Bench-201, with its strings, classes and costs.

X. Dong and Y. Yang, NAS-Bench-201: Extending the Scope of Reproducible Neural
Architecture Search, ICLR 2020, https://arxiv.org/abs/2001.00326.

A cell has 4 nodes and one of 5 operations on each of its 6 edges: 15,625 cells.
Edges are in the order of the official strings: 0>1, 0>2, 1>2, 0>3, 1>3, 2>3.

Deviations
  * `index` and `cell_index` are base-5 numbers of the operations, first edge
    most significant. The benchmark's files number cells in a random order of
    their own.
  * MACs are multiplications of convolutions and of the classifier. The
    benchmark's FLOPs add one for each class (the bias).
"""

import re

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice
from nasjax.spaces import categorical
from nasjax.types import Arch, Mask, Space

OPERATIONS = (
  'none',
  'skip_connect',
  'nor_conv_1x1',
  'nor_conv_3x3',
  'avg_pool_3x3',
)
SOURCES = (0, 0, 1, 0, 1, 2)
TARGETS = (1, 2, 2, 3, 3, 3)
PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))  # edges from input to output

_NODE = r'\|(?:[^|+~]+~\d\|)+'
_KERNELS = (0, 0, 1, 3, 0)  # kernel size of each operation's convolution


def to_string(arch: Arch) -> str:
  """Return the official string of a cell.

  Args:
    arch: `{'op': int32[6]}` with known values, or its static form.

  Returns:
    For example `'|skip_connect~0|+|none~0|none~1|+|none~0|none~1|none~2|'`.
  """
  nodes = dict.fromkeys(TARGETS, '|')
  for op, source, target in zip(arch['op'], SOURCES, TARGETS):
    nodes[target] += f'{OPERATIONS[int(op)]}~{source}|'
  return '+'.join(nodes.values())


def from_string(string: str) -> Arch:
  """Return the cell of an official string.

  Args:
    string: as `to_string` returns.

  Returns:
    `{'op': int32[6]}`.

  Raises:
    ValueError: if an operation is unknown or the string is not a cell.
  """
  edges = re.findall(r'([^|+~]+)~(\d)', string)
  is_cell = re.fullmatch(rf'{_NODE}\+{_NODE}\+{_NODE}', string)
  if not is_cell or tuple(int(source) for _, source in edges) != SOURCES:
    raise ValueError(
      f'A cell is written |op~0|+|op~0|op~1|+|op~0|op~1|op~2|, got {string!r}.'
    )
  for op, _ in edges:
    if op not in OPERATIONS:
      raise ValueError(
        f'Unknown operation {op!r}. Known: {", ".join(OPERATIONS)}.'
      )
  return {'op': jnp.asarray([OPERATIONS.index(op) for op, _ in edges])}


def cell_index(arch: Arch) -> jax.Array:
  """Return the number of a cell among all 15,625, the inverse of `index`.

  `sum_e 5^(5 - e) op_e`, whatever mask a space has: the row of a table.

  Args:
    arch: `{'op': int32[6]}`.

  Returns:
    `int32[]`.
  """
  places = len(OPERATIONS) ** np.arange(len(SOURCES))[::-1]
  return jnp.dot(jnp.asarray(arch['op']), jnp.asarray(places, jnp.int32))


def canonical(arch: Arch, zeros: bool = True) -> str:
  """Return a string that isomorphic cells share.

  Skip connections are replaced by their input, and inputs of a sum are sorted:
  12,751 classes. With `zeros`, so is everything that a zero makes zero, though
  the zero itself stays a term of its sum: 6,466 classes, the benchmark's count.

  Args:
    arch: `{'op': int32[6]}` with known values, or its static form.
    zeros: whether `none` counts as zero rather than as an operation.

  Returns:
    The expression of the last node.

  References:
    Dong and Yang, section 3.1 (number of unique topology structures).
  """
  terms = {target: [] for target in TARGETS}
  nodes = {0: '0'}
  for op, source, target in zip(arch['op'], SOURCES, TARGETS):
    name, node = OPERATIONS[int(op)], nodes[source]
    if zeros and (name == 'none' or node == '#'):
      terms[target].append('#')
    elif name == 'skip_connect':
      terms[target].append(node)
    else:
      terms[target].append(f'({node})@{name}')
    # Edges come target by target: the last write of a node is complete.
    nodes[target] = '+'.join(sorted(terms[target]))
  return nodes[TARGETS[-1]]


def _expected_cost(arch: Arch, fixed: float, costs: list[float]) -> jax.Array:
  table = np.asarray(costs, np.float32)
  return jnp.float32(fixed) + sum(choice.select(op, table) for op in arch['op'])


def num_params(
  arch: Arch, num_classes: int = 10, channels: int = 16, cells: int = 5
) -> jax.Array:
  """Return the number of weights of the benchmark's network with this cell.

  A convolution has `k^2 C^2` weights and a batch norm `2 C`; the three stages
  have `C`, `2 C` and `4 C` channels and `cells` cells each, joined by residual
  blocks of stride 2.

  Args:
    arch: the cell in any form; for relaxed choices the expectation.
    num_classes: number of classes.
    channels: C, channels of the first stage.
    cells: cells in a stage.

  Returns:
    `f32[]`, exact up to 2^24.
  """
  widths = [channels * 2**stage for stage in range(3)]
  stem = 27 * channels + 2 * channels
  blocks = sum(
    9 * c * c // 2 + 9 * c * c + c * c // 2 + 4 * c for c in widths[1:]
  )
  head = 2 * widths[-1] + (widths[-1] + 1) * num_classes
  costs = [
    cells * sum(k * k * c * c + 2 * c for c in widths) if k else 0
    for k in _KERNELS
  ]
  return _expected_cost(arch, stem + blocks + head, costs)


def macs(
  arch: Arch,
  num_classes: int = 10,
  channels: int = 16,
  cells: int = 5,
  image_size: int = 32,
) -> jax.Array:
  """Return the multiply-adds of the benchmark's network for one image.

  A convolution takes `k^2 C_in C_out H^2`; side H halves where C doubles.

  Args:
    arch: the cell in any form; for relaxed choices the expectation, whose
      gradient is the penalty of a differentiable search.
    num_classes: number of classes.
    channels: C, channels of the first stage.
    cells: cells in a stage.
    image_size: side of the image in pixels, a multiple of 4.

  Returns:
    `f32[]`.
  """
  stages = [(channels * 2**s, (image_size // 2**s) ** 2) for s in range(3)]
  stem = 27 * channels * image_size**2
  blocks = sum(
    (9 * c * c // 2 + 9 * c * c + c * c // 2) * area for c, area in stages[1:]
  )
  head = stages[-1][0] * num_classes
  costs = [
    cells * sum(k * k * c * c * area for c, area in stages) for k in _KERNELS
  ]
  return _expected_cost(arch, stem + blocks + head, costs)


def num_layers(arch: Arch, cells: int = 5) -> jax.Array:
  """Return the number of layers with weights, without normalisation.

  Convolutions of cells, the stem, three convolutions in each of two residual
  blocks and the classifier.

  Args:
    arch: the cell in any form; for relaxed choices the expectation.
    cells: cells in each of three stages.

  Returns:
    `f32[]`.
  """
  return _expected_cost(arch, 8, [3.0 * cells if k else 0.0 for k in _KERNELS])


def nasbench201(mask: Mask | None = None) -> Space:
  """Return the space of NAS-Bench-201 cells, `{'op': int32[6]}`.

  Example:
    >>> space = nasbench201()
    >>> arch = space.sample(jax.random.key(0))
    >>> string = to_string(arch)

  Args:
    mask: `{'op': bool[6, 5]}`, the operations allowed on each edge; all by
      default.

  Returns:
    The space, see `nasjax.spaces.categorical`.

  Raises:
    ValueError: if the mask has other shapes or leaves an edge no operation.

  References:
    Dong and Yang, NAS-Bench-201, https://arxiv.org/abs/2001.00326, section 2.1.
  """
  space = categorical.categorical({'op': (len(SOURCES), len(OPERATIONS))})
  return space if mask is None else space.restrict(mask)
