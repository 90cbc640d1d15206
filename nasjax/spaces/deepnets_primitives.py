"""The primitives of DeepNets-1M, and the operations that are made of them.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100, section 3.1 and appendix A. An operation is a
chain of primitives on eight places, of which it takes some.
"""

import numpy as np

PRIMITIVES = tuple(
  'max_pool avg_pool sep_conv dil_conv conv msa cse sum concat input bias bn '
  'ln pos_enc glob_avg'.split()
)
INDEX = {name: i for i, name in enumerate(PRIMITIVES)}
# Which carry a tensor, and how many numbers to an entry of its shape.
_NUMBERS = dict.fromkeys(('sep_conv', 'dil_conv', 'conv', 'bias', 'pos_enc'), 1)
_NUMBERS |= {'bn': 2, 'ln': 2}
NUMBERS = np.array([_NUMBERS.get(name, 0) for name in PRIMITIVES])

OPERATIONS = (
  'none',
  'skip_connect',
  'max_pool_3x3',
  'avg_pool_3x3',
  'sep_conv_3x3',
  'sep_conv_5x5',
  'dil_conv_3x3',
  'dil_conv_5x5',
  'conv_1x1',
  'conv_7x1_1x7',
  'conv_3x3',
  'conv_5x5',
  'conv_7x7',
  'msa',
  'cse',
)
CHAIN = 8  # places of an operation
SQUEEZE = 2  # of the channels in a squeeze-and-excite block
SIZES = ('0', '1', 'C/2', 'C', '3C')  # of a cell of C channels


def _chain(name: str) -> dict[int, tuple[str, str, str, int, int]]:
  """Return place -> (primitive, outputs, inputs, rows, columns)."""
  kind, size = name.rsplit('_', 1)[0], name[-1]
  size = int(size) if size.isdecimal() else 0
  point, norm = ('conv', 'C', 'C', 1, 1), ('bn', 'C', '1', 1, 1)
  if kind in ('max_pool', 'avg_pool'):
    return {0: (kind, '1', '1', size, size)}
  if kind in ('sep_conv', 'dil_conv'):
    first = {1: (kind, 'C', '1', size, size), 3: point, 4: norm}
    second = {5: (kind, 'C', '1', size, size), 6: point, 7: norm}
    return first | second if kind == 'sep_conv' else first
  if name == 'conv_7x1_1x7':
    rows, columns = ('conv', 'C', 'C', 1, 7), ('conv', 'C', 'C', 7, 1)
    return {1: rows, 3: columns, 4: norm}
  if kind == 'conv':
    return {1: ('conv', 'C', 'C', size, size), 4: norm}
  bias, ends = ('bias', 'C', '1', 1, 1), ('', '0', '0', 0, 0)
  if name == 'cse':
    small = ('conv', 'C/2', 'C', 1, 1), ('bias', 'C/2', '1', 1, 1)
    return {
      0: ('glob_avg', *ends[1:]),
      1: small[0],
      2: small[1],
      3: ('conv', 'C', 'C/2', 1, 1),
      4: bias,
      5: ('cse', *ends[1:]),
    }
  if name == 'msa':
    return {
      0: ('ln', 'C', '1', 1, 1),
      1: ('conv', '3C', 'C', 1, 1),
      2: ('msa', *ends[1:]),
      3: point,
      4: bias,
    }
  if name not in ('none', 'skip_connect'):
    raise ValueError(f'Unknown operation {name!r}. Known: {OPERATIONS}.')
  return {}


def chains(operations: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
  """Return the chains of all operations.

  Args:
    operations: names of the K operations.

  Returns:
    Primitives `[K, 8]`, -1 where a chain has none, and shapes `[K, 8, 4]`:
    outputs, inputs (both as numbers of `SIZES`), rows and columns.

  Raises:
    ValueError: for a name that is not known.
  """
  op = np.full((len(operations), CHAIN), -1)
  shape = np.zeros((len(operations), CHAIN, 4), int)
  for i, name in enumerate(operations):
    for place, (primitive, rows, columns, *kernel) in _chain(name).items():
      op[i, place] = INDEX[primitive]
      shape[i, place] = SIZES.index(rows), SIZES.index(columns), *kernel
  return op, shape
