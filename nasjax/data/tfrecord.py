"""TFRecord files and protocol buffers, read without TensorFlow.

A TFRecord file is a sequence of

  length u64 | checksum u32 | that many bytes | checksum u32   (little endian)

and a protocol buffer one of fields, each a tag and a value:
https://protobuf.dev/programming-guides/encoding. Checksums are not compared:
what is damaged is found out when it is parsed.
"""

from collections.abc import Iterator
import struct
from typing import BinaryIO

_MAX_RECORD = 2**20  # bytes
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def records(file: BinaryIO) -> Iterator[bytes]:
  """Yield the records of an open TFRecord file.

  Args:
    file: opened for reading bytes.

  Returns:
    Iterator over the bytes of every record.

  Raises:
    ValueError: if the file is none, or ends within a record.
  """
  number = 0
  while header := file.read(12):
    length = struct.unpack('<Q', header[:8])[0] if len(header) == 12 else 0
    if not 0 < length <= _MAX_RECORD:
      raise ValueError(
        f'Record {number} has no valid header: no TFRecord file?'
      )
    record = file.read(length + 4)
    if len(record) < length + 4:
      raise ValueError(f'The file ends within record {number}.')
    yield record[:length]
    number += 1


def _varint(data, position):
  """Return an integer of 7 bits a byte and the position after it."""
  value = shift = 0
  while True:
    byte = data[position]
    value |= (byte & 127) << shift
    position, shift = position + 1, shift + 7
    if byte < 128:
      return value, position


def fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
  """Yield the fields of a protocol buffer.

  Args:
    message: the serialised message.

  Returns:
    Iterator over numbers of fields and their values: ints, floats, or the bytes
    of texts and messages.

  Raises:
    ValueError: if it ends early or has a field of another kind.
  """
  position = 0
  try:
    while position < len(message):
      tag, position = _varint(message, position)
      kind = tag & 7
      if kind == _VARINT:
        value, position = _varint(message, position)
      elif kind == _FIXED64:
        value = struct.unpack_from('<d', message, position)[0]
        position += 8
      elif kind == _FIXED32:
        value = struct.unpack_from('<f', message, position)[0]
        position += 4
      elif kind == _BYTES:
        length, position = _varint(message, position)
        value = message[position : position + length]
        position += length
      else:
        raise ValueError(f'A protocol buffer has no field of kind {kind}.')
      yield tag >> 3, value
  except (IndexError, struct.error) as error:
    raise ValueError('The protocol buffer ends within a field.') from error
  if position > len(message):
    raise ValueError('The protocol buffer ends within a field.')
