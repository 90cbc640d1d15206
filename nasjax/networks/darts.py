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
import jax
import jax.numpy as jnp

from nasjax.networks import cell, layers
from nasjax.networks import operations as operations_lib
from nasjax.spaces import genotypes
from nasjax.types import Arch


class _AuxiliaryHead(nn.Module):
  """Classifier on an inner cell: average 5x5, 1x1, 2x2, linear."""

  num_classes: int
  stride: int
  last_norm: bool

  @nn.compact
  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    x = nn.avg_pool(jax.nn.relu(x), (5, 5), (self.stride,) * 2)
    x = layers.Conv(128)(x)
    x = jax.nn.relu(layers.BatchNorm(track=True)(x, train))
    x = layers.Conv(768, (2, 2), padding=((0, 0), (0, 0)))(x)
    if self.last_norm:
      x = layers.BatchNorm(track=True)(x, train)
    x = jax.nn.relu(x)
    return layers.Dense(self.num_classes)(x.reshape(len(x), -1))


class Darts(nn.Module):
  """Cells in a row, reductions at one and two thirds of the depth.

  Attributes:
    num_classes: number of logits.
    channels: of the first cells; doubled by each reduction.
    num_cells: depth L.
    num_nodes: inner nodes of a cell.
    affine: whether normalisation inside cells scales and shifts (evaluation).
    pool_norm: whether pools are followed by normalisation (search).
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
  """

  num_classes: int = 10
  channels: int = 16
  num_cells: int = 8
  num_nodes: int = 4
  affine: bool = False
  pool_norm: bool = True
  track: bool = False
  auxiliary: bool = False
  stem: str = 'cifar'
  parts: int = 1
  drop_skips: bool = False
  operations: tuple[str, ...] = genotypes.OPERATIONS
  custom_operations: Mapping[str, Any] | None = None

  @property
  def edges(self) -> tuple[tuple[int, int], ...]:
    """`(source, target)` of every edge; 0 and 1 are the cell's inputs."""
    return tuple(
      (source, target)
      for target in range(2, 2 + self.num_nodes)
      for source in range(target)
    )

  @property
  def reductions(self) -> tuple[int, int]:
    """The cells that halve the image."""
    return self.num_cells // 3, 2 * self.num_cells // 3

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
        kinds of cell, in any form.
      x: images; both sides at least 4 pixels (32 with the ImageNet stem).
      train: whether running statistics, if kept, are updated rather than used.
      drop_path: probability of dropping an edge of an example, needs the rng
        stream 'drop_path'; None for no dropping.
    """
    self._check(x.shape)
    before_last, last, reduced = self._stem(x, train)
    channels = self.channels
    auxiliary = None
    for i in range(self.num_cells):
      reduction = i in self.reductions
      channels *= 2 if reduction else 1
      inputs = self._preprocess(i, before_last, last, channels, reduced, train)
      nodes = self._cell(i, channels, reduction)(
        arch['reduce' if reduction else 'normal'], inputs, train, drop_path
      )
      output = jnp.concatenate(list(nodes), axis=-1)
      before_last, last, reduced = last, output, reduction
      if i == self.reductions[1] and self.auxiliary and train:
        auxiliary = _AuxiliaryHead(
          self.num_classes,
          3 if self.stem == 'cifar' else 2,
          self.stem == 'cifar',
          name='auxiliary',
        )(output, train)
    self.sow('intermediates', 'features', last)
    x = jnp.mean(last, axis=(1, 2))
    logits = layers.Dense(self.num_classes, name='classifier')(x)
    return logits if auxiliary is None else (logits, auxiliary)

  def _check(self, shape):
    smallest = {'cifar': 4, 'imagenet': 32}
    if self.stem not in smallest:
      raise ValueError(f'Unknown stem {self.stem!r}. Known: cifar, imagenet.')
    if min(shape[1:3]) < smallest[self.stem]:
      raise ValueError(
        f'The {self.stem} stem and two reductions need images of at least '
        f'{smallest[self.stem]} pixels a side, got {shape[1]}x{shape[2]}.'
      )

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
    return cell.Cell(operations, self.edges, 2, site, name=f'cell_{i}')
