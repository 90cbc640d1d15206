"""Tables of measured latencies.

H. Lee, S. Lee, S. Chong and S. J. Hwang, HELP: Hardware-Adaptive Efficient
Latency Prediction for NAS via Meta-Learning, NeurIPS 2021,
https://arxiv.org/abs/2106.08630. The latencies of some devices come from
C. Li et al., HW-NAS-Bench, ICLR 2021, https://arxiv.org/abs/2103.10584.
"""

import os
from typing import NamedTuple

import numpy as np

from nasjax.data import tables, tabular

FILE = 'nb201_latency.npz'
FBNET_FILE = 'fbnet_latency.npz'
_SOURCE = (
  'It is a re-encoding of data/nasbench201 and data/fbnet of '
  'https://github.com/HayeonLee/HELP.'
)


class FBNet(NamedTuple):
  """Architectures of the space of FBNet and what was measured of them."""

  arch: np.ndarray  # u8[N, 22] block of every layer
  blocks: tuple[str, ...]  # names of the K blocks
  columns: dict[str, np.ndarray]  # f32[N] milliseconds on a device
  proxies: dict[str, np.ndarray]  # f32[N] scores of untrained networks


def _by_name(path, arrays, names, values, num_rows):
  """Return the rows of a matrix by their names."""
  labels = arrays.pop(names, np.array([])).tolist()
  if len(set(labels)) != len(labels) or not labels:
    raise ValueError(f'{names} in {path} must be names, got {labels}.')
  shape = (len(labels), num_rows)
  matrix = tables.take(path, arrays, values, 'float32', shape)
  if not np.isfinite(matrix).all():
    raise ValueError(f'{values} in {path} must be finite.')
  return dict(zip(labels, matrix))


def load_nasbench201_latency(
  data_dir: str | os.PathLike[str] | None = None,
) -> tabular.NasBench201:
  """Return how long the networks of NAS-Bench-201 take on 27 devices.

  Args:
    data_dir: folder of the file, by default `$NASJAX_DATA_DIR`.

  Returns:
    The table, with a column of milliseconds for every device, such as 'pixel2',
    '1080ti_256' (batches of 256 images) or 'eyeriss';
    `tabular.values_by_index` orders it as the space counts.

  Raises:
    ValueError: if the file is absent or is not what it should be.

  References:
    Lee et al., HELP, https://arxiv.org/abs/2106.08630.
  """
  path = tables.find(FILE, data_dir, _SOURCE)
  arrays = tables.read(path)
  columns = _by_name(path, arrays, 'devices', 'latency_ms', tabular.NUM_CELLS)
  return tabular.check_cells(path, arrays | columns)


def load_fbnet_latency(
  data_dir: str | os.PathLike[str] | None = None,
) -> FBNet:
  """Return how long 5,000 networks of FBNet's space take on 27 devices.

  Args:
    data_dir: folder of the file, by default `$NASJAX_DATA_DIR`.

  Returns:
    The table.

  Raises:
    ValueError: if the file is absent or is not what it should be.

  References:
    Lee et al., HELP, https://arxiv.org/abs/2106.08630; the space is that of Wu
    et al., FBNet, https://arxiv.org/abs/1812.03443.
  """
  path = tables.find(FBNET_FILE, data_dir, _SOURCE)
  arrays = tables.read(path)
  arch = tables.take(path, arrays, 'arch', 'uint8', (None, 22))
  blocks = tuple(arrays.pop('op_names', np.array([])).tolist())
  if arch.max(initial=0) >= len(blocks):
    raise ValueError(
      f'arch in {path} must count the {len(blocks)} op_names, got '
      f'{arch.max(initial=0)}.'
    )
  columns = _by_name(path, arrays, 'devices', 'latency_ms', len(arch))
  arrays['proxies'] = arrays.get('proxies', np.array([])).T
  proxies = _by_name(path, arrays, 'proxy_names', 'proxies', len(arch))
  return FBNet(arch, blocks, columns, proxies)
