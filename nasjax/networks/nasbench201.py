"""The network of NAS-Bench-201: three stages of equal cells.

Dong, Yang, NAS-Bench-201: Extending the Scope of Reproducible Neural
Architecture Search, 2020 (https://arxiv.org/abs/2001.00326), figure 1.
Cells of a stage have the same shapes and are scanned, so a stage compiles one
cell. With five 3x3 cells a stage at 16 channels: 1,531,546 parameters.
"""

from collections.abc import Mapping
from typing import Any

import chex
from flax import linen as nn
import jax.numpy as jnp

from nasjax.networks import cell, layers
from nasjax.networks import operations as operations_lib
from nasjax.spaces import nasbench201 as cells
from nasjax.types import Arch

# What cells own, report and take, each a row of its own.
_COLLECTIONS = (
  'params',
  'batch_stats',
  'intermediates',
  'perturbations',
  layers.AGREEMENT,
)
EDGES = tuple(zip(cells.SOURCES, cells.TARGETS))


class _ResidualReduction(nn.Module):
  """Residual block that halves the image and doubles the channels."""

  features: int
  affine: bool
  track: bool

  @nn.compact
  def __call__(self, x: chex.Array, train: bool) -> chex.Array:
    norm = dict(affine=self.affine, track=self.track)
    y = layers.ReluConvNorm(self.features, (3, 3), 2, **norm)(x, train)
    y = layers.ReluConvNorm(self.features, (3, 3), 1, **norm)(y, train)
    return layers.Conv(self.features)(layers.halve(x)) + y


class NasBench201(nn.Module):
  """Stem, three stages of cells with residual reductions, linear classifier.

  Attributes:
    num_classes: number of logits.
    channels: of the first stage; doubled by each reduction.
    cells_per_stage: N of the paper.
    num_stages: of the paper's three; thin networks of proxies have one.
    stem: whether a convolution comes first; without it the images have
      `channels` channels.
    affine: whether normalisation scales and shifts.
    track: whether running statistics are kept, for networks trained to be
      used; without them the network is a pure map.
    unroll: whether edges with index choices are unrolled rather than looped
      over: slower to compile, faster to run for large images and batches.
    operations: names of the K operations, in the order of the space.
    custom_operations: further names and their factories `(Site) -> module`.
  """

  num_classes: int = 10
  channels: int = 16
  cells_per_stage: int = 5
  num_stages: int = 3
  stem: bool = True
  affine: bool = True
  track: bool = False
  unroll: bool = False
  operations: tuple[str, ...] = cells.OPERATIONS
  custom_operations: Mapping[str, Any] | None = None

  @property
  def blocks(self) -> tuple[tuple[str, ...], ...]:
    """Paths of the outputs of stem, cells and reductions, in order."""
    paths = [('after_stem',)] if self.stem else []
    for stage in range(self.num_stages):
      paths += [(f'after_reduction_{stage}',)] if stage else []
      paths += [(f'stage_{stage}', 'after')]
    return tuple(paths)

  @nn.compact
  def __call__(
    self, arch: Arch, x: chex.Array, train: bool = True
  ) -> chex.Array:
    """Return logits `[N, num_classes]` of images `[N, H, W, C]`.

    Args:
      arch: `{'op': ...}` with six choices, in any form.
      x: images; both sides at least 4 pixels for three stages.
      train: whether running statistics, if kept, are updated rather than used.
    """
    smallest = 2 ** (self.num_stages - 1)
    if min(x.shape[1:3]) < smallest:
      raise ValueError(
        f'Images of at least {smallest}x{smallest} pixels are needed for '
        f'{self.num_stages} stages, got {x.shape[1]}x{x.shape[2]}.'
      )
    operations = operations_lib.resolve(self.operations, self.custom_operations)
    if self.stem:
      x = layers.Conv(self.channels, (3, 3), name='stem')(x)
      x = layers.BatchNorm(self.affine, self.track, name='stem_norm')(x, train)
      x = layers.boundary(self, 'after_stem', x)
    for stage in range(self.num_stages):
      channels = self.channels * 2**stage
      if stage:
        x = _ResidualReduction(
          channels, self.affine, self.track, name=f'reduction_{stage}'
        )(x, train)
        x = layers.boundary(self, f'after_reduction_{stage}', x)
      site = operations_lib.Site(
        channels, affine=self.affine, track=self.track, pool_norm=False
      )
      x = self._stage(
        cell.Cell(
          operations, EDGES, 1, site, self.unroll, name=f'stage_{stage}'
        ),
        arch['op'],
        x,
        train,
      )
    x = layers.BatchNorm(self.affine, self.track, name='last_norm')(x, train)
    x = layers.Relu(name='last_relu')(x)
    self.sow('intermediates', 'features', x)
    x = jnp.mean(x, axis=(1, 2))
    return layers.Dense(self.num_classes, name='classifier')(x)

  def _stage(self, module, choices, x, train):

    def body(module, x, _):
      y = module(choices, x[None], train)[-1]
      return layers.boundary(module, 'after', y), None

    scan = nn.scan(
      body,
      variable_axes=dict.fromkeys(_COLLECTIONS, 0),
      split_rngs={'params': True},
      length=self.cells_per_stage,
    )
    return scan(module, x, None)[0]
