"""The official files of NATS-Bench's topology space as a table.

X. Dong, L. Liu, K. Musial and B. Gabrys, NATS-Bench: Benchmarking NAS
Algorithms for Architecture Topology and Size, 2021,
https://arxiv.org/abs/2009.00437: the cells of NAS-Bench-201, trained anew.

`NATS-tss-v1_0-3ffb9-simple` is a folder of pickles, one a cell, compressed by
bzip2.
"""

import bz2
from collections.abc import Mapping
import os
import pathlib
import re
from typing import Any

import numpy as np

from nasjax.data import pickles, tabular

META = 'meta.pickle.pbz2'
_EDGES = ((0,), (0, 1), (0, 1, 2))
# Training set, evaluation set and the column of their accuracy.
_ACCURACIES = (
  ('cifar10-valid', 'x-valid', 'cifar10_valid'),
  ('cifar10-valid', 'ori-test', 'cifar10valid_test'),
  ('cifar10', 'ori-test', 'cifar10_test'),
  ('cifar100', 'x-valid', 'cifar100_valid'),
  ('cifar100', 'x-test', 'cifar100_test'),
  ('ImageNet16-120', 'x-valid', 'imagenet16_valid'),
  ('ImageNet16-120', 'x-test', 'imagenet16_test'),
)
_DATASETS = {
  'cifar10-valid': 'cifar10valid',
  'cifar10': 'cifar10',
  'cifar100': 'cifar100',
  'ImageNet16-120': 'imagenet16',
}


def read_pickle(path: str | os.PathLike[str]) -> Any:
  """Return what a compressed pickle holds, if it is data; see `pickles`.

  Args:
    path: of the file, `*.pickle.pbz2`.

  Returns:
    The object.

  Raises:
    ValueError: if it is no such file, or names anything that could be run.
  """
  try:
    data = bz2.decompress(pathlib.Path(path).read_bytes())
  except (OSError, EOFError, ValueError) as error:
    raise ValueError(f'Cannot read {path}: {error}') from error
  return pickles.load(data, path)


def operations(string: str) -> list[int]:
  """Return the operations of a cell in the order of its edges.

  Args:
    string: such as `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`.

  Returns:
    Six numbers of `tabular.OPERATIONS`.

  Raises:
    ValueError: if it is no cell.
  """
  nodes = [re.findall(r'([^|~]+)~(\d)', node) for node in string.split('+')]
  names = [name for node in nodes for name, _ in node]
  sources = tuple(tuple(int(source) for _, source in node) for node in nodes)
  if sources != _EDGES or not set(names) <= set(tabular.OPERATIONS):
    raise ValueError(f'{string!r} is no cell of NAS-Bench-201.')
  return [tabular.OPERATIONS.index(name) for name in names]


def columns_of(record: Mapping[str, Any], cell: str) -> dict[str, float]:
  """Return what was measured of one cell.

  Args:
    record: the content of its file.
    cell: its string.

  Returns:
    Dict of numbers, every one the mean over the seeds of a training: accuracies
    in percent after its last epoch, `e12_cifar10_valid` and so on, named as in
    `load_nasbench201`, seconds of training, `params_cifar10`, `flops_cifar10_M`
    and `latency_cifar10_s`. What the file lacks is left out.

  Raises:
    ValueError: if it is no such record.
  """
  values = {}
  try:
    for epochs, results in record.items():
      if results['arch_str'] != cell:
        raise ValueError(f'of {results["arch_str"]}, not {cell}')
      for (dataset, _), run in results['all_results'].items():
        last = int(run['epochs']) - 1
        for trained, evaluated, name in _ACCURACIES:
          accuracy = run['eval_acc1es'].get(f'{evaluated}@{last}')
          if trained == dataset and accuracy is not None:
            values.setdefault(f'e{epochs}_{name}', []).append(accuracy)
        name = _DATASETS[dataset]
        values.setdefault(f'e{epochs}_{name}_train', []).append(
          run['train_acc1es'][last]
        )
        values.setdefault(f'e{epochs}_{name}_seconds', []).append(
          sum((run['train_times'] or {}).values()) or np.nan
        )
        if dataset == 'cifar10':
          values.setdefault('params_cifar10', []).append(
            round(1e6 * run['params'])
          )
          values.setdefault('flops_cifar10_M', []).append(run['flop'])
          values.setdefault('latency_cifar10_s', []).append(
            np.mean(run['latency'] or [np.nan])
          )
    return {name: float(np.mean(runs)) for name, runs in values.items()}
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise ValueError(f'No record of NATS-Bench: {error!r}.') from error


def convert(
  source: str | os.PathLike[str],
  output: str | os.PathLike[str],
  allow_missing: bool = False,
) -> int:
  """Write the table of an official folder; `load_nasbench201` reads it.

  Args:
    source: the folder, `NATS-tss-v1_0-3ffb9-simple`.
    output: file to write, an `.npz`, to be named `nb201_table.npz` for reading.
    allow_missing: whether cells may lack a file; their values are NaN then.

  Returns:
    The number of cells that were found.

  Raises:
    ValueError: if the source is no such folder, or files are missing.
  """
  source, output = pathlib.Path(source), pathlib.Path(output)
  if not (source / META).is_file():
    raise ValueError(f'Expected a folder with {META}, got {source}.')
  if output.suffix != '.npz':
    raise ValueError(f'Expected an output that ends in .npz, got {output}.')
  strings = read_pickle(source / META)['meta_archs']
  ops = np.array([operations(string) for string in strings], np.uint8)
  paths = [source / f'{i:06d}.pickle.pbz2' for i in range(len(strings))]
  missing = [path.name for path in paths if not path.is_file()]
  if missing and not allow_missing:
    raise ValueError(
      f'{len(missing)} of {len(paths)} cells are not in {source}, the first '
      f'{missing[0]}.'
    )
  columns = {}
  for i, path in enumerate(paths):
    if not path.is_file():
      continue
    for name, value in columns_of(read_pickle(path), strings[i]).items():
      empty = np.full(len(paths), np.nan, np.float32)
      columns.setdefault(name, empty)[i] = value
  arrays = dict(ops=ops, op_names=np.array(tabular.OPERATIONS)) | columns
  np.savez_compressed(output, **arrays)
  return len(paths) - len(missing)
