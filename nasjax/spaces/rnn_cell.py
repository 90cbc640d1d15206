"""The recurrent cell space of DARTS: one input a node.

H. Liu, K. Simonyan and Y. Yang, DARTS: Differentiable Architecture Search, ICLR
2019, https://arxiv.org/abs/1806.09055, sections 2.4 and 3.1.2.

State 0 is made of the input and the hidden state; node n, state n + 1, may
receive from all states before it. In an architecture of this space every node
has exactly one input, with a function other than `none`; the edges that are not
used are `none`. The supernet's relaxations use all edges.

The mask's column of `none` concerns relaxations alone: an edge may always be
dropped.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import categorical, rnn_genotypes
from nasjax.types import Arch, Key, Mask, Space

FUNCTIONS = rnn_genotypes.FUNCTIONS
DARTS_V1 = rnn_genotypes.DARTS_V1
DARTS_V2 = rnn_genotypes.DARTS_V2
Genotype = rnn_genotypes.Genotype
derive = rnn_genotypes.derive
edges = rnn_genotypes.edges
from_genotype = rnn_genotypes.from_genotype
to_genotype = rnn_genotypes.to_genotype


def contains(arch: Arch, mask: Mask) -> jax.Array:
  """Return whether every node has one input with an allowed function.

  Args:
    arch: `{'recurrent': int32[E]}`.
    mask: `{'recurrent': bool[E, K]}`.

  Returns:
    `bool[]`.
  """
  cell, allowed = arch['recurrent'], np.asarray(mask['recurrent'])
  num_nodes = rnn_genotypes.num_nodes_of(len(allowed))
  enters = rnn_genotypes.members(num_nodes).astype(np.int32)
  num_inputs = enters @ (cell != 0).astype(jnp.int32)
  may_drop = allowed | (np.arange(allowed.shape[1]) == 0)[None]
  return jnp.all(num_inputs == 1) & categorical.contains(
    arch, {'recurrent': may_drop}
  )


def rnn_cell(
  mask: Mask | None = None,
  num_nodes: int = 8,
  functions: Sequence[str] = FUNCTIONS,
) -> Space:
  """Return the space of recurrent cells, `{'recurrent': int32[E]}`.

  A decision is the input of a node: a pair of source and function. `sample` is
  uniform; `mutate` draws another pair for one node. There are n! (K - 1)^n
  cells: 2,642,411,520 of 8 nodes, more than an int32 can number, so `index` is
  None for them.

  Example:
    >>> space = rnn_cell()
    >>> genotype = to_genotype(space.sample(jax.random.key(0)))

  Args:
    mask: `{'recurrent': bool[E, K]}`, the functions allowed on each edge; by
      default all of them.
    num_nodes: number of nodes N; E is N (N + 1) / 2.
    functions: names of the K choices, `none` first.

  Returns:
    The space.

  Raises:
    ValueError: if `none` is not the first function, the mask has another shape,
      or a node has no edge with a function.

  References:
    DARTS, https://arxiv.org/abs/1806.09055, sections 2.4 and 3.1.2.
  """
  if not functions or functions[0] != 'none':
    raise ValueError(f"functions[0] must be 'none', got {functions}.")
  source, target = map(np.asarray, edges(num_nodes))
  shape, width = (len(source), len(functions)), len(functions) - 1
  mask = categorical.check_mask({'recurrent': shape} if mask is None else mask)
  shapes = jax.tree.map(np.shape, mask)
  if shapes != {'recurrent': shape}:
    raise ValueError(
      f'{num_nodes} nodes and {len(functions)} functions need the mask '
      f"{{'recurrent': bool{list(shape)}}}, got shapes {shapes}."
    )
  pairs = np.zeros((num_nodes, num_nodes, width), bool)
  pairs[target - 1, source] = mask['recurrent'][:, 1:]
  if not pairs.any((1, 2)).all():
    node = int(np.argmin(pairs.any((1, 2))))
    raise ValueError(f'Node {node} has no edge with an allowed function.')
  nodes = categorical.categorical({'pair': pairs.reshape(num_nodes, -1)})

  def to_edges(arch: Arch) -> Arch:
    pair = arch['pair']
    cell = rnn_genotypes.from_inputs(pair // width, 1 + pair % width)
    return {'recurrent': cell}

  def to_pairs(arch: Arch) -> Arch:
    state, function = rnn_genotypes.inputs(arch['recurrent'])
    return {'pair': state * width + function - 1}

  def sample(key: Key) -> Arch:
    return to_edges(nodes.sample(key))

  def mutate(key: Key, arch: Arch) -> Arch:
    return to_edges(nodes.mutate(key, to_pairs(arch)))

  def encode(arch: Arch) -> jax.Array:
    return categorical.encode(arch, mask)

  def index(i: jax.Array) -> Arch:
    return to_edges(nodes.index(i))

  def restrict(other: Mask) -> Space:
    return rnn_cell(categorical.intersect(mask, other), num_nodes, functions)

  return Space(
    sample,
    mutate,
    encode,
    index if nodes.index is not None else None,
    nodes.size,
    mask,
    restrict,
  )
