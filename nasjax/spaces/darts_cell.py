"""The cell space of DARTS: two inputs a node.

H. Liu, K. Simonyan and Y. Yang, DARTS: Differentiable Architecture Search, ICLR
2019, https://arxiv.org/abs/1806.09055, sections 2.1 and 2.4.

A cell has two inputs (states 0 and 1) and `num_nodes` intermediate nodes; node
i may receive from all 2 + i states before it. In an architecture of this space
every node has exactly two inputs, each with an operation other than `none`; the
edges that are not used are `none`. The supernet's relaxations use all edges.

The mask's column of `none` concerns relaxations alone (a supernet without the
zero operation): an edge may always be dropped.
"""

from collections.abc import Sequence
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import categorical, genotypes
from nasjax.types import Arch, Key, Mask, Space

OPERATIONS = genotypes.OPERATIONS
DARTS_V1 = genotypes.DARTS_V1
DARTS_V2 = genotypes.DARTS_V2
Genotype = genotypes.Genotype
derive = genotypes.derive
edges = genotypes.edges
from_genotype = genotypes.from_genotype
to_genotype = genotypes.to_genotype


def contains(arch: Arch, mask: Mask) -> jax.Array:
  """Return whether every node has two inputs with allowed operations.

  Args:
    arch: pytree of `int32[..., E]`.
    mask: pytree of `bool[..., E, K]`.

  Returns:
    `bool[]`.
  """

  def has_two_inputs(cell):
    used = (jnp.asarray(cell) != 0).astype(jnp.int32)
    num_nodes = genotypes.num_nodes_of(used.shape[-1])
    num_inputs = used @ genotypes.siblings(num_nodes).astype(np.int32)
    return jnp.all(num_inputs == 2)

  may_drop = jax.tree.map(
    lambda allowed: np.concatenate(
      [np.ones_like(allowed[..., :1]), allowed[..., 1:]], -1
    ),
    mask,
  )
  valid = jax.tree.leaves(jax.tree.map(has_two_inputs, arch))
  return jnp.all(jnp.stack(valid)) & categorical.contains(arch, may_drop)


def _input_pairs(
  allowed: np.ndarray, num_nodes: int
) -> tuple[np.ndarray, np.ndarray]:
  """Return all pairs of inputs of every node and how many cells use each.

  Args:
    allowed: `bool[C, E, K]`, without `none`, of C cells.
    num_nodes: N intermediate nodes.

  Returns:
    `bool[N, P, E]`, the two edges of a pair, padded with empty pairs, and
    `int[C, N, P]`, the number of ways to put operations on them.
  """
  target = np.asarray(genotypes.edges(num_nodes)[1])
  num_ops = allowed.sum(-1)
  nodes = [
    list(itertools.combinations(np.flatnonzero(target == n).tolist(), 2))
    for n in range(2, 2 + num_nodes)
  ]
  shape = (num_nodes, max(map(len, nodes)))
  members = np.zeros(shape + target.shape, bool)
  ways = np.zeros(allowed.shape[:1] + shape, int)
  for n, pairs in enumerate(nodes):
    for p, (a, b) in enumerate(pairs):
      members[n, p, [a, b]] = True
      ways[:, n, p] = num_ops[:, a] * num_ops[:, b]
  return members, ways


def _logits(allowed: np.ndarray | jax.Array) -> jax.Array:
  return jnp.where(allowed, 0.0, -jnp.inf)


def darts_cell(
  mask: Mask | None = None,
  num_nodes: int = 4,
  operations: Sequence[str] = OPERATIONS,
  num_cells: int | None = None,
) -> Space:
  """Return the space of DARTS cells, named `normal` and `reduce`: `int32[E]`.

  `sample` is uniform over the space. `mutate` draws uniformly among all changes
  of one decision: another operation on a used edge, or an input of a node moved
  to a source that it does not use yet. A moved input keeps its operation, or
  draws an allowed one where the mask forbids it. There are too many
  architectures for an int32, so `index` is None.

  Example:
    >>> space = darts_cell()
    >>> genotype = to_genotype(space.sample(jax.random.key(0)))

  Args:
    mask: pytree of `bool[E, K]`, the operations allowed on each edge; by
      default all of them in two leaves, `normal` and `reduce`. Leaves of
      `bool[cells, E, K]` make cells that share nothing.
    num_nodes: number of intermediate nodes; E is n (n + 3) / 2.
    operations: names of the K choices, `none` first.
    num_cells: where no mask is given, number of cells that share nothing, in
      one leaf `cells` of `int32[num_cells, E]`, in the place of the two kinds.

  Returns:
    The space.

  Raises:
    ValueError: if `none` is not the first operation, the mask has other shapes,
      or a node has fewer than two edges with an operation.

  References:
    DARTS, https://arxiv.org/abs/1806.09055, sections 2.1 and 2.4.
  """
  if not operations or operations[0] != 'none':
    raise ValueError(f"operations[0] must be 'none', got {operations}.")
  targets = genotypes.edges(num_nodes)[1]
  shape = (len(targets), len(operations))
  if mask is None:
    mask = {'normal': shape, 'reduce': shape}
    if num_cells is not None:
      mask = {'cells': np.ones((num_cells, *shape), bool)}
  mask = categorical.check_mask(mask)
  for leaf in jax.tree.leaves(mask):
    if leaf.shape[-2:] != shape:
      raise ValueError(
        f'{num_nodes} nodes and {len(operations)} operations need masks of '
        f'shape {shape}, got {leaf.shape}.'
      )
  leaves, structure = jax.tree.flatten(mask)
  allowed = np.concatenate([leaf.reshape(-1, *shape) for leaf in leaves])
  allowed[..., 0] = False
  members, ways = _input_pairs(allowed, num_nodes)
  if not ways.any(-1).all():
    cell, node = np.argwhere(~ways.any(-1))[0]
    raise ValueError(
      f'Node {node} of cell {cell} has fewer than two edges with an allowed '
      'operation.'
    )
  siblings = genotypes.siblings(num_nodes)[None]
  size = math.prod(ways.sum(-1).ravel().tolist())

  def join(arch):
    return jnp.concatenate(
      [leaf.reshape(-1, shape[0]) for leaf in jax.tree.leaves(arch)]
    )

  def split(cells):
    sizes = [leaf[..., 0, 0].size for leaf in leaves]
    parts = jnp.split(cells, np.cumsum(sizes)[:-1])
    return structure.unflatten(
      [part.reshape(leaf.shape[:-1]) for part, leaf in zip(parts, leaves)]
    )

  def sample(key: Key) -> Arch:
    pair_key, op_key = jax.random.split(key)
    with np.errstate(divide='ignore'):
      pair = jax.random.categorical(pair_key, jnp.asarray(np.log(ways)))
    used = jnp.any(
      jnp.asarray(members)[jnp.arange(num_nodes)[None], pair], axis=1
    )
    ops = jax.random.categorical(op_key, _logits(allowed))
    return split(jnp.where(used, ops, 0).astype(jnp.int32))

  def mutate(key: Key, arch: Arch) -> Arch:
    if size == 1:
      raise ValueError('A space of one architecture has no mutations.')
    pick_key, op_key = jax.random.split(key)
    cells = join(arch)
    used = cells != 0
    new_op = (
      used[..., None]
      & allowed
      & (jnp.arange(shape[1])[None, None] != cells[..., None])
    )
    free = ~used & allowed.any(-1)
    move = used[..., None] & free[:, None] & siblings
    neighbours = jnp.concatenate([new_op, move], axis=-1)
    pick = jax.random.categorical(pick_key, _logits(neighbours).ravel())
    cell, edge, what = jnp.unravel_index(pick, neighbours.shape)
    is_move = what >= shape[1]
    target = jnp.where(is_move, what - shape[1], edge)
    options = jnp.asarray(allowed)[cell, target]
    old = cells[cell, edge]
    drawn = jax.random.categorical(op_key, _logits(options))
    moved = jnp.where(options[old], old, drawn)
    op = jnp.where(is_move, moved, what).astype(jnp.int32)
    return split(cells.at[cell, edge].set(0).at[cell, target].set(op))

  def encode(arch: Arch) -> jax.Array:
    return categorical.encode(arch, mask)

  def restrict(other: Mask) -> Space:
    return darts_cell(categorical.intersect(mask, other), num_nodes, operations)

  return Space(sample, mutate, encode, None, size, mask, restrict)
