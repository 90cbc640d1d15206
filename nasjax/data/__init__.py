"""Data: the only floor that reads files, and the batches made from them."""
from nasjax.data.arrays import Dataset
from nasjax.data.arrays import digits
from nasjax.data.arrays import from_numpy
from nasjax.data.arrays import split
from nasjax.data.augment import cifar_augment
from nasjax.data.cifar10 import load_cifar10
from nasjax.data.streams import batches
from nasjax.data.streams import evaluation_batches
from nasjax.data.streams import joint
from nasjax.data.streams import stream
from nasjax.data.streams import weighted_mean
from nasjax.data.tfds import from_tfds
from nasjax.data.tfds import tfds_source

__all__ = (
    'Dataset',
    'batches',
    'cifar_augment',
    'digits',
    'evaluation_batches',
    'from_numpy',
    'from_tfds',
    'joint',
    'load_cifar10',
    'split',
    'stream',
    'tfds_source',
    'weighted_mean',
)
