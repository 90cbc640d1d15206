"""A supernet of two decisions among three linear maps, and its batches."""

from types import SimpleNamespace

import jax
import numpy as np

from nasjax import choice
from nasjax.spaces import categorical

NUM_DECISIONS, NUM_CHOICES, NUM_FEATURES, NUM_CLASSES = 2, 3, 5, 4
INPUT_SHAPE = (NUM_FEATURES,)
SPACE = categorical.categorical({'op': (NUM_DECISIONS, NUM_CHOICES)})
BRANCHES = [lambda rows, x, k=k: x @ rows[k] for k in range(NUM_CHOICES)]


def _apply(variables, arch, x):
  """Sum over decisions of the chosen linear map."""
  return sum(
    choice.switch(c, BRANCHES, rows, x)
    for c, rows in zip(arch['op'], variables['params']['w'])
  )


def _init(key, arch, x):
  del arch
  shape = (NUM_DECISIONS, NUM_CHOICES, x.shape[-1], NUM_CLASSES)
  return {'params': {'w': jax.random.normal(key, shape)}}


NETWORK = SimpleNamespace(init=_init, apply=_apply)


def batches(num_steps, num_examples=6):
  """Random examples, `[T, N, ...]`."""
  rng = np.random.default_rng(0)
  shape = (num_steps, num_examples)
  return {
    part: {
      'image': np.float32(rng.normal(size=(*shape, NUM_FEATURES))),
      'label': rng.integers(NUM_CLASSES, size=shape, dtype=np.int32),
    }
    for part in ('train', 'valid')
  }
