"""The official files of NAS-Bench-Graph as a table.

Y. Qin, Z. Zhang, X. Wang, Z. Zhang and W. Zhu, NAS-Bench-Graph: Benchmarking
Graph Neural Architecture Search, 2022, https://arxiv.org/abs/2206.09166.

`light/cora.bench` and so on are pickled dicts of dicts: of a network, its
accuracies, latency and weights. A network is a number: that of its links, nine
in all, and four decimal digits for its operations.
"""

import os
import pathlib

import numpy as np

from nasjax.data import nasbench_graph, pickles

_COLUMNS = ('valid_perf', 'perf', 'latency', 'para')


def _read(path):
  """Return the numbers of all networks and what was measured of them."""
  if not path.is_file():
    raise ValueError(f'Expected the official file {path}: no such file.')
  table = pickles.load(path.read_bytes(), path)
  try:
    rows = [[row[name] for name in _COLUMNS] for row in table.values()]
    numbers = np.array(list(table), int)
    order = np.argsort(numbers)
    return numbers[order], np.array(rows, np.float32)[order]
  except (AttributeError, LookupError, TypeError, ValueError) as error:
    raise ValueError(f'{path} is no such table: {error!r}.') from error


def convert(
  source: str | os.PathLike[str], output: str | os.PathLike[str]
) -> int:
  """Write the table of an official folder; `load_nasbench_graph` reads it.

  Args:
    source: the folder `light`.
    output: file to write, to be named `nas_bench_graph.npz` for reading.

  Returns:
    The number of networks.

  Raises:
    ValueError: if files are missing or are not of the same networks.
  """
  source, output = pathlib.Path(source), pathlib.Path(output)
  if output.suffix != '.npz':
    raise ValueError(f'Expected an output that ends in .npz, got {output}.')
  found = {
    graph: _read(source / f'{graph}.bench') for graph in nasbench_graph.GRAPHS
  }
  numbers, _ = found[nasbench_graph.GRAPHS[0]]
  for graph, (others, _) in found.items():
    if not np.array_equal(others, numbers):
      raise ValueError(f'{graph}.bench in {source} is of other networks.')
  digits = numbers[:, None] // 10 ** np.arange(3, -1, -1) % 10
  np.savez_compressed(
    output,
    link=(numbers // 10**4).astype(np.uint8),
    ops=digits.astype(np.uint8),
    op_names=np.array(nasbench_graph.OPERATIONS),
    columns=np.array(nasbench_graph.MEASURES),
    **{graph: measured for graph, (_, measured) in found.items()},
  )
  return len(numbers)
