"""Spaces of graph networks: six classes of decisions for every layer.

K. Zhou, Q. Song, X. Huang and X. Hu, Auto-GNN: Neural Architecture Search of
Graph Neural Networks, 2019, https://arxiv.org/abs/1909.03184 (AGNN), and
Y. Gao, H. Yang, P. Zhang, C. Zhou and Y. Hu, GraphNAS: Graph Neural
Architecture Search with Reinforcement Learning, 2019,
https://arxiv.org/abs/1904.09981.

A class is a leaf: `hidden`, `attention`, `heads`, `aggregate`, `combine`,
`activation`, a decision a layer. What they mean is in `networks.gnn`.

Deviations
  * There is no decision about the width of the last layer, which is the number
    of classes: the papers count seven choices of no effect.
  * The texts were not at hand. AGNN's options are as recalled; GraphNAS's are
    those of its authors' program.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import choice
from nasjax.spaces import categorical
from nasjax.types import Arch, Space


class Options(NamedTuple):
  """The choices of a layer, by class; by default those of AGNN.

  The largest size is hidden times heads units, 4,096: too many for a CPU.
  """

  hidden: tuple[int, ...] = (4, 8, 16, 32, 64, 128, 256)  # units of a head
  attention: tuple[str, ...] = (
    'const',
    'gcn',
    'gat',
    'gat_sym',
    'cos',
    'linear',
    'generalized_linear',
  )
  heads: tuple[int, ...] = (1, 2, 4, 8, 16)
  aggregate: tuple[str, ...] = ('sum', 'mean', 'max')
  combine: tuple[str, ...] = ('identity', 'mlp')
  activation: tuple[str, ...] = (
    'sigmoid',
    'tanh',
    'relu',
    'linear',
    'softplus',
    'leaky_relu',
    'relu6',
    'elu',
  )


AGNN = Options()
GRAPHNAS = Options(
  heads=(1, 2, 4, 6, 8, 16),
  aggregate=('sum', 'mean', 'max', 'mlp'),
  combine=('identity',),
)


def _place(kind, one, known):
  if one not in known:
    raise ValueError(
      f'Unknown {kind} {one!r}. Known: {", ".join(map(str, known))}.'
    )
  return known.index(one)


def gnn(options: Options = AGNN, num_layers: int = 2) -> Space:
  """Return the space of networks of some layers.

  Example:
    >>> gnn().size
    19756800

  Args:
    options: the choices of a layer.
    num_layers: L, at least 2.

  Returns:
    The space: leaves `int32[L]` by class, `hidden` `int32[L - 1]`.

  Raises:
    ValueError: if there are fewer than two layers, or an option is unknown.
  """
  if num_layers < 2:
    raise ValueError(f'Expected num_layers of at least 2, got {num_layers}.')
  for name in ('attention', 'aggregate', 'combine', 'activation'):
    known = dict.fromkeys((*getattr(AGNN, name), *getattr(GRAPHNAS, name)))
    for option in getattr(options, name):
      _place(name, option, list(known))
  depth = dict.fromkeys(options._fields, num_layers)
  depth['hidden'] = num_layers - 1
  return categorical.categorical(
    {
      name: (depth[name], len(known))
      for name, known in options._asdict().items()
    }
  )


def from_names(options: Options, **choices: tuple) -> Arch:
  """Return the architecture with these choices, written as in the options.

  Example:
    >>> from_names(
    ...   AGNN,
    ...   hidden=(16,),
    ...   attention=('gcn',) * 2,
    ...   heads=(1, 1),
    ...   aggregate=('sum',) * 2,
    ...   combine=('identity',) * 2,
    ...   activation=('relu', 'linear'),
    ... )['attention']
    (1, 1)

  Args:
    options: of the space.
    **choices: one a decision, by class.

  Returns:
    The static architecture.

  Raises:
    ValueError: if there is no such class, or a choice is none of the options.
  """
  for name in choices:
    _place('class', name, options._fields)
  return {
    name: tuple(_place(name, one, getattr(options, name)) for one in chosen)
    for name, chosen in choices.items()
  }


def kipf(options: Options = AGNN, units: int = 16) -> Arch:
  """Return the two layers of Kipf and Welling's network (GCN), static.

  T. Kipf and M. Welling, Semi-Supervised Classification with Graph
  Convolutional Networks, 2017, https://arxiv.org/abs/1609.02907.

  Args:
    options: of the space.
    units: of the hidden layer.

  Returns:
    The static architecture.

  Raises:
    ValueError: as `from_names`.
  """
  return from_names(
    options,
    hidden=(units,),
    attention=('gcn', 'gcn'),
    heads=(1, 1),
    aggregate=('sum', 'sum'),
    combine=('identity', 'identity'),
    activation=('relu', 'linear'),
  )


def velickovic(options: Options = AGNN, units: int = 8, heads: int = 8) -> Arch:
  """Return the two layers of the graph attention network (GAT), static.

  P. Velickovic et al., Graph Attention Networks, 2018,
  https://arxiv.org/abs/1710.10903.

  Args:
    options: of the space.
    units: of every head of the hidden layer.
    heads: of the hidden layer; the last one has one.

  Returns:
    The static architecture.

  Raises:
    ValueError: as `from_names`.
  """
  return from_names(
    options,
    hidden=(units,),
    attention=('gat', 'gat'),
    heads=(heads, 1),
    aggregate=('sum', 'sum'),
    combine=('identity', 'identity'),
    activation=('elu', 'linear'),
  )


def num_units(options: Options, arch: Arch) -> jax.Array:
  """Return the units of the hidden layers, `f32[L - 1]`.

  Args:
    options: of the space.
    arch: an architecture in any form.
  """
  sizes = jnp.asarray(options.hidden, jnp.float32)
  heads = jnp.asarray(options.heads, jnp.float32)
  return jnp.stack(
    [
      choice.select(hidden, sizes) * choice.select(head, heads)
      for hidden, head in zip(arch['hidden'], arch['heads'])
    ]
  )


def homogeneous(options: Options, arch: Arch, ancestor: Arch) -> jax.Array:
  """Return which layers may inherit their weights, `bool[L]`.

  AGNN's constraints: the weights of both have the same shape, and the layers
  have the same attention and the same activation.

  Args:
    options: of the space.
    arch: an index architecture.
    ancestor: another.
  """
  heads = arch['heads'] == ancestor['heads']
  same = heads & (arch['attention'] == ancestor['attention'])
  same &= arch['activation'] == ancestor['activation']
  width = arch['hidden'] == ancestor['hidden']
  inputs = num_units(options, arch) == num_units(options, ancestor)
  one = jnp.ones(1, bool)
  return same & jnp.concatenate([width, one]) & jnp.concatenate([one, inputs])
