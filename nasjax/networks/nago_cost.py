"""What a network drawn from a generator takes, from its graphs alone.

Counted is the drawn network: the interpreter (`networks.nago`) has weights in
all places, also in those that a network leaves empty.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.networks import nago
from nasjax.spaces import generators, hierarchies, random_graphs
from nasjax.types import Arch


class Cost(NamedTuple):
  """What a network takes."""

  params: jax.Array  # f32[] weights
  macs: jax.Array  # f32[] multiply-adds of an image
  memory: jax.Array  # f32[] numbers that operations give for one image: what
  # training keeps, and inference writes


def _merge_params(merge, degrees, width):
  """Weights that merge the inputs of nodes, by the number of their inputs."""
  each = {
    'sum': degrees,
    'attention': degrees + 1,
    'concat': degrees * width**2,
  }[merge]
  return jnp.sum(jnp.where(degrees > 1, each, 0))


def _edges(network, arch, table):
  """How many edges cross from stage to stage, from the stem, to the end.

  Returns:
    `f32[S, S]`, edges inside a stage that are weighed on the diagonal; the
    inputs of the top level `f32[S]`, and its outputs `f32[S]`.
  """
  top = arch.top
  sizes = jnp.asarray(table)[jnp.sum(top.mask)]
  ends = jnp.cumsum(sizes)
  of_node = jnp.searchsorted(ends, jnp.arange(len(top.mask)), side='right')
  member = jax.nn.one_hot(of_node, len(network.widths)) * top.mask[:, None]
  weighed = jnp.sum(top.adjacency, axis=0) > 1
  crossing = member.T @ top.adjacency @ member
  inside = member.T @ (top.adjacency & weighed[None, :]) @ member
  same = jnp.eye(len(network.widths), dtype=bool)
  starts, stops = random_graphs.is_input(top), random_graphs.is_output(top)
  return jnp.where(same, inside, crossing), starts @ member, stops @ member


def nago_cost(
  network: nago.Nago, input_shape: tuple[int, int, int], nodes: Sequence[int]
) -> Callable[[hierarchies.Hierarchy], Cost]:
  """Return the cost of any network of some settings.

  Args:
    network: the settings.
    input_shape: of one image, `(H, W, C)`.
    nodes: numbers of them that the top level can have.

  Returns:
    `(arch) -> Cost`.

  Raises:
    ValueError: if the settings cannot be.
  """
  height, width, depth = input_shape
  table = network.check(nodes, min(height, width))
  widths = np.array(network.widths)
  halved = lambda size: [-(-size // 2**s) for s in range(len(widths))]
  pixels = np.array(halved(height)) * np.array(halved(width))
  first, last, head = widths[0], widths[-1], network.head
  norms = 4 * first + 2 * head
  kernels = 9 * first * (depth + first), last * head
  classifier = head * network.num_classes
  fixed = sum(kernels) + norms + classifier + network.num_classes
  fixed_macs = kernels[0] * pixels[0] + kernels[1] * pixels[-1] + classifier

  def cost(arch: hierarchies.Hierarchy) -> Cost:
    edges, starts, stops = _edges(network, arch, table)
    ends = jnp.cumsum(jnp.asarray(table)[jnp.sum(arch.top.mask)])
    params, macs, memory = float(fixed), float(fixed_macs), 0.0
    for s, (size, area) in enumerate(zip(widths.tolist(), pixels.tolist())):
      node = jnp.arange(max(nodes))
      cells = (node < ends[s]) & (node >= (ends[s - 1] if s else 0))
      count = jnp.sum(arch.bottom.mask & cells[:, None, None])
      params += count * (9 * size**2 + 2 * size)
      macs += count * (9 * size**2) * area
      memory += count * size * area
      for level in (arch.middle, arch.bottom):
        degrees = jnp.sum(level.adjacency, axis=-2)
        degrees *= cells.reshape(-1, *(1,) * (degrees.ndim - 1))
        merges = _merge_params(network.merge, degrees, size)
        params += merges
        macs += merges * area if network.merge == 'concat' else 0
      params += edges[s, s]
      entering = starts[s] * first if s else 0
      entering += sum(edges[t, s] * widths[t] for t in range(s))
      params += entering * size
      macs += entering * size * area
      if s < len(widths) - 1:
        params += stops[s] * size * last
        macs += stops[s] * size * last * pixels[-1]
    return Cost(*map(jnp.float32, (params, macs, memory)))

  return cost


def expected(
  network: nago.Nago,
  levels: Sequence[generators.Level],
  input_shape: tuple[int, int, int],
  what: str,
  num_samples: int = 16,
) -> Callable[[Arch], jax.Array]:
  """Return the mean cost of networks of a generator.

  Args:
    network: the settings.
    levels: of the generators.
    input_shape: of one image.
    what: the field of `Cost`, or 'depth', operations on the longest path.
    num_samples: networks drawn, by the same keys for all generators.

  Returns:
    `(arch) -> f32[]` of the parameters of a generator.

  Raises:
    ValueError: if there is no such cost, or the settings cannot be.
  """
  known = (*Cost._fields, 'depth')
  if what not in known:
    raise ValueError(f'Unknown cost {what!r}. Known: {", ".join(known)}.')
  if what == 'depth':
    one = lambda arch: hierarchies.depth(arch).astype(jnp.float32)
  else:
    cost = nago_cost(network, input_shape, levels[0].nodes)
    one = lambda arch: getattr(cost(arch), what)

  def mean(arch: Arch) -> jax.Array:
    keys = jax.random.split(jax.random.key(0), num_samples)
    draws = lambda key: one(generators.realise(levels, key, arch))
    return jnp.mean(jax.vmap(draws)(keys))

  return mean
