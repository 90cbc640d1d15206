"""Tests for the readers of latency tables."""

import itertools

import numpy as np
import pytest

from nasjax.data import latency, tabular


def _write(folder, **changes):
  ops = np.array(list(itertools.product(range(5), repeat=6)), np.uint8)[::-1]
  arrays = dict(
    ops=ops,
    devices=np.array(['phone', 'card']),
    latency_ms=np.stack([ops.sum(1), ops[:, 0]]).astype(np.float32),
  )
  np.savez(folder / latency.FILE, **(arrays | changes))
  arch = np.array([[0] * 22, [1] * 22], np.uint8)
  arrays = dict(
    arch=arch,
    op_names=np.array(['small', 'large']),
    devices=np.array(['phone']),
    latency_ms=np.array([[1, 2]], np.float32),
    proxy_names=np.array(['params', 'flops', 'zen']),
    proxies=np.arange(6, dtype=np.float32).reshape(2, 3),
  )
  np.savez(folder / latency.FBNET_FILE, **(arrays | changes))


def test_latencies_of_a_device_are_ordered_as_the_space_counts(tmp_path):
  _write(tmp_path)
  table = latency.load_nasbench201_latency(tmp_path)
  assert sorted(table.columns) == ['card', 'phone']
  values = tabular.values_by_index(table, 'card')
  np.testing.assert_array_equal(values, np.repeat(np.arange(5), 3_125))


def test_fbnet_has_devices_and_proxies_by_name(tmp_path):
  _write(tmp_path)
  table = latency.load_fbnet_latency(tmp_path)
  assert table.blocks == ('small', 'large')
  assert table.columns['phone'].tolist() == [1, 2]
  assert table.proxies['flops'].tolist() == [1, 4]


def test_wrong_tables_are_refused(tmp_path):
  both = latency.load_nasbench201_latency, latency.load_fbnet_latency
  cases = [
    (both, dict(latency_ms=np.zeros((3, 4), np.float32)), 'latency_ms .* must'),
    (both, dict(devices=np.array(['a', 'a'])), 'devices .* must be names'),
    (both[:1], dict(ops=np.zeros((15_625, 6), np.uint8)), 'exactly once'),
    (
      both[1:],
      dict(arch=np.full((2, 22), 2, np.uint8)),
      'count the 2 op_names',
    ),
    (both[1:], dict(proxies=np.zeros((2, 2), np.float32)), 'proxies .* must'),
    (
      both[1:],
      dict(latency_ms=np.array([[1, np.nan]], np.float32)),
      'must be finite',
    ),
  ]
  for loaders, changes, message in cases:
    _write(tmp_path, **changes)
    for load in loaders:
      with pytest.raises(ValueError, match=message):
        load(tmp_path)


@pytest.mark.data
def test_the_real_tables_have_their_known_sizes(data_dir):
  table = latency.load_nasbench201_latency(data_dir)
  assert len(table.columns) == 27
  assert all(column.min() > 0 for column in table.columns.values())
  accuracies = tabular.load_nasbench201(data_dir)
  np.testing.assert_array_equal(table.ops, accuracies.ops)
  fbnet = latency.load_fbnet_latency(data_dir)
  assert fbnet.arch.shape == (5_000, 22)
  assert (len(fbnet.blocks), len(fbnet.columns), len(fbnet.proxies)) == (
    9, 27, 13,
  )  # fmt: skip
