"""Encodings of cells by the paths from their input to their output.

C. White, W. Neiswanger and Y. Savani, BANANAS: Bayesian Optimization with
Neural Architectures for Neural Architecture Search, AAAI 2021,
https://arxiv.org/abs/1910.11858, section 4.

A path is the sequence of operations on it. Feature i says whether the cell has
path i; short paths come first, and within a length the operation nearest to the
input counts fastest:

  i(op_1, ..., op_l) = sum_(j < l) K^j + sum_j K^(j - 1) op_j

The first features are those of the paths that random cells are likely to have:
truncated encodings are prefixes.
"""

from collections.abc import Sequence
import itertools

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench101_cells, nasbench201
from nasjax.types import Arch

NASBENCH101_FEATURES = 364
NASBENCH201_FEATURES = 155


def nasbench101_paths(
  arch: Arch, num_features: int = NASBENCH101_FEATURES
) -> jax.Array:
  """Return which paths a NAS-Bench-101 cell has.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`.
    num_features: F, how many of the 1 + 3 + 9 + 27 + 81 + 243 paths to keep; 40
      in the paper's truncated encoding.

  Returns:
    `f32[F]`, 0 or 1.
  """
  matrix = nasbench101_cells.adjacency(arch).astype(jnp.float32)
  ops = jax.nn.one_hot(arch['op'], len(nasbench101_cells.OPERATIONS))
  # paths[v][l]: the sequences of l operations that lead to the entry of v.
  paths = [[jnp.ones(1)]]
  for v in range(1, nasbench101_cells.NUM_VERTICES):
    paths.append([])
    for length in range(v):
      sources = range(max(length, 1), v) if length else [0]
      before = [
        matrix[u, v] * _through(ops[u - 1], paths[u][length - 1])
        if length
        else matrix[u, v] * paths[u][0]
        for u in sources
      ]
      paths[v].append(_any(before))
  return jnp.concatenate(paths[nasbench101_cells.OUTPUT])[:num_features]


def _through(op, sequences):
  """Append an operation, the slowest digit, to sequences of operations."""
  return jnp.ravel(op[:, None] * sequences[None])


def _any(terms: Sequence[jax.Array]) -> jax.Array:
  return jnp.max(jnp.stack(terms), axis=0)


def nasbench201_paths(
  arch: Arch, num_features: int = NASBENCH201_FEATURES
) -> jax.Array:
  """Return which paths a NAS-Bench-201 cell has.

  The cell has four: one of a single edge, two of two and one of three. `none`
  is an operation like the others.

  Args:
    arch: `{'op': int32[6]}`.
    num_features: F, how many of the 5 + 25 + 125 paths to keep; 30 leaves out
      the path of three edges.

  Returns:
    `f32[F]`, 0 or 1.
  """
  num_ops = len(nasbench201.OPERATIONS)
  op, features = jnp.asarray(arch['op']), []
  for length, paths in itertools.groupby(nasbench201.PATHS, len):
    places = num_ops ** np.arange(length, dtype=np.int32)
    has = [
      jax.nn.one_hot(op[np.array(path)] @ places, num_ops**length)
      for path in paths
    ]
    features.append(_any(has))
  return jnp.concatenate(features)[:num_features]
