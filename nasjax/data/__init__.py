"""Data: the only floor that reads files, and the batches made from them."""

from nasjax.data.arrays import Dataset, digits, from_numpy, split
from nasjax.data.augment import cifar_augment
from nasjax.data.cifar10 import load_cifar10
from nasjax.data.streams import (
  batches,
  evaluation_batches,
  joint,
  stream,
  weighted_mean,
)
from nasjax.data.text import documentation, excerpt, load_ptb, read_text
from nasjax.data.text_streams import text_batches, text_pieces
from nasjax.data.tfds import from_tfds, tfds_source

__all__ = (
  'Dataset',
  'batches',
  'cifar_augment',
  'digits',
  'documentation',
  'evaluation_batches',
  'excerpt',
  'from_numpy',
  'from_tfds',
  'joint',
  'load_cifar10',
  'load_ptb',
  'read_text',
  'split',
  'stream',
  'text_batches',
  'text_pieces',
  'tfds_source',
  'weighted_mean',
)
