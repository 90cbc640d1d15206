"""The networks of DARTS: the search supernet and what is derived from it.

Liu, Simonyan, Yang, DARTS: Differentiable Architecture Search, 2019
(https://arxiv.org/abs/1806.09055), sections 2.1 and 3. One class: relaxed
choices make the supernet (1,930,618 weights at 16 channels and 8 cells), static
ones the evaluation network (3,349,342 at 36 channels and 20 cells for DARTS_V2,
with `affine`, without `pool_norm`), index ones any child in one program.
"""

from collections.abc import Mapping
from typing import Any

import chex
from flax import linen as nn
import jax.numpy as jnp

from nasjax.networks import cell, heads, layers
from nasjax.networks import operations as operations_lib
from nasjax.spaces import genotypes
from nasjax.types import Arch


class Darts(nn.Module):
  """Cells in a row, reductions at one and two thirds of the depth.

  Without reductions (`reduction_cells=()`) all cells are normal and so is the
  architecture, `{'normal': ...}`.

  Attributes:
    num_classes: number of logits.
    channels: of the first cells; doubled by each reduction.
    num_cells: depth L.
    num_nodes: inner nodes of a cell.
    reduction_cells: the cells that halve the image; None for those at one and
      two thirds of the depth.
    classifier_bias: whether the classifier has a bias; without, logits are
      linear in the features.
    affine: whether normalisation inside cells scales and shifts (evaluation).
    pool_norm: whether pools are followed by normalisation (search).
    node_norm: whether nodes are normalised (search with weights of operations
      that do not sum to one); by the batch, so not of networks that `track`.
    track: whether running statistics are kept, for networks trained to be
      used; without them the network is a pure map.
    auxiliary: whether a second classifier sits at two thirds of the depth;
      training then returns `(logits, auxiliary logits)`.
    stem: 'cifar', one convolution, or 'imagenet', three that reduce the image
      to an eighth.
    parts: K of partial channels (PC-DARTS: 4 in the search), see
      `networks.partial`; divides `channels`.
    drop_skips: whether `drop_path` drops identities and nothing else (P-DARTS),
      not everything else.
    operations: names of the K operations, in the order of the space.
    custom_operations: further names and their factories `(Site) -> module`.
    cells: for every layer the row of `arch['cells']` that it takes, where cells
      have choices of their own (D-DARTS, costs of edges); None for the two
      kinds of cell.
    operations_per_edge: how many choices every edge has, next to each other;
      their results add up.
  """

  num_classes: int = 10
  channels: int = 16
  num_cells: int = 8
  num_nodes: int = 4
  reduction_cells: tuple[int, ...] | None = None
  classifier_bias: bool = True
  affine: bool = False
  pool_norm: bool = True
  node_norm: bool = False
  track: bool = False
  auxiliary: bool = False
  stem: str = 'cifar'
  parts: int = 1
  drop_skips: bool = False
  operations: tuple[str, ...] = genotypes.OPERATIONS
  custom_operations: Mapping[str, Any] | None = None
  cells: tuple[int, ...] | None = None
  operations_per_edge: int = 1

  @property
  def edges(self) -> tuple[tuple[int, int], ...]:
    """`(source, target)` of every edge; 0 and 1 are the cell's inputs."""
    return tuple(
      (source, target)
      for target in range(2, 2 + self.num_nodes)
      for source in range(target)
      for _ in range(self.operations_per_edge)
    )

  @property
  def reductions(self) -> tuple[int, ...]:
    """The cells that halve the image."""
    if self.reduction_cells is None:
      return self.num_cells // 3, 2 * self.num_cells // 3
    return self.reduction_cells

  @property
  def kinds(self) -> tuple[str, ...]:
    """The leaf of the architecture that every cell takes."""
    return tuple(
      'reduce' if i in self.reductions else 'normal'
      for i in range(self.num_cells)
    )

  @nn.compact
  def __call__(
    self,
    arch: Arch,
    x: chex.Array,
    train: bool = True,
    drop_path: chex.Numeric | None = None,
  ) -> chex.Array | tuple[chex.Array, chex.Array]:
    """Return logits `[N, num_classes]` of images `[N, H, W, C]`.

    Args:
      arch: `{'normal': ..., 'reduce': ...}`, choices of every edge of the two
        kinds of cell, in any form; with `cells` `{'cells': ...}`, whose rows
        they name.
      x: images; with two reductions both sides at least 4 pixels (32 with the
        ImageNet stem).
      train: whether running statistics, if kept, are updated rather than used.
      drop_path: probability of dropping an edge of an example, needs the rng
        stream 'drop_path'; None for no dropping.
    """
    self._check(arch, x.shape)
    before_last, last, reduced = self._stem(x, train)
    channels = self.channels
    auxiliary = None
    for i in range(self.num_cells):
      reduction = i in self.reductions
      channels *= 2 if reduction else 1
      inputs = self._preprocess(i, before_last, last, channels, reduced, train)
      nodes = self._cell(i, channels, reduction)(
        self._choices(arch, i), inputs, train, drop_path
      )
      output = jnp.concatenate(list(nodes), axis=-1)
      before_last, last, reduced = last, output, reduction
      if i == 2 * self.num_cells // 3 and self.auxiliary and train:
        auxiliary = heads.AuxiliaryHead(
          self.num_classes,
          3 if self.stem == 'cifar' else 2,
          self.stem == 'cifar',
          name='auxiliary',
        )(output, train)
    self.sow('intermediates', 'features', last)
    x = jnp.mean(last, axis=(1, 2))
    logits = layers.Dense(
      self.num_classes, self.classifier_bias, name='classifier'
    )(x)
    return logits if auxiliary is None else (logits, auxiliary)

  def _check(self, arch, shape):
    if self.cells is not None:
      rows = len(arch['cells'])
      if len(self.cells) != self.num_cells or max(self.cells) >= rows:
        raise ValueError(
          f'{self.num_cells} layers need as many rows of the {rows} cells of '
          f'the architecture, got {self.cells}.'
        )
    strides = {'cifar': 1, 'imagenet': 8}
    if self.stem not in strides:
      raise ValueError(f'Unknown stem {self.stem!r}. Known: cifar, imagenet.')
    if self.node_norm and self.track:
      raise ValueError(
        'node_norm takes the statistics of the batch: a network that keeps '
        'running ones (track) cannot have it.'
      )
    smallest = strides[self.stem] * 2 ** len(self.reductions)
    if min(shape[1:3]) < smallest:
      raise ValueError(
        f'The {self.stem} stem and {len(self.reductions)} reductions need '
        f'images of at least {smallest} pixels a side, got '
        f'{shape[1]}x{shape[2]}.'
      )
    wrong = [i for i in self.reductions if not 0 <= i < self.num_cells]
    if wrong:
      raise ValueError(
        f'Reductions must be cells from 0 to {self.num_cells - 1}, got {wrong}.'
      )

  def _choices(self, arch, i):
    """Return the choices of cell i."""
    if self.cells is None:
      return arch[self.kinds[i]]
    return arch['cells'][self.cells[i]]

  def _stem(self, x, train):
    """Return the two inputs of the first cell, and whether the last reduces."""

    def conv_norm(x, features, stride, relu):
      x = layers.Relu()(x) if relu else x
      x = layers.Conv(features, (3, 3), stride)(x)
      return layers.BatchNorm(track=self.track)(x, train)

    if self.stem == 'cifar':
      x = conv_norm(x, 3 * self.channels, 1, relu=False)
      return x, x, False
    x = conv_norm(x, self.channels // 2, 2, relu=False)
    first = conv_norm(x, self.channels, 2, relu=True)
    return first, conv_norm(first, self.channels, 2, relu=True), True

  def _preprocess(self, i, before_last, last, channels, reduced, train):
    """Bring both inputs of cell i to its channels and size."""
    norm = dict(affine=self.affine, track=self.track)
    older = layers.FactorizedReduce if reduced else layers.ReluConvNorm
    return jnp.stack(
      [
        older(channels, **norm, name=f'input0_{i}')(before_last, train),
        layers.ReluConvNorm(channels, **norm, name=f'input1_{i}')(last, train),
      ]
    )

  def _cell(self, i, channels, reduction):
    site = operations_lib.Site(
      channels,
      2 if reduction else 1,
      self.affine,
      self.track,
      self.pool_norm,
      self.parts,
      self.drop_skips,
    )
    operations = operations_lib.resolve(self.operations, self.custom_operations)
    return cell.Cell(
      operations,
      self.edges,
      2,
      site,
      node_norm=self.node_norm,
      name=f'cell_{i}',
    )
