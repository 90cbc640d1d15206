"""Tests for the conversion of NAS-Bench-101's official files."""

import base64
import io
import json
import struct

import numpy as np
import pytest

from nasjax.data import convert_nasbench101, nasbench101, tfrecord

_KEYS = ('ff' * 16, '0a' * 16)


def _varint(value):
  parts = []
  while value > 127:
    parts.append(value & 127 | 128)
    value >>= 7
  return bytes([*parts, value])


def _double(number, value):
  return _varint(number << 3 | 1) + struct.pack('<d', value)


def _text(number, value):
  return _varint(number << 3 | 2) + _varint(len(value)) + value


def _evaluation(epoch, seconds, train, valid, test):
  values = (epoch, seconds, train, valid, test)
  path = _text(6, b'/model.ckpt-1')
  return b''.join(_double(i, v) for i, v in enumerate(values, 1)) + path


def _training(key, epochs, valid, num_params=8_555_530):
  """Returns a record as the official files have them."""
  last = _evaluation(epochs, 1768.0, 1.0, valid, valid - 0.25)
  metrics = (
    _text(1, _evaluation(0, 0.0, 0.1, 0.1, 0.1))
    + _text(1, _evaluation(epochs / 2, 884.0, 0.5, 0.5, 0.5))
    + _text(1, last)
    + _varint(2 << 3)
    + _varint(num_params)
    + _double(3, 2000.0)
  )
  adjacency, ops = '010001000', 'input,maxpool3x3,output'
  return json.dumps(
    [key, epochs, adjacency, ops, base64.encodebytes(metrics).decode()]
  ).encode()


def _write(path, records):
  with path.open('wb') as file:
    for record in records:
      file.write(struct.pack('<QI', len(record), 7) + record + b'\0' * 4)


def _trainings():
  """Returns two runs of 4 and of 108 epochs, of two cells."""
  return [
    _training(key, epochs, 0.5 + 0.125 * i + 0.25 * (epochs == 108))
    for key in _KEYS
    for epochs in (108, 4)
    for i in range(2)
  ]


def test_a_file_becomes_a_table_that_the_reader_takes(tmp_path):
  _write(tmp_path / 'a.tfrecord', _trainings())
  output = tmp_path / nasbench101.FILE
  sizes = convert_nasbench101.convert(tmp_path / 'a.tfrecord', output)
  assert sizes == (2, 2, 2)
  table = nasbench101.load_nasbench101(tmp_path)
  assert [bytes(key).hex() for key in table.md5] == sorted(_KEYS)
  columns = table.columns
  np.testing.assert_allclose(columns['e4_valid'], 56.25)
  np.testing.assert_allclose(columns['e108_valid_runs'], [[75, 87.5]] * 2)
  np.testing.assert_allclose(columns['e108_test'], 56.25)
  np.testing.assert_allclose(columns['e4_train'], 100)
  np.testing.assert_allclose(columns['e108_seconds'], 1768)
  assert columns['trainable_parameters'].tolist() == [8_555_530] * 2
  assert table.archs['op'][0].tolist() == [2, 0, 0, 0, 0]


def test_other_files_are_refused(tmp_path):
  source, output = tmp_path / 'a.tfrecord', tmp_path / 'a.npz'
  good = _trainings()
  bad_key = _training('xy', 4, 0.5)
  cases = [
    ([], 'is empty'),
    (good[:-1], r'have \[1, 2\] runs'),
    (good[4:] + [_training(_KEYS[1], 12, 0.5)], 'runs'),
    ([b'{}'], 'No training of NAS-Bench-101'),
    ([b'["a", 4, "01", "input", "AAAA"]'], 'No training of NAS-Bench-101'),
    ([good[0].replace(b'maxpool', b'avgpool')], 'is no cell'),
    ([good[0].replace(b'010001000', b'0100')], 'is no cell'),
    ([bad_key], 'is no cell'),
  ]
  for records, message in cases:
    _write(source, records)
    with pytest.raises(ValueError, match=message):
      convert_nasbench101.convert(source, output)
  assert not output.exists()
  with pytest.raises(ValueError, match='official .tfrecord'):
    convert_nasbench101.convert(tmp_path / 'b', output)
  with pytest.raises(ValueError, match='ends in .npz'):
    convert_nasbench101.convert(source, tmp_path / 'table')


def test_a_damaged_file_is_found_out():
  record = struct.pack('<QI', 3, 0) + b'abc' + b'\0' * 4
  assert list(tfrecord.records(io.BytesIO(2 * record))) == [b'abc'] * 2
  for data, message in [
    (record + record[:-1], 'ends within record 1'),
    (record + record[:5], 'Record 1 has no valid header'),
    (b'\xff' * 40, 'Record 0 has no valid header'),
  ]:
    with pytest.raises(ValueError, match=message):
      list(tfrecord.records(io.BytesIO(data)))


def test_fields_of_every_kind_are_read():
  message = (
    _varint(1 << 3) + _varint(300)
    + _double(2, 0.1)
    + _text(16, b'abc')
    + _varint(4 << 3 | 5) + struct.pack('<f', 0.5)
  )  # fmt: skip
  assert list(tfrecord.fields(message)) == [
    (1, 300), (2, 0.1), (16, b'abc'), (4, 0.5),
  ]  # fmt: skip
  for end in range(len(message)):
    if end not in (0, 3, 12, 18):  # whole fields
      with pytest.raises(ValueError, match='ends within a field'):
        list(tfrecord.fields(message[:end]))
  with pytest.raises(ValueError, match='no field of kind 3'):
    list(tfrecord.fields(_varint(1 << 3 | 3)))
