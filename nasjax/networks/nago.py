"""The network of NAGO: one program for all hierarchical graphs.

B. Ru, P. Esperanca and F. Carlucci, Neural Architecture Generator Optimization,
NeurIPS 2020, https://arxiv.org/abs/2004.01395; stages, merging, stem and head
as in the authors' program. The graphs of all three levels are data, see `dag`;
nodes of the bottom level are ReLU, convolution 3x3, normalisation.

Deviations
  * Width and size change on the edges into a later stage, by pooling and a 1x1
    convolution; the program has 3x3 convolutions of two widths in a cell
    instead where there is only one such edge.
  * Nodes of the top level, whose widths differ, merge by weighted sums alone.
  * The width is given; the program scales it until a network has a given number
    of weights. No dropout, no biases of convolutions.
"""

from collections.abc import Sequence
import functools
from typing import NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax.networks import dag, layers
from nasjax.spaces import hierarchies, random_graphs


def stage_sizes(num_nodes: int, ratios: Sequence[float]) -> list[int]:
  """Return how many of the nodes of the top level are in every stage.

  Node i is in the first stage whose ratio, added to those before, times the
  number of nodes exceeds i; as many nodes as stages are one each.

  Args:
    num_nodes: n, at least the number of stages.
    ratios: of the stages.

  Returns:
    The sizes, which add up to n.

  Raises:
    ValueError: if the ratios do not add up to one, or a stage has no node.
  """
  if abs(sum(ratios) - 1) > 1e-6:
    raise ValueError(f'Ratios of stages must add up to 1, got {ratios}.')
  if num_nodes == len(ratios):
    return [1] * num_nodes
  ends = np.ceil(np.cumsum(ratios) * num_nodes - 1e-4).astype(int)
  sizes = np.diff(ends, prepend=0).tolist()
  if min(sizes) < 1:
    raise ValueError(
      f'Of {num_nodes} nodes of the top level, a stage of the ratios {ratios} '
      f'has none: {sizes}.'
    )
  return sizes


def stage_table(num_places: int, ratios: Sequence[float]) -> np.ndarray:
  """Return `stage_sizes` for up to so many nodes, `int[num_places + 1, S]`."""
  table = np.zeros((num_places + 1, len(ratios)), int)
  for num_nodes in range(len(ratios), num_places + 1):
    table[num_nodes] = stage_sizes(num_nodes, ratios)
  return table


class _Stage(NamedTuple):
  """The P places of a stage."""

  nodes: jax.Array  # i32[P] of the top level
  exists: jax.Array  # bool[P]


def _stages(top, table):
  """The places of all stages, as many as a stage can have."""
  sizes = jnp.asarray(table)[jnp.sum(top.mask)]
  starts = jnp.cumsum(sizes) - sizes
  stages = []
  for s, capacity in enumerate(table.max(0).tolist()):
    place = jnp.arange(capacity)
    nodes = jnp.minimum(starts[s] + place, len(top.mask) - 1)
    stages.append(_Stage(nodes, place < sizes[s]))
  return stages


class _Carry(nn.Module):
  """What Q nodes read of P others of another stage: pooled, by 1x1 kernels."""

  features: int
  num_halvings: int

  @nn.compact
  def __call__(self, link, y):
    for _ in range(self.num_halvings):
      y = jax.vmap(layers.halve)(y)
    shape = (*link.shape, y.shape[-1], self.features)
    kernel = self.param('kernel', layers.fan_in_uniform(y.shape[-1]), shape)
    kernel = link[..., None, None] * kernel
    return jnp.einsum('pbhwc,pqcf->qbhwf', y, kernel)


class Nago(nn.Module):
  """Stem, stages of cells that are graphs of graphs, and head.

  Attributes:
    num_classes: number of logits.
    channels: width of the first stage.
    channel_ratios: widths of the stages, in those of the first.
    stage_ratios: shares of the nodes of the top level that stages have. Every
      stage after the first halves the image.
    merge: how nodes of cells and of graphs of operations merge several inputs:
      'sum' with weights (paper), 'attention' or 'concat'.
    head: channels of the last 1x1 convolution.
    track: whether running statistics are kept, as for `NasBench201`.
  """

  num_classes: int = 10
  channels: int = 16
  channel_ratios: tuple[int, ...] = (1, 2, 4)
  stage_ratios: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)
  merge: str = 'sum'
  head: int = 1280
  track: bool = False

  @property
  def widths(self) -> tuple[int, ...]:
    """Channels of the stages."""
    return tuple(self.channels * ratio for ratio in self.channel_ratios)

  def check(self, nodes: Sequence[int], size: int) -> np.ndarray:
    """Return `stage_table` of a top level with such numbers of nodes, or raise.

    Args:
      nodes: numbers that the top level can have; the largest has all places.
      size: of the images, in pixels.

    Returns:
      `int[max(nodes) + 1, S]`.

    Raises:
      ValueError: if a setting, or images of this size, cannot be.
    """
    if self.merge not in dag.MERGES:
      raise ValueError(f'Unknown merge {self.merge!r}. Known: {dag.MERGES}.')
    if len(self.channel_ratios) != len(self.stage_ratios):
      raise ValueError(
        f'Ratios of as many stages are needed, got {self.channel_ratios} of '
        f'channels and {self.stage_ratios} of nodes.'
      )
    if size < 2 ** (len(self.widths) - 1):
      raise ValueError(f'Images of {size} pixels are too small.')
    if min(nodes) < len(self.widths):
      raise ValueError(
        f'Each of {len(self.widths)} stages needs a node of the top level, '
        f'which can have {min(nodes)}.'
      )
    return stage_table(max(nodes), self.stage_ratios)

  @nn.compact
  def __call__(
    self, arch: hierarchies.Hierarchy, x: chex.Array, train: bool = True
  ) -> chex.Array:
    """Return logits `[B, num_classes]` of images `[B, H, W, C]`.

    They are NaN where the top level has fewer nodes than there are stages.

    Args:
      arch: the graphs; see `spaces.generators.realise`.
      x: images.
      train: whether running statistics, if kept, are updated rather than used.
    """
    arch = jax.tree.map(jnp.asarray, arch)
    table = self.check(arch.top.mask.shape, min(x.shape[1:3]))
    stages = _stages(arch.top, table)
    stem = self._stem(x, train)
    entrances = random_graphs.is_input(arch.top)
    outputs = []
    for s, stage in enumerate(stages):
      # What comes from the stem, from stages before, and from this one.
      links = [entrances[None, stage.nodes]]
      links += [arch.top.adjacency[t.nodes][:, stage.nodes] for t in stages[:s]]
      links += [arch.top.adjacency[stage.nodes][:, stage.nodes]]
      exist = [jnp.ones(1, bool), *(t.exists for t in stages[: s + 1])]
      links = [
        link & rows[:, None] & stage.exists[None]
        for link, rows in zip(links, exist)
      ]
      inner = jax.tree.map(
        lambda leaf, stage=stage: leaf[stage.nodes], (arch.middle, arch.bottom)
      )
      y = dag.run_places(
        self._cell(train),
        'sum',
        links[-1],
        sum(jnp.sum(link, axis=0) for link in links),
        stage.exists,
        self._entries(s, links[:-1], [stem[None], *outputs]),
        inner,
        f'stage_{s}',
      )
      outputs.append(y)
    x = self._last(arch.top, stages, outputs)
    x = layers.Conv(self.head, name='head')(layers.Relu()(x))
    x = layers.BatchNorm(track=self.track, name='head_norm')(x, train)
    x = jnp.mean(layers.Relu()(x), axis=(1, 2))
    logits = layers.Dense(self.num_classes, name='classifier')(x)
    is_whole = jnp.sum(arch.top.mask) >= len(stages)
    return jnp.where(is_whole, logits, jnp.nan)

  def _stem(self, x, train):
    for i in (0, 1):
      x = layers.Relu()(x) if i else x
      x = layers.Conv(self.channels, (3, 3), name=f'stem_{i}')(x)
      x = layers.BatchNorm(track=self.track, name=f'stem_norm_{i}')(x, train)
    return x

  def _cell(self, train):
    """The module of a cell: a graph of graphs of operations."""
    operation = functools.partial(dag.Operation, self.track, train)
    # Without this, every node of a graph keeps copies of those before it.
    graph = functools.partial(nn.remat(dag.Graph), operation, self.merge)
    return functools.partial(dag.Graph, graph, self.merge)

  def _entries(self, s, links, sources):
    """What nodes of a stage read from before the stage, `[P, B, H, W, C]`."""
    links = [link.astype(y.dtype) for link, y in zip(links, sources)]
    if s == 0:  # the stem has the width and the size of the first stage
      return jnp.tensordot(links[0].T, sources[0], 1)
    return sum(
      _Carry(self.widths[s], s - max(i - 1, 0), name=f'carry_{i}_{s}')(link, y)
      for i, (link, y) in enumerate(zip(links, sources))
    )

  def _last(self, top, stages, outputs):
    """The mean of the outputs of the top level, in the form of the last."""
    ends = random_graphs.is_output(top)
    shares = [
      ((ends[stage.nodes] & stage.exists) / jnp.sum(ends)).astype(y.dtype)
      for stage, y in zip(stages, outputs)
    ]
    last = len(stages) - 1
    total = jnp.tensordot(shares[last], outputs[last], 1)
    for s in range(last):
      carry = _Carry(self.widths[last], last - s, name=f'last_{s}')
      total += carry(shares[s][:, None], outputs[s])[0]
    return total
