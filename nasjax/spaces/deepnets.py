"""DeepNets-1M: a generator of networks, and splits that differ in kind.

B. Knyazev, M. Drozdzal, G. Taylor and A. Romero-Soriano, Parameter Prediction
for Unseen Deep Architectures, NeurIPS 2021, https://arxiv.org/abs/2110.13100,
section 3: a network is a stem, L cells and a head; a normal and a reduction
cell of one to four nodes are drawn at random, every node the sum of two
operations on earlier states; what cannot learn or is too big is drawn again.

An architecture is a pytree of choices, padded to the deepest and widest that
its layout allows, as graphs of it are (`deepnets_graphs`).
Deviations
  * The image is halved by average pooling, in the preprocessing of reduction
    cells and of what reads over them, or over a double stem; all operations
    keep its size. The authors have operations with strides, and two
    convolutions of half the channels. Every cell preprocesses both its inputs.
    Networks that attend keep one size: their graphs are those of the authors.
  * Drawing is by choices, not by the largest of random weights: the two come to
    the same, all pairs of inputs and all operations being equally likely.
  * A cell is rejected where a node has no operation or the cell does not see
    its predecessor; a node that nothing else reads is never left out of the
    concatenation. So no network has parts that do not count.
  * The width is one more choice, of equal chances; the authors draw it in
    training, with narrower ranges for large networks. So is that of a hidden
    layer, and what is too big is so at its own widths, theirs at 32 and 256.
  * Whether nodes are left out is drawn for each of them in both kinds of cells;
    the authors' coin decides for a network.
  * Up to five cells may have no norm; of the authors' 'deep' networks, 11.
  * What excites channels needs a convolution in its own cell; the authors
    accept one in the other kind.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import categorical, deepnets_graphs, deepnets_layouts
from nasjax.types import Arch, Key, Mask, Space

Layout = deepnets_layouts.Layout
_MOST_CELLS_WITHOUT_NORM = 5
_MOST_DRAWS = 10_000  # for one valid network
_HEAVY = ('conv_5x5', 'conv_7x7')


def mask(layout: Layout) -> Mask:
  """Return the choices of a layout.

  Args:
    layout: the ranges of all choices.

  Returns:
    Pytree of `bool[D, K]`, whose leaves `deepnets_layouts` describes.
  """
  nodes = max(layout.steps)
  pairs = deepnets_layouts.pairs(nodes)
  earlier = pairs.max(1)[None] < np.arange(nodes)[:, None] + 2
  single = lambda options: np.ones((1, len(options)), bool)
  names = ('depths', 'steps', 'widths', 'multipliers', 'kernels', 'norms')
  names += ('stems', 'stem_pools', 'heads', 'hidden')
  return {
    'op': np.ones((2, nodes, 2, len(layout.operations)), bool),
    'source': np.tile(earlier, (2, 1, 1)),
    'drop': np.ones((2, nodes, 2), bool),
    **{name: single(getattr(layout, name)) for name in names},
  }


def _settle(layout: Layout, allowed: Mask, arch: Arch) -> Arch:
  """Return the architecture with one value for what does not count."""
  value = deepnets_layouts.values(layout, arch)
  nodes = max(layout.steps)
  there = jnp.arange(nodes) < value.steps
  default = lambda name: jnp.asarray(allowed[name].argmax(-1), jnp.int32)
  op = jnp.where(there[None, :, None], arch['op'], default('op'))
  source = jnp.where(there[None], arch['source'], default('source'))
  settled = dict(arch, op=op, source=source)
  # A node that nothing reads, as the last one, is an output.
  reads = deepnets_layouts.reads(layout, settled)[..., 2:].any(-3).any(-2)
  drop = jnp.where(there[None] & reads, arch['drop'], 0)
  large = value.depths > _MOST_CELLS_WITHOUT_NORM
  large |= value.steps > layout.steps_if_deep
  norms = jnp.where(large, default('norms'), arch['norms'])
  settled |= {'drop': drop, 'norms': norms}
  # Patches are a stem of their own; a double stem has no pool behind it. What
  # attends, and what is deep in any case, has no flattening head.
  patches = deepnets_layouts.attends(layout, settled)
  deep = value.depths >= layout.deep_from[1]
  given = {
    'stems': patches,
    'kernels': patches,
    'stem_pools': patches | (value.stems > 0),
    'heads': patches | deep,
  }
  return settled | {
    name: jnp.where(is_given, default(name), arch[name])
    for name, is_given in given.items()
  }


def _is_small(layout, arch):
  if layout.max_params is None:
    return True
  return num_params(layout, arch) <= layout.max_params


def is_valid(layout: Layout, arch: Arch) -> jax.Array:
  """Return whether the generator keeps a network.

  Args:
    layout: of the network.
    arch: index choices.

  Returns:
    `bool[]`.
  """
  value = deepnets_layouts.values(layout, arch)
  reads = deepnets_layouts.reads(layout, arch)
  there = jnp.arange(max(layout.steps)) < value.steps
  has = functools.partial(deepnets_layouts.has, layout, arch)
  count = lambda names: has(names).sum((1, 2))
  learns = [name for name in layout.operations if 'conv' in name]
  fed = reads.any((2, 3)) | ~there[None]
  return (
    jnp.all(fed)
    & ((value.steps > 1) | ~has(('none',)).any())
    & jnp.all(reads[..., 1].any((1, 2)))
    & jnp.all(count(('cse',)) <= (count(learns) > 0))
    & jnp.all(count(_HEAVY) <= 1)
    & has((*learns, 'msa')).any()
    & _is_small(layout, arch)
  )


def num_params(layout: Layout, arch: Arch) -> jax.Array:
  """Return how many parameters a network has, `f32[]`."""
  return deepnets_graphs.num_params(deepnets_graphs.graph(layout, arch))


def _pick(key, chances, allowed):
  """Return an option that is allowed, by the chances of all."""
  # What has no chance is taken where nothing else is allowed.
  logits = jnp.log(jnp.maximum(chances, 1e-30))
  logits = jnp.where(jnp.asarray(allowed), logits, -jnp.inf)
  return jax.random.categorical(key, logits)


def _draw_head(layout, allowed, key, averages):
  """Draw the head: one in ten flattens if it may, one in two has two layers."""
  head_key, hidden_key = jax.random.split(key)
  flattens = np.array(layout.heads) == 'flatten'
  share = jnp.where(averages, 0.0, 0.1)
  heads = _pick(
    head_key, jnp.where(flattens, share, 1 - share), allowed['heads']
  )
  widths = allowed['hidden'] & (np.array(layout.hidden) > 0)
  chances = jnp.where(widths, 1 / max(widths.sum(), 1), 1.0)
  return {
    'heads': heads,
    'hidden': _pick(hidden_key, chances, allowed['hidden']),
  }


def _draw(layout, allowed, plain, key):
  """Return a network before it is looked at."""
  keys = jax.random.split(key, 5)
  arch = plain.sample(keys[0])
  # With probability 1/2 a reduction cell has no parameters.
  free = [op in layout.parameter_free for op in layout.operations]
  usable = allowed['op'][1] & np.array(free)
  if usable.any(-1).all():
    drawn = jax.random.categorical(keys[1], jnp.where(usable, 0.0, -jnp.inf))
    op = jnp.where(jax.random.bernoulli(keys[2]), drawn, arch['op'][1])
    arch['op'] = arch['op'].at[1].set(op)
  few = allowed['steps'][0] & (np.array(layout.steps) <= layout.steps_if_deep)
  depth = deepnets_layouts.values(layout, arch).depths
  is_deep = depth > jax.random.randint(keys[3], (), *layout.deep_from)
  if few.any():
    steps = jax.random.categorical(keys[4], jnp.where(few, 0.0, -jnp.inf))
    arch['steps'] = jnp.where(is_deep, steps[None], arch['steps'])
  attends = deepnets_layouts.attends(layout, arch)
  # A number that is none of the keys above.
  head_key = jax.random.fold_in(key, 5)
  arch |= _draw_head(layout, allowed, head_key, attends | is_deep)
  arch = jax.tree.map(lambda leaf: leaf.astype(jnp.int32), arch)
  return _settle(layout, allowed, arch)


def deepnets(layout: Layout, allowed: Any = None) -> Space:
  """Return the space of the networks that the generator can draw.

  `sample` is the generator. `mutate` changes one choice, and what no longer
  counts with it. Both draw until a network `is_valid`, at most 10,000 times: of
  a mask that allows none the last draw comes out.

  Example:
    >>> space = deepnets(deepnets_layouts.DIGITS)
    >>> arch = space.sample(jax.random.key(0))

  Args:
    layout: the ranges of all choices.
    allowed: pytree of `bool[D, K]`; None for all of the layout.

  Returns:
    The space, which cannot be enumerated.

  Raises:
    ValueError: if the networks of the layout cannot be built.

  References:
    Knyazev et al., 2021, appendix A.
  """
  deepnets_layouts.check(layout)
  plain = categorical.categorical(mask(layout) if allowed is None else allowed)
  allowed = plain.mask

  def repeat(propose, fits, key):
    def unfit(carry):
      count, _, arch = carry
      return (count < _MOST_DRAWS) & ~fits(arch)

    def again(carry):
      count, key, _ = carry
      key, _ = jax.random.split(key)
      return count + 1, key, propose(key)

    start = jnp.int32(1), key, propose(key)
    return jax.lax.while_loop(unfit, again, start)[2]

  def sample(key: Key) -> Arch:
    draw = lambda key: _draw(layout, allowed, plain, key)
    return repeat(draw, lambda arch: is_valid(layout, arch), key)

  def mutate(key: Key, arch: Arch) -> Arch:
    def fits(other):
      same = jax.tree.map(lambda a, b: jnp.all(a == b), arch, other)
      differs = ~jnp.all(jnp.stack(jax.tree.leaves(same)))
      return differs & is_valid(layout, other)

    propose = lambda key: _settle(layout, allowed, plain.mutate(key, arch))
    return repeat(propose, fits, key)

  def restrict(other: Mask) -> Space:
    return deepnets(layout, categorical.intersect(allowed, other))

  return Space(sample, mutate, plain.encode, None, None, allowed, restrict)
