"""Tests for the conversion of NATS-Bench's official files."""

import bz2
import collections
import gzip
import itertools
import json
import pickle

import numpy as np
import pytest

from nasjax.data import convert_nats, tabular
from nasjax.spaces import nasbench201


def _strings():
  cells = itertools.product(range(5), repeat=6)
  return [nasbench201.to_string({'op': cell}) for cell in cells]


def _save(path, content):
  path.write_bytes(bz2.compress(pickle.dumps(content, protocol=4)))


def _run(dataset, sets, accuracy, epochs):
  """Returns one training as official files have it."""
  names = [f'{name}@{i}' for name in sets for i in range(epochs)]
  last = {name: accuracy * name.endswith(f'@{epochs - 1}') for name in names}
  return {
    'name': dataset,
    'epochs': epochs,
    'train_acc1es': dict.fromkeys(range(epochs), accuracy + 1),
    'train_times': collections.OrderedDict.fromkeys(range(epochs), 2.5),
    'eval_acc1es': last,
    'params': np.float64(0.129306),
    'flop': np.float32(15.5),
    'latency': [0.25, 0.75],
    'net_state_dict': None,
  }


def _record(cell):
  runs = {
    ('cifar10-valid', 777): _run('cifar10-valid', ['x-valid'], 60.0, 12),
    ('cifar10-valid', 111): _run('cifar10-valid', ['x-valid'], 64.0, 12),
    ('cifar10', 111): _run('cifar10', ['ori-test'], 70.0, 12),
    ('cifar100', 111): _run('cifar100', ['x-valid', 'x-test'], 30.0, 12),
  }
  results = {'arch_str': cell, 'all_results': runs}
  return collections.OrderedDict({'12': results})


def test_a_folder_becomes_a_table_that_the_reader_takes(tmp_path):
  strings = _strings()[::-1]
  _save(tmp_path / convert_nats.META, {'meta_archs': strings})
  _save(tmp_path / '000002.pickle.pbz2', _record(strings[2]))
  output = tmp_path / tabular.FILE
  with pytest.raises(ValueError, match='15624 of 15625 cells are not in'):
    convert_nats.convert(tmp_path, output)
  assert convert_nats.convert(tmp_path, output, allow_missing=True) == 1
  table = tabular.load_nasbench201(tmp_path)
  assert nasbench201.to_string({'op': table.ops[2]}) == strings[2]
  row = {name: float(column[2]) for name, column in table.columns.items()}
  assert row['e12_cifar10_valid'] == 62
  assert row['e12_cifar10_test'] == 70
  assert row['e12_cifar100_test'] == row['e12_cifar100_valid'] == 30
  assert row['e12_cifar10valid_train'] == 63
  assert row['e12_cifar10_seconds'] == 30
  assert row['params_cifar10'] == 129_306
  assert row['flops_cifar10_M'] == 15.5
  assert row['latency_cifar10_s'] == 0.5
  assert 'e12_imagenet16_test' not in row
  assert np.isnan(np.delete(table.columns['e12_cifar10_valid'], 2)).all()


def test_files_of_other_cells_or_folders_are_refused(tmp_path):
  strings, output = _strings(), tmp_path / 'a.npz'
  with pytest.raises(ValueError, match='folder with meta.pickle'):
    convert_nats.convert(tmp_path, output)
  meta = tmp_path / convert_nats.META
  _save(meta, {'meta_archs': strings})
  first = tmp_path / '000000.pickle.pbz2'
  for record in (_record(strings[1]), {'12': 3}, {'12': {}}, [1]):
    _save(first, record)
    with pytest.raises(ValueError, match='No record of NATS-Bench'):
      convert_nats.convert(tmp_path, output, allow_missing=True)
  with pytest.raises(ValueError, match='ends in .npz'):
    convert_nats.convert(tmp_path, tmp_path / 'a')
  _save(meta, {'meta_archs': ['|none~0|']})
  with pytest.raises(ValueError, match='no cell of NAS-Bench-201'):
    convert_nats.convert(tmp_path, output)


class _Call:
  """Pickles as a call of any function."""

  def __init__(self, function, *arguments):
    self.call = function, arguments

  def __reduce__(self):
    return self.call


def test_a_pickle_cannot_run_anything(tmp_path):
  path = tmp_path / 'a.pickle.pbz2'
  marker = tmp_path / 'marker'
  for call in (
    _Call(marker.write_text, 'x'),
    _Call(eval, '1'),
    _Call(np.load, 'x'),
    _Call(getattr, {}, 'x'),
  ):
    _save(path, {'12': call})
    with pytest.raises(ValueError, match='is not data'):
      convert_nats.read_pickle(path)
  assert not marker.exists()
  path.write_bytes(b'no bzip2')
  with pytest.raises(ValueError, match='Cannot read'):
    convert_nats.read_pickle(path)


def test_numbers_of_old_and_new_numpy_are_read(tmp_path):
  path = tmp_path / 'a.pickle.pbz2'
  content = {'a': np.float64(0.1), 'b': np.int32(7), 'c': [1.5, None, 'x']}
  for module in (b'numpy._core.multiarray', b'numpy.core.multiarray'):
    # Protocol 3 writes names of modules as lines of text.
    data = pickle.dumps(content, protocol=3)
    data = data.replace(b'numpy._core.multiarray', module)
    path.write_bytes(bz2.compress(data))
    assert convert_nats.read_pickle(path) == content


@pytest.mark.data
def test_published_curves_give_the_values_of_the_table(data_dir):
  with gzip.open(data_dir / 'nats_bench_sample_curves.json.gz') as file:
    curves = json.load(file)['tss']
  table = tabular.load_nasbench201(data_dir)
  for index, by_epochs in curves.items():
    record, cell = {}, None
    for epochs, by_dataset in by_epochs.items():
      runs = {}
      for dataset, by_seed in by_dataset.items():
        for seed, run in by_seed.items():
          cell = run['arch']
          seconds = run['train_time_s_per_epoch']
          runs[dataset, int(seed)] = {
            'epochs': run['epochs'],
            'train_acc1es': {int(i): a for i, a in run['train_acc'].items()},
            'train_times': dict.fromkeys(range(run['epochs']), seconds),
            'eval_acc1es': run['eval_acc'],
            'params': run['params_M'],
            'flop': run['flop_M'],
            'latency': run['latency_s'],
          }
      record[epochs] = {'arch_str': cell, 'all_results': runs}
    values = convert_nats.columns_of(record, cell)
    assert convert_nats.operations(cell) == table.ops[int(index)].tolist()
    shared = values.keys() & table.columns.keys()
    assert len(shared) == 9
    for name in shared:
      np.testing.assert_allclose(
        values[name], table.columns[name][int(index)], atol=6e-3
      )
