"""Changes of NAS-Bench-101 cells: single edits, neighbours, perturbations.

C. White, S. Nolen and Y. Savani, Exploring the Loss Landscape in Neural
Architecture Search, 2021, https://arxiv.org/abs/2005.02960: the neighbourhood
of their local search and the mutation of their evolution, as in their code.

The notebook of C. Ying et al., NAS-Bench-101, 2019,
https://arxiv.org/abs/1902.09635, mutates likewise but flips every edge with
probability r / 7.
"""

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import nasbench101_cells
from nasjax.types import Arch, Key

_NUM_EDGES = len(nasbench101_cells.EDGES)
_NUM_VERTICES = len(nasbench101_cells.INTERIOR)
_NUM_OPS = len(nasbench101_cells.OPERATIONS)


def differ(arch: Arch, other: Arch) -> jax.Array:
  """Return whether two architectures are different arrays, `bool[]`."""
  edge, op = arch['edge'] != other['edge'], arch['op'] != other['op']
  return jnp.any(edge) | jnp.any(op)


def edits(arch: Arch) -> Arch:
  """Return the 31 architectures in which one decision is another.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`.

  Returns:
    `{'edge': int32[31, 21], 'op': int32[31, 5]}`: the 21 flips of an edge, then
    the two other operations of every vertex. Some may not be valid.
  """
  num_edits = _NUM_EDGES + _NUM_VERTICES * (_NUM_OPS - 1)
  flips = np.eye(num_edits, _NUM_EDGES, dtype=np.int32)
  steps = np.zeros((num_edits, _NUM_VERTICES), np.int32)
  for i in range(_NUM_EDGES, num_edits):
    vertex, step = divmod(i - _NUM_EDGES, _NUM_OPS - 1)
    steps[i, vertex] = step + 1
  return {
    'edge': jnp.asarray(arch['edge'])[None] ^ flips,
    'op': (jnp.asarray(arch['op'])[None] + steps) % _NUM_OPS,
  }


def neighbours(arch: Arch) -> tuple[Arch, jax.Array]:
  """Return the edits of a cell, and which of them are cells of another effect.

  The neighbourhood of published local searches: another operation on a vertex
  that counts, an edge less that counted, or one more that counts then.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`, a cell in the benchmark.

  Returns:
    The 31 architectures of `edits`, and `bool[31]`.
  """
  archs = edits(arch)
  pruned = nasbench101_cells.prune(arch)

  def is_neighbour(edit):
    other = differ(nasbench101_cells.prune(edit), pruned)
    return other & nasbench101_cells.is_valid(edit)

  return archs, jax.vmap(is_neighbour)(archs)


def perturb(key: Key, arch: Arch, rate: float | jax.Array = 1.0) -> Arch:
  """Return an architecture with every decision changed with some probability.

  Args:
    key: random key.
    arch: `{'edge': int32[21], 'op': int32[5]}`.
    rate: r, the expected number of changes among edges, and that among
      operations: every edge flips with probability r / 21, every operation is
      another with probability r / 5.

  Returns:
    `{'edge': int32[21], 'op': int32[5]}`, perhaps the same, perhaps not valid.
  """
  edge_key, op_key, step_key = jax.random.split(key, 3)
  flips = jax.random.bernoulli(edge_key, rate / _NUM_EDGES, (_NUM_EDGES,))
  changes = jax.random.bernoulli(op_key, rate / _NUM_VERTICES, (_NUM_VERTICES,))
  steps = jax.random.randint(step_key, (_NUM_VERTICES,), 1, _NUM_OPS)
  return {
    'edge': arch['edge'] ^ flips.astype(jnp.int32),
    'op': (arch['op'] + changes * steps) % _NUM_OPS,
  }


def bits(arch: Arch) -> tuple[jax.Array, jax.Array]:
  """Return edges and one-hot operations as the bits of two ints.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`.

  Returns:
    `int32[]` of 21 bits and `int32[]` of 15.
  """
  edges = 1 << np.arange(_NUM_EDGES, dtype=np.int32)
  vertices = _NUM_OPS * np.arange(_NUM_VERTICES, dtype=np.int32)
  return jnp.asarray(arch['edge']) @ edges, jnp.sum(1 << vertices + arch['op'])


def draw_row(
  key: Key,
  arch: Arch,
  rows: tuple[jax.Array, jax.Array],
  rate: float | jax.Array = 1.0,
) -> jax.Array:
  """Return the row of a table at which a perturbation ends, given that it does.

  With d edges and e operations other than those of the cell, row i is drawn
  with a probability proportional to `(p / (1 - p))^d (q / (2 - 2 q))^e`, where
  `p = r / 21` and `q = r / 5`; the row of the cell itself never is.

  Args:
    key: random key.
    arch: `{'edge': int32[21], 'op': int32[5]}`, a cell in the benchmark; its
      canonical form is compared.
    rows: `bits` of the rows' canonical forms, two `int32[N]` with N > 1.
    rate: r, less than 5.

  Returns:
    `int32[]`.
  """
  own = bits(nasbench101_cells.decode(nasbench101_cells.code(arch)))
  edge, op = [lax.population_count(row ^ one) for row, one in zip(rows, own)]
  edge_odds = rate / (_NUM_EDGES - rate)
  op_odds = rate / ((_NUM_OPS - 1) * (_NUM_VERTICES - rate))
  # Another operation is two other bits of a one-hot vector.
  weights = edge_odds**edge * op_odds ** (op // 2)
  weights = jnp.where((edge > 0) | (op > 0), weights, 0.0)
  # Inversion: one random number instead of one a row. Rounding must not lead to
  # the end, which may be the row of the cell.
  ends = jnp.cumsum(weights)
  place = jax.random.uniform(key, maxval=1 - 1e-6) * ends[-1]
  return jnp.searchsorted(ends, place, side='right')
