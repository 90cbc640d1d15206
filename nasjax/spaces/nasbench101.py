"""The cell space of NAS-Bench-101: graphs of at most 7 vertices and 9 edges.

C. Ying et al., NAS-Bench-101: Towards Reproducible Neural Architecture Search,
ICML 2019, https://arxiv.org/abs/1902.09635, section 2.1.

A cell has 21 possible edges, in the order 0>1, 0>2, 1>2, 0>3, ..., 5>6, and one
of 3 operations on each of the vertices 1 to 5; 0 is the input and 6 the output.
Many such arrays are one cell: what is on no path from input to output does not
count (`prune`), nor do the names of vertices (`code`). 423,624 cells remain.

Deviations
  * The authors' random search draws every edge with probability 1/2. That is
    far from uniform over cells: 7 vertices count in 0.3 % of its valid draws,
    and in 85 % of the cells. Here `sample` is uniform over cells; with a mask
    that allows everything it is the authors'.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import (
  categorical,
  nasbench101_cells,
  nasbench101_classes,
  nasbench101_edits,
  nasbench101_sequences,
)
from nasjax.types import Arch, Key, Mask, Space

OPERATIONS = nasbench101_cells.OPERATIONS
EDGES = nasbench101_cells.EDGES
NUM_CELLS = nasbench101_classes.NUM_CELLS
adjacency = nasbench101_cells.adjacency
code = nasbench101_cells.code
is_valid = nasbench101_cells.is_valid
prune = nasbench101_cells.prune
row_of = nasbench101_cells.row_of
edits = nasbench101_edits.edits
neighbours = nasbench101_edits.neighbours
to_sequence = nasbench101_sequences.to_sequence
from_sequence = nasbench101_sequences.from_sequence
is_valid_sequence = nasbench101_sequences.is_valid
sequence_mask = nasbench101_sequences.mask

_SHAPES = {
  'edge': (len(EDGES), 2),
  'op': (len(nasbench101_cells.INTERIOR), len(OPERATIONS)),
}


def contains(arch: Arch, mask: Mask) -> jax.Array:
  """Return whether an architecture is a valid cell of allowed choices.

  Args:
    arch: `{'edge': int32[21], 'op': int32[5]}`.
    mask: `{'edge': bool[21, 2], 'op': bool[5, 3]}`.

  Returns:
    `bool[]`.
  """
  return categorical.contains(arch, mask) & is_valid(arch)


def _check_mask(mask):
  """Return a mask and whether it allows two architectures or more."""
  mask = categorical.intersect(categorical.check_mask(_SHAPES), mask)
  # What fits has a path, and still fits with no optional edge but those of the
  # path, or with one more of its own: those two kinds decide.
  forced = mask['edge'].argmax(-1)
  inner = nasbench101_cells.INTERIOR
  paths = [
    [EDGES.index(edge) for edge in itertools.pairwise([0, *vertices, 6])]
    for size in range(len(inner) + 1)
    for vertices in itertools.combinations(inner, size)
  ]
  on_path = np.array([np.isin(np.arange(len(EDGES)), path) for path in paths])
  more = np.eye(len(EDGES) + 1, len(EDGES), dtype=bool)
  edge = (forced | on_path[:, None] | more[None]).reshape(-1, len(EDGES))
  op = np.broadcast_to(mask['op'].argmax(-1), (len(edge), len(inner)))
  archs = {'edge': edge.astype(np.int32), 'op': op}
  fits = jax.jit(jax.vmap(lambda arch: contains(arch, mask)))(archs)
  fits = np.asarray(fits)
  if not fits.any():
    raise ValueError(
      'No cell of the mask has a path from input to output and at most '
      f'{nasbench101_cells.MAX_EDGES} edges that count.'
    )
  several = len(np.unique(edge[fits], axis=0)) > 1
  return mask, several or (mask['op'].sum(-1) > 1).any()


def _sample_arrays(key, mask):
  """Draw allowed choices uniformly until they make a valid cell."""
  draw = categorical.categorical(mask).sample

  def again(carry):
    key, arch_key = jax.random.split(carry[0])
    return key, draw(arch_key)

  start = again((key, None))
  return jax.lax.while_loop(lambda carry: ~is_valid(carry[1]), again, start)[1]


def nasbench101(
  mask: Mask | None = None,
  cells: np.ndarray | None = None,
  mutation_rate: float | None = None,
) -> Space:
  """Return the space of NAS-Bench-101, `{'edge': int32[21], 'op': int32[5]}`.

  `sample` is uniform over the 423,624 cells, or over the rows of a table, and
  `index` counts them; both give pruned arrays. With a mask `sample` is uniform
  over the valid arrays that it allows, drawn until one is valid (73 % are
  without restriction), not over cells, and there is no `index`.

  `mutate` draws uniformly among all edits of one decision, an edge or an
  operation, that leave a valid cell. Edits of what does not count are among
  them: they are how a vertex is added. With a `mutation_rate` r it is the
  one of White et al., `perturb`, until the cell is valid and other arrays.
  In the space of a table it is `perturb`, given that it ends at another row:
  row i, with d edges and e operations other than those of the cell, is drawn
  with a probability proportional to (p / (1 - p))^d (q / (2 - 2 q))^e, where
  p = r / 21, q = r / 5 and r is 1 by default.

  Example:
    >>> space = nasbench101()
    >>> arch = space.sample(jax.random.key(0))

  Args:
    mask: `{'edge': bool[21, 2], 'op': bool[5, 3]}`, the choices allowed; all by
      default.
    cells: codes of the rows of a table, `int32[N]`; by default of all cells.
    mutation_rate: r, 1 in published runs; by default one edit is made.

  Returns:
    The space.

  Raises:
    ValueError: if no valid cell fits the mask, if there is a mask and a table,
      or rows of a table repeat, or if the rate is not between 0 and 5.

  References:
    Ying et al., NAS-Bench-101, https://arxiv.org/abs/1902.09635; mutation rate:
    White, Nolen and Savani, https://arxiv.org/abs/2005.02960.
  """
  if mask is not None and cells is not None:
    raise ValueError('Expected a mask or the cells of a table, got both.')
  rate = 1.0 if mutation_rate is None else mutation_rate
  if isinstance(rate, int | float) and not 0 < rate < 5:
    raise ValueError(f'Expected a mutation_rate between 0 and 5, got {rate}.')
  is_masked, is_table = mask is not None, cells is not None
  if is_masked:
    mask, has_mutations = _check_mask(mask)
  else:
    mask = categorical.check_mask(_SHAPES)
    cells = nasbench101_classes.all_codes() if cells is None else cells
    cells = np.asarray(cells, np.int32)
    has_mutations = len(cells) > 1
  if is_table:
    row_of(cells)  # raises where rows repeat
    rows = jax.vmap(nasbench101_edits.bits)(
      jax.vmap(nasbench101_cells.decode)(cells)
    )

  def index(i: jax.Array) -> Arch:
    return nasbench101_cells.decode(jnp.asarray(cells)[i])

  def sample(key: Key) -> Arch:
    if is_masked:
      return _sample_arrays(key, mask)
    return index(jax.random.randint(key, (), 0, len(cells)))

  def fits_mask(arch):
    return contains(arch, mask) if is_masked else is_valid(arch)

  def change(key, arch):
    if mutation_rate is not None:
      return nasbench101_edits.perturb(key, arch, rate)
    edits = nasbench101_edits.edits(arch)
    fits = jax.vmap(fits_mask)(edits)
    pick = jax.random.categorical(key, jnp.where(fits, 0.0, -jnp.inf))
    return jax.tree.map(lambda leaf: leaf[pick], edits)

  def mutate(key: Key, arch: Arch) -> Arch:
    if not has_mutations:
      raise ValueError('A space of one architecture has no mutations.')
    if is_table:
      return index(nasbench101_edits.draw_row(key, arch, rows, rate))

    key, child_key = jax.random.split(key)
    start = key, change(child_key, arch)
    if mutation_rate is None and not is_masked:
      return start[1]  # without a mask every cell has a valid edit

    def unfit(carry):
      child = carry[1]
      return ~fits_mask(child) | ~nasbench101_edits.differ(child, arch)

    def again(carry):
      key, child_key = jax.random.split(carry[0])
      return key, nasbench101_edits.perturb(child_key, arch, rate)

    return jax.lax.while_loop(unfit, again, start)[1]

  def encode(arch: Arch) -> jax.Array:
    return categorical.encode(arch, mask)

  def restrict(other: Mask) -> Space:
    if is_table:
      raise ValueError('The space of a table cannot be restricted by a mask.')
    return nasbench101(categorical.intersect(mask, other), None, mutation_rate)

  if is_masked:
    return Space(sample, mutate, encode, None, None, mask, restrict)
  return Space(sample, mutate, encode, index, len(cells), mask, restrict)
