"""Mobile networks of elastic size: all children of a space in one network.

Yu et al., BigNAS: Scaling Up Neural Architecture Search with Big Single-Stage
Models, 2020 (https://arxiv.org/abs/2003.11142); Cai et al., Once-for-All, 2020
(https://arxiv.org/abs/1908.09791). With index or relaxed choices the network
has the weights of the biggest child, and masks cut out the others: the first
channels, the centre of kernels, the first blocks of a stage. With static
choices it is the child itself, with weights of its size, which
`mobile_children` takes from those of the supernet.

Deviations
  * Smaller kernels are the centre of larger ones; Once-for-All learns a matrix
    for each step.
  * Squeeze-excite has a sigmoid in all spaces; that of MobileNetV3 is piecewise
    linear.
"""

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice, ops
from nasjax.networks import elastic, layers
from nasjax.spaces import mobile as spaces
from nasjax.spaces import mobile_sizes
from nasjax.types import Arch


class Mobile(nn.Module):
  """Stem, stages of blocks, head, classifier.

  Attributes:
    layout: stages and their options.
    num_classes: number of logits.
    project: whether the first block of a stage has a shortcut, by an average
      pool where it has a stride and a convolution where channels differ.
    zero: whether the last norm of blocks with a shortcut begins at zero.
    track: whether running statistics are kept; without them the network is a
      pure map.
    momentum: of them.
  """

  layout: spaces.Layout
  num_classes: int = 1000
  project: bool = False
  zero: bool = False
  track: bool = False
  momentum: float = 0.9

  @nn.compact
  def __call__(
    self,
    arch: Arch,
    x: chex.Array,
    train: bool = True,
    drop_path: chex.Numeric | None = None,
    dropout: chex.Numeric | None = None,
  ) -> chex.Array:
    """Return logits `[N, num_classes]` of images `[N, H, W, C]`.

    Args:
      arch: dict of choices, in any form; that of the resolution is passed over.
      x: images of any size.
      train: whether running statistics, if kept, are updated rather than used.
      drop_path: probability of dropping the last block for an example, less for
        those before; needs the rng stream 'drop_path'. None for no dropping.
      dropout: probability of dropping a feature, of the same stream.
    """
    x = self._conv('stem', self.layout.stem_stride)(
      x, self._width(arch, 0), train, elastic.Taps(3)
    )
    keep, first = self._keep(len(x), drop_path), 0
    for s, stage in enumerate(self.layout.stages):
      depth = mobile_sizes.choice_of(arch, 'depth', s)
      gates = mobile_sizes.gates(self.layout, s)
      num_blocks = max(stage.depths)
      if choice.is_static(depth):
        num_blocks = stage.depths[depth]
      for b in range(num_blocks):
        gate = 1.0
        if not (choice.is_static(depth) or gates[:, b].all()):
          gate = choice.select(depth, jnp.asarray(gates[:, b]))
        x = self._block(arch, s, b, x, gate, keep[first + b], train)
      first += max(stage.depths)
    x = self._head(arch, x, train)
    if dropout is not None:
      rate = 1 - jnp.asarray(dropout, x.dtype)
      kept = jax.random.bernoulli(self.make_rng('drop_path'), rate, x.shape)
      x = x * kept / rate
    self.sow('intermediates', 'features', x)
    return layers.Dense(self.num_classes, name='classifier')(x)

  def _conv(self, name, stride=1):
    return elastic.ConvNorm(
      stride,
      activation=self.layout.activation,
      track=self.track,
      momentum=self.momentum,
      name=name,
    )

  def _width(self, arch, i):
    return elastic.width(
      np.array(spaces.padded(self.layout, 'width', i)),
      mobile_sizes.choice_of(arch, 'width', i),
    )

  def _keep(self, num_examples, drop_path):
    """Return the factors of the branch of every block there may be, `[N]`."""
    num_blocks = sum(max(stage.depths) for stage in self.layout.stages)
    if drop_path is None:
      return [None] * num_blocks
    rates = (
      1 - jnp.asarray(drop_path) * (1 + np.arange(num_blocks)) / num_blocks
    )
    shape = (num_examples, num_blocks)
    key = self.make_rng('drop_path')
    return (jax.random.bernoulli(key, rates[None], shape) / rates[None]).T

  def _head(self, arch, x, train):
    """Return features `[N, F]`."""
    last = 1 + len(self.layout.stages)
    output = self._width(arch, last)
    if not self.layout.head_expansion:
      return jnp.mean(self._conv('head')(x, output, train), axis=(1, 2))
    sizes = self.layout.head_expansion * np.array(
      spaces.padded(self.layout, 'width', last - 1)
    )
    hidden = elastic.width(
      sizes, mobile_sizes.choice_of(arch, 'width', last - 1)
    )
    x = jnp.mean(self._conv('head')(x, hidden, train), axis=(1, 2))
    x = layers.Dense(output.size, use_bias=False, name='mix')(x)
    x = elastic.ACTIVATIONS[self.layout.activation](x)
    return elastic.masked(x, output)

  def _choice(self, arch, name, s, b):
    leaf = 'width' if name in ('input', 'output') else name
    i = mobile_sizes.place(self.layout, name, s, b)
    return mobile_sizes.choice_of(arch, leaf, i)

  def _sizes(self, arch, s, b):
    """Return what block b of stage s is made of."""
    place = self.layout, s, b
    chosen = [
      self._choice(arch, name, s, b)
      for name in ('input', 'expansion', 'squeeze')
    ]
    kernels = mobile_sizes.rows(self.layout, 'kernel', s, b)
    sizes = elastic.Sizes(
      elastic.width(mobile_sizes.hidden_table(*place), *chosen[:2]),
      self._width(arch, s + 1),
      elastic.taps(kernels, self._choice(arch, 'kernel', s, b)),
    )
    squeeze = elastic.width(mobile_sizes.squeeze_table(*place), *chosen)
    if squeeze.size == 0:
      return sizes
    ratios = mobile_sizes.rows(self.layout, 'squeeze', s, b)
    share = choice.select(chosen[-1], jnp.sign(jnp.asarray(ratios)))
    return sizes._replace(squeeze=squeeze, share=share)

  def _block(self, arch, s, b, x, gate, keep, train):
    stride = self.layout.stages[s].stride if b == 0 else 1
    shortcut = mobile_sizes.shortcut(self.layout, s, b, self.project)
    added = self._branch(arch, s, b, x, stride, shortcut is not None, train)
    if shortcut is None:
      return added
    if keep is not None:
      added = added * keep.astype(x.dtype)[:, None, None, None]
    if shortcut == 'project':
      x = layers.halve(x) if stride == 2 else x
      return self._project(arch, s, x) + added
    kinds = mobile_sizes.rows(self.layout, 'skip', s, b)
    skip = self._choice(arch, 'skip', s, b)
    gate = jnp.asarray(gate, x.dtype)
    if set(kinds) == {'identity'}:
      return x + gate * added
    routes = {'none': jnp.zeros_like, 'identity': lambda x: x}
    routes |= {'pool': ops.avg_pool}
    around = choice.switch(skip, [routes[kind] for kind in kinds], x)
    return gate * (around + added) + (1 - gate) * x

  def _project(self, arch, s, x):
    """Return images of the channels of stage s: convolved if theirs differ."""
    chosen = tuple(
      self._choice(arch, name, s, 0) for name in ('input', 'output')
    )
    equal = mobile_sizes.equal_table(self.layout, s)
    width = self._width(arch, s + 1)
    is_fixed = elastic.are_static(chosen)
    if is_fixed and elastic.choose(equal, chosen):
      return x
    y = layers.Conv(width.size, name=f'shortcut_{s}')(x)
    if not is_fixed and equal.any():
      share = elastic.choose(jnp.asarray(equal, x.dtype), chosen)
      room = max(width.size - x.shape[-1], 0)
      same = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, room)))
      y = share * same[..., : width.size] + (1 - share) * y
    return elastic.masked(y, width)

  def _branch(self, arch, s, b, x, stride, zero, train):
    """Return what a block adds: one operation, or all of them, weighted."""
    sizes, stage = self._sizes(arch, s, b), self.layout.stages[s]
    kinds = mobile_sizes.rows(self.layout, 'operation', s, b)
    c = self._choice(arch, 'operation', s, b)
    inside = self._width(arch, mobile_sizes.place(self.layout, 'input', s, b))

    def apply(kind):
      return elastic.Block(
        kind,
        stride,
        stage.activation,
        mobile_sizes.expands(self.layout, s),
        self.track,
        self.momentum,
        self.zero and zero,
        name=f'stage_{s}_block_{b}_{kind}',
      )(
        x,
        sizes._replace(hidden=inside) if kind == 'separable' else sizes,
        train,
      )

    if choice.is_static(c):
      return apply(kinds[c])
    weights = choice.select(c, jnp.eye(len(kinds)))
    return choice.mix(weights, [apply(kind) for kind in kinds])
