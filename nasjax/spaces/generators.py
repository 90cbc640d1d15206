"""Generators of hierarchical graphs: what NAGO searches.

B. Ru, P. Esperanca and F. Carlucci, Neural Architecture Generator Optimization,
NeurIPS 2020, https://arxiv.org/abs/2004.01395. A network is a graph of cells, a
cell a graph of graphs of operations. The graphs are random ones; what is
searched is the eight parameters of their three distributions:

  top     Watts-Strogatz, N nodes, degree K, rewired with probability P
  middle  Erdos-Renyi, N nodes, edges with probability P
  bottom  Watts-Strogatz, N nodes, degree K, rewired with probability P

Every cell, and every graph of operations, is a draw of its own. The ranges, the
number of tries and the direction of edges are those of the authors' program.

Deviations
  * Probabilities are options of a grid, so all strategies for choices apply.
  * What is still not connected after all tries is joined by a path; the
    program uses it as it is.
"""

from collections.abc import Callable, Sequence
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax.spaces import categorical, hierarchies, random_graphs
from nasjax.types import Arch, Key, Space

LEVELS = ('top', 'middle', 'bottom')
_PARAMETERS = {
  'watts_strogatz': ('nodes', 'degree', 'probability'),
  'erdos_renyi': ('nodes', 'probability'),
  'barabasi_albert': ('nodes', 'degree'),
}
_TRIES = {'watts_strogatz': 200, 'erdos_renyi': 30, 'barabasi_albert': 1}


class Level(NamedTuple):
  """The graphs of a level: a model, and the options of its parameters."""

  model: str  # a function of `random_graphs`
  nodes: tuple[int, ...]
  degree: tuple[int, ...] = ()
  probability: tuple[float, ...] = ()


def nago_levels(
  max_nodes: int = 10, min_middle: int = 3
) -> tuple[Level, Level, Level]:
  """Return the levels of the paper, with up to so many nodes each.

  Args:
    max_nodes: N is an option from 3 to this (paper: 10).
    min_middle: the least N of cells; with 1 a cell may be a single graph of
      operations, but not two.

  Returns:
    The levels, from top to bottom.

  Raises:
    ValueError: if there is no option.
  """
  if max_nodes < 3 or min_middle not in (1, 3):
    raise ValueError(
      'Graphs have from 3 nodes to max_nodes, cells perhaps a single one; got '
      f'max_nodes={max_nodes}, min_middle={min_middle}.'
    )
  nodes = tuple(range(3, max_nodes + 1))
  tenths = tuple(i / 10 for i in range(1, 11))
  ring = Level('watts_strogatz', nodes, (2, 3, 4, 5), tenths)
  single = (1,) if min_middle == 1 else ()
  return ring, Level('erdos_renyi', single + nodes, (), tenths[1:]), ring


def _check(levels):
  if len(levels) != len(LEVELS):
    raise ValueError(f'Expected levels {LEVELS}, got {len(levels)} of them.')
  for name, level in zip(LEVELS, levels):
    if level.model not in _PARAMETERS:
      raise ValueError(
        f'Unknown model {level.model!r} of {name} graphs. Known: '
        f'{", ".join(sorted(_PARAMETERS))}.'
      )
    needed = _PARAMETERS[level.model]
    given = tuple(f for f in Level._fields[1:] if getattr(level, f))
    if given != needed:
      raise ValueError(
        f'{level.model} has the parameters {", ".join(needed)}; the {name} '
        f'level has options of {", ".join(given) or "none"}.'
      )


def generator(levels: Sequence[Level]) -> Space:
  """Return the space of the parameters of a generator.

  Example:
    >>> space = generator(nago_levels())
    >>> space.size
    7372800

  Args:
    levels: from top to bottom, see `nago_levels`.

  Returns:
    The space; its leaves are named by level and parameter, `top_nodes`.

  Raises:
    ValueError: if a model is unknown or lacks options.
  """
  _check(levels)
  return categorical.categorical(
    {
      f'{name}_{parameter}': (1, len(getattr(level, parameter)))
      for name, level in zip(LEVELS, levels)
      for parameter in _PARAMETERS[level.model]
    }
  )


def parameters(
  levels: Sequence[Level], arch: Arch
) -> dict[str, dict[str, jax.Array]]:
  """Return the values of the parameters.

  Args:
    levels: of the generator.
    arch: index choices.

  Returns:
    `f32[]` or `i32[]`, by level and name.
  """
  return {
    name: {
      parameter: jnp.asarray(getattr(level, parameter))[
        arch[f'{name}_{parameter}'][0]
      ]
      for parameter in _PARAMETERS[level.model]
    }
    for name, level in zip(LEVELS, levels)
  }


def coordinates(levels: Sequence[Level]) -> Callable[[Arch], jax.Array]:
  """Return where parameters lie between their first and last options.

  Args:
    levels: of the generator.

  Returns:
    `(arch) -> f32[F]`, F = 8 for the models of the paper, each from 0 to 1; of
    a parameter with one option 0.
  """

  def place(arch: Arch) -> jax.Array:
    rows = []
    for level, values in zip(levels, parameters(levels, arch).values()):
      for parameter, value in values.items():
        options = getattr(level, parameter)
        span = max(options) - min(options)
        rows.append((value - min(options)) / (span or 1))
    return jnp.stack(rows).astype(jnp.float32)

  return place


def _graph(level, key, values):
  """Draw one graph of a level."""
  size = max(level.nodes)
  model = getattr(random_graphs, level.model)
  draw = functools.partial(model, size=size, **values)
  return random_graphs.connected_dag(
    draw, key, values['nodes'], _TRIES[level.model]
  )


def _restrict(dag, exists):
  """Return graphs `[..., N, N]`, empty ones where nothing exists."""
  return random_graphs.Dag(
    dag.adjacency & exists[..., None, None], dag.mask & exists[..., None]
  )


def realise(
  levels: Sequence[Level], key: Key, arch: Arch
) -> hierarchies.Hierarchy:
  """Draw a network from a generator.

  Args:
    levels: of the generator.
    key: of the draw: the same parameters make another network with another key.
    arch: parameters of the generator, index choices.

  Returns:
    The network; its shapes depend on the levels alone.
  """
  top_key, middle_key, bottom_key = jax.random.split(key, 3)
  top_values, middle_values, bottom_values = parameters(levels, arch).values()
  num_cells, num_graphs = (max(level.nodes) for level in levels[:2])
  top = _graph(levels[0], top_key, top_values)
  middle = jax.vmap(lambda key: _graph(levels[1], key, middle_values))(
    jax.random.split(middle_key, num_cells)
  )
  middle = _restrict(middle, top.mask)
  draw = lambda key: _graph(levels[2], key, bottom_values)
  keys = jax.random.split(bottom_key, (num_cells, num_graphs))
  bottom = jax.vmap(jax.vmap(draw))(keys)
  return hierarchies.Hierarchy(top, middle, _restrict(bottom, middle.mask))


def realise_all(
  levels: Sequence[Level], archs: Arch, seed: int = 0
) -> hierarchies.Hierarchy:
  """Draw a network from each of B generators, each by a key of its own.

  Args:
    levels: of the generators.
    archs: their parameters, pytree of `[B, ...]`.
    seed: of the draws.

  Returns:
    The networks, stacked along an axis B.
  """
  keys = jax.random.split(jax.random.key(seed), len(jax.tree.leaves(archs)[0]))
  draw = lambda key, arch: realise(levels, key, arch)
  return jax.jit(jax.vmap(draw))(keys, archs)
