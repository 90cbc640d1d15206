"""The official files of NAS-Bench-101 as a table.

C. Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search,
ICML 2019, https://arxiv.org/abs/1902.09635.

`nasbench_full.tfrecord` and `nasbench_only108.tfrecord` are sequences of
records, one the JSON of a training: [key, epochs, adjacency, operations,
metrics]. The metrics are a protocol buffer in base 64: field 1, repeated, an
evaluation before, in the middle and at the end of training; field 2 the number
of weights. Fields 2 to 5 of an evaluation are seconds of training and the
accuracies on train, validation and test images.
"""

import array
import base64
import json
import os
import pathlib
from typing import NamedTuple

import numpy as np

from nasjax.data import nasbench101, tfrecord

_EVALUATION, _PARAMS = 1, 2  # fields of the metrics
_FINAL = 2  # evaluations are before, in the middle of and after training
_MEASURES = {
  2: 'train_time_s',
  3: 'train_acc',
  4: 'val_acc',
  5: 'test_acc',
}  # fields of an evaluation


class Training(NamedTuple):
  """One training of a cell."""

  key: str  # md5 of the cell
  epochs: int
  adjacency: str  # V * V digits, row by row
  operations: tuple[str, ...]  # V names
  num_params: int
  measures: tuple[float, ...]  # of `_MEASURES`, at the end of training


def parse(record: bytes) -> Training:
  """Return the training of a record.

  Args:
    record: as `tfrecord.records` yields.

  Returns:
    The training.

  Raises:
    ValueError: if it is no record of the benchmark.
  """
  try:
    key, epochs, adjacency, operations, metrics = json.loads(record)
    message = list(tfrecord.fields(base64.b64decode(metrics)))
    evaluations = [value for number, value in message if number == _EVALUATION]
    last = dict(tfrecord.fields(evaluations[_FINAL]))
    return Training(
      key,
      int(epochs),
      adjacency,
      tuple(operations.split(',')),
      int(dict(message)[_PARAMS]),
      tuple(float(last[number]) for number in _MEASURES),
    )
  except (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
  ) as error:
    raise ValueError(
      f'No training of NAS-Bench-101 ({error!r}): {record[:80]!r}...'
    ) from error


def _cell(training):
  """Return the graph of a cell, as its columns in a table."""
  size = len(training.operations)
  labels = np.full(nasbench101.NUM_VERTICES, nasbench101.PADDING, np.uint8)
  adjacency = np.zeros((nasbench101.NUM_VERTICES,) * 2, np.uint8)
  try:
    bits = np.array([int(bit) for bit in training.adjacency], np.uint8)
    adjacency[:size, :size] = bits.reshape(size, size)
    labels[:size] = list(map(nasbench101.LABELS.index, training.operations))
    md5 = np.frombuffer(bytes.fromhex(training.key), np.uint8)
    return {
      'md5': md5,
      'num_vertices': np.uint8(size),
      'adjacency': adjacency,
      'ops': labels,
      'trainable_parameters': np.int32(training.num_params),
    }
  except ValueError as error:
    raise ValueError(f'{training.key} is no cell: {error}') from error


def _gather(file):
  """Return the graphs of all cells and the measures of all their trainings."""
  cells, measured = {}, {}
  for record in tfrecord.records(file):
    training = parse(record)
    if training.key not in cells:
      cells[training.key] = _cell(training)
    runs = (training.key, training.epochs)
    measured.setdefault(runs, array.array('d')).extend(training.measures)
  return cells, measured


def convert(
  source: str | os.PathLike[str], output: str | os.PathLike[str]
) -> tuple[int, ...]:
  """Write the table of an official file; `load_nasbench101` reads it.

  It has a row for every cell in the order of their keys. `val_acc`, `test_acc`,
  `train_acc` (fractions) and `train_time_s` are `f32[N, E]`, at the end of
  trainings of E lengths and in the mean over their runs; `val_acc_runs` and so
  on, `f32[N, E, R]`, are the runs in the order of the file.

  Args:
    source: `nasbench_full.tfrecord` or `nasbench_only108.tfrecord`.
    output: file to write, an `.npz`; about a minute for the smaller file.

  Returns:
    Numbers of cells N, lengths E and runs R.

  Raises:
    ValueError: if the source is no such file, or cells have other numbers of
      runs than the rest.
  """
  source, output = pathlib.Path(source), pathlib.Path(output)
  if not source.is_file():
    raise ValueError(f'Expected an official .tfrecord file, got {source}.')
  if output.suffix != '.npz':
    raise ValueError(f'Expected an output that ends in .npz, got {output}.')
  with source.open('rb') as file:
    cells, measured = _gather(file)
  if not cells:
    raise ValueError(f'{source} is empty.')
  keys, budgets = sorted(cells), sorted({epochs for _, epochs in measured})
  width = len(_MEASURES)
  num_runs = {
    len(measured.get((k, e), ())) // width for k in keys for e in budgets
  }
  if len(num_runs) != 1:
    raise ValueError(
      f'Cells of {source} have {sorted(num_runs)} runs: is the file complete?'
    )
  values = np.array([[measured[k, e] for e in budgets] for k in keys])
  values = values.reshape(len(keys), len(budgets), -1, width)
  arrays = {
    name: np.stack([cells[key][name] for key in keys])
    for name in cells[keys[0]]
  }
  for i, name in enumerate(_MEASURES.values()):
    runs = values[..., i].astype(np.float32)
    arrays[f'{name}_runs'] = runs
    arrays[name] = values[..., i].mean(-1).astype(np.float32)
  arrays['op_names'] = np.array(nasbench101.LABELS)
  arrays['budgets'] = np.array(budgets)
  np.savez_compressed(output, **arrays)
  return values.shape[:3]
