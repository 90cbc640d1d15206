"""The primitives of DeepNets-1M, and the operations that are made of them.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100, section 3.1 and appendix A. An operation is a
chain of primitives on some places; a multi-head attention is a whole layer of a
transformer, as in the authors' program.
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
_SHORTEST = 8  # places of a chain, which a separable convolution needs
# Operations in which what is at a place (None: the input) is also an input of
# another place.
RESIDUALS = (('cse', None, 5), ('msa', None, 5), ('msa', 5, 11))
HEADS = 8  # of what attends
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
  bias, ends = ('bias', 'C', '1', 1, 1), ('0', '0', 0, 0)
  if name == 'cse':
    small = ('conv', 'C/2', 'C', 1, 1), ('bias', 'C/2', '1', 1, 1)
    return {
      1: small[0],
      2: small[1],
      3: ('conv', 'C', 'C/2', 1, 1),
      4: bias,
      5: ('cse', *ends),
    }
  if name == 'msa':
    layer_norm, total = ('ln', 'C', '1', 1, 1), ('sum', *ends)
    attention = layer_norm, ('conv', '3C', 'C', 1, 1), ('msa', *ends)
    two_layers = layer_norm, point, bias, point, bias
    return dict(enumerate((*attention, point, bias, total, *two_layers, total)))
  if name not in ('none', 'skip_connect'):
    raise ValueError(f'Unknown operation {name!r}. Known: {OPERATIONS}.')
  return {}


def chains(operations: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
  """Return the chains of all operations.

  Args:
    operations: names of the K operations.

  Returns:
    Primitives `[K, P]`, -1 where a chain has none, and shapes `[K, P, 4]`:
    outputs, inputs (both as numbers of `SIZES`), rows and columns. P is 8, or
    as many places as the longest chain needs.

  Raises:
    ValueError: for a name that is not known.
  """
  found = [_chain(name) for name in operations]
  length = max([_SHORTEST, *(1 + place for chain in found for place in chain)])
  op = np.full((len(operations), length), -1)
  shape = np.zeros((len(operations), length, 4), int)
  for i, chain in enumerate(found):
    for place, (primitive, rows, columns, *kernel) in chain.items():
      op[i, place] = INDEX[primitive]
      shape[i, place] = SIZES.index(rows), SIZES.index(columns), *kernel
  return op, shape
