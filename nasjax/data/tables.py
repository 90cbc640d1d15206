"""Files of benchmark tables: found, read and checked."""

from collections.abc import Mapping, Sequence
import os
import pathlib
import zipfile

import numpy as np


def find(
  file: str, data_dir: str | os.PathLike[str] | None, source: str
) -> pathlib.Path:
  """Return the path of a file of a table.

  Args:
    file: its name.
    data_dir: its folder, by default `$NASJAX_DATA_DIR`.
    source: what the file holds and where that comes from, for the error.

  Returns:
    The path.

  Raises:
    ValueError: if there is no such file.
  """
  folder = data_dir or os.environ.get('NASJAX_DATA_DIR')
  if not folder:
    raise ValueError(
      f'Expected a data_dir with {file}, but $NASJAX_DATA_DIR is not set '
      f'either. {source}'
    )
  path = pathlib.Path(folder, file)
  if not path.is_file():
    raise ValueError(f'Expected {file} in {folder}: no such file. {source}')
  return path


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
  """Return the arrays of an npz file.

  Args:
    path: of the file; nothing in it is unpickled.

  Returns:
    Dict of the arrays.

  Raises:
    ValueError: if it is no such file.
  """
  try:
    with np.load(path, allow_pickle=False) as file:
      return {name: file[name] for name in file.files}
  except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
    raise ValueError(f'Cannot read {path}: {error}') from error


def take(
  path: pathlib.Path,
  arrays: dict[str, np.ndarray],
  name: str,
  dtype: str,
  shape: Sequence[int | None],
) -> np.ndarray:
  """Remove an array from a dict and return it, checked.

  Args:
    path: of the file, for the error.
    arrays: what the file holds.
    name: of the array.
    dtype: a NumPy type as text, such as 'uint8', or 'number'.
    shape: None where any size will do.

  Returns:
    The array.

  Raises:
    ValueError: if it is absent or of another type or shape.
  """
  array = arrays.pop(name, None)
  if array is not None:
    is_number = array.dtype.kind in 'fiu'
    fits = is_number if dtype == 'number' else array.dtype == np.dtype(dtype)
    fits = fits and len(array.shape) == len(shape)
    if fits and all(n in (None, m) for n, m in zip(shape, array.shape)):
      return array
  sizes = ', '.join('any' if size is None else str(size) for size in shape)
  raise ValueError(
    f'{name} in {path} must be {dtype} of shape ({sizes}), got '
    f'{None if array is None else f"{array.dtype} of shape {array.shape}"}.'
  )


def check_names(
  path: pathlib.Path,
  arrays: dict[str, np.ndarray],
  name: str,
  expected: Sequence[str],
) -> None:
  """Remove an array of names from a dict and compare it.

  Args:
    path: of the file, for the error.
    arrays: what the file holds.
    name: of the array.
    expected: the names.

  Raises:
    ValueError: if it is absent or differs.
  """
  names = arrays.pop(name, None)
  if names is None or names.tolist() != list(expected):
    raise ValueError(
      f'{name} in {path} must be {tuple(expected)}, got {names}.'
    )


def column(columns: Mapping[str, np.ndarray], name: str) -> np.ndarray:
  """Return a column of a table.

  Args:
    columns: of the table.
    name: of the column.

  Returns:
    The column.

  Raises:
    ValueError: if there is no such column; it names those that exist.
  """
  if name not in columns:
    known = ', '.join(sorted(columns))
    raise ValueError(f'Unknown column {name!r}. Known: {known}.')
  return columns[name]
