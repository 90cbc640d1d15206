"""Pickles of other projects, read as data.

A pickle may name any function to be called, so these are read by an unpickler
that knows containers, numbers, arrays and sparse matrices, and nothing else.
"""

import collections
import io
import os
import pickle
import types
from typing import Any

import numpy as np


def _scalar(dtype, data):
  """What numpy pickles a number as, without its other powers."""
  if dtype.kind not in 'fiub':
    raise pickle.UnpicklingError(f'numbers only, not {dtype}')
  return np.frombuffer(data, dtype)[0]


_ALLOWED = {
  ('builtins', 'list'): list,
  ('collections', 'OrderedDict'): collections.OrderedDict,
  ('collections', 'defaultdict'): collections.defaultdict,
  ('numpy', 'dtype'): np.dtype,
  ('numpy', 'ndarray'): np.ndarray,
  ('numpy.core.multiarray', '_reconstruct'): np.zeros(0).__reduce__()[0],
  ('numpy.core.multiarray', 'scalar'): _scalar,
  # Rows in compressed form; what is needed of them are the attributes.
  ('scipy.sparse.csr', 'csr_matrix'): types.SimpleNamespace,
}
# As Python 2, NumPy 2 and newer SciPys name the same modules.
_RENAMED = {
  '__builtin__': 'builtins',
  'numpy._core.multiarray': 'numpy.core.multiarray',
  'scipy.sparse._csr': 'scipy.sparse.csr',
}


class _Unpickler(pickle.Unpickler):
  """Loads what is allowed."""

  def find_class(self, module, name):
    known = _RENAMED.get(module, module), name
    if known not in _ALLOWED:
      raise pickle.UnpicklingError(f'{module}.{name} is not data')
    return _ALLOWED[known]


def load(data: bytes, path: str | os.PathLike[str]) -> Any:
  """Return what a pickle holds, if it is data.

  Args:
    data: the pickle, of Python 2 or 3.
    path: where it is from, for the error.

  Returns:
    The object; a sparse matrix is a namespace of its attributes `_shape`,
    `indptr`, `indices` and `data`.

  Raises:
    ValueError: if it is no pickle, or names anything that could be run.
  """
  try:
    return _Unpickler(io.BytesIO(data), encoding='latin1').load()
  except (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
  ) as error:
    raise ValueError(f'Cannot read {path}: {error}') from error
