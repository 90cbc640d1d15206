"""Cells of NAS-Bench-201 whose networks are equal, and edges that do nothing.

X. Dong and Y. Yang, NAS-Bench-201: Extending the Scope of Reproducible Neural
Architecture Search, ICLR 2020, https://arxiv.org/abs/2001.00326, section 3.1.

The benchmark's 6,466 classes (`nasbench201.canonical`) write a node out
wherever it is used, so one convolution that is used twice and two convolutions
of the same input look alike, and a zero stays a term of its sum. As networks
with random weights the former differ and the latter do not. Here every
convolution is a function of its own, pooling has no weights, and zero is zero:

  value(0) = x,  value(t) = sum over edges (s, t) of op(value(s))
  two cells are equal when some bijection of their convolutions, 1x1 onto 1x1
  and 3x3 onto 3x3, turns the value of one output node into that of the other

That pooling a sum is the sum of the pools is not used: the two round
differently.
"""

import itertools

import jax
import jax.numpy as jnp

from nasjax.spaces import nasbench201
from nasjax.types import Arch

_NONE = nasbench201.OPERATIONS.index('none')
_SKIP = nasbench201.OPERATIONS.index('skip_connect')
_POOL = nasbench201.OPERATIONS.index('avg_pool_3x3')
_KERNELS = {
  nasbench201.OPERATIONS.index('nor_conv_1x1'): 1,
  nasbench201.OPERATIONS.index('nor_conv_3x3'): 3,
}
_OUTPUT = nasbench201.TARGETS[-1]


def _live(is_open):
  """Which of the open edges are live; of bools or of traced ones."""
  edges = list(
    zip(range(len(is_open)), nasbench201.SOURCES, nasbench201.TARGETS)
  )
  reached = [True, False, False, False]
  for edge, source, target in edges:
    reached[target] |= reached[source] & is_open[edge]
  reaches = [False, False, False, True]
  for edge, source, target in reversed(edges):
    reaches[source] |= reaches[target] & is_open[edge]
  return [
    is_open[edge] & reached[source] & reaches[target]
    for edge, source, target in edges
  ]


def live_edges(arch: Arch) -> jax.Array:
  """Return which edges lie on a path from the input to the output.

  An edge that does not reach the output has no effect on it. One that the input
  does not reach has none at initialisation, where operations map zero to zero;
  the shift of a normalisation that is trained makes it a constant.

  Args:
    arch: `{'op': int32[6]}`.

  Returns:
    `bool[6]`.
  """
  is_open = jnp.asarray(arch['op']) != _NONE
  return jnp.stack(_live(list(is_open)))


def prune(arch: Arch) -> Arch:
  """Return the cell with `none` on every edge that does nothing.

  Its network computes the same at initialisation, with the same weights; see
  `live_edges` for what training changes. Among the scores of untrained networks
  those made of the output and its gradients stay the same: `grad_norm`, `snip`,
  `plain`, `grasp`, `fisher`, `synflow`, `synflow_bn`, `jacov`, `epe_nas`. Those
  that look into every layer do not: `naswot`, `linear_regions` and `l2_norm`,
  the number of weights and the multiply-adds.

  Args:
    arch: `{'op': int32[6]}`.

  Returns:
    `{'op': int32[6]}`.
  """
  return {'op': jnp.where(live_edges(arch), jnp.asarray(arch['op']), _NONE)}


def _layers(ops, labels):
  """The value of the output as text, and the terms of all convolutions.

  A term is a function of a value, a value the sorted terms of a sum: `x` for
  the input, the empty text for zero.
  """
  terms = {target: [] for target in nasbench201.TARGETS}
  values = {0: ('x',)}
  convolutions = []
  edges = zip(ops, nasbench201.SOURCES, nasbench201.TARGETS)
  for edge, (op, source, target) in enumerate(edges):
    value = values[source]
    text = f'({"+".join(value)})'
    if op in _KERNELS:
      convolutions.append(f'{_KERNELS[op]}.{labels[edge]}{text}')
    if value and op == _SKIP:
      terms[target] += value
    elif value and op == _POOL:
      terms[target].append(f'p{text}')
    elif value and op in _KERNELS:
      terms[target].append(convolutions[-1])
    # Edges come target by target: the last write of a node is complete.
    values[target] = tuple(sorted(terms[target]))
  return '+'.join(values[_OUTPUT]), sorted(convolutions)


def signature(arch: Arch, dead: bool = False) -> str:
  """Return a text that two cells share exactly when their networks are equal.

  It is the least of the values of the output (see the head of this file) over
  all numberings of the convolutions. Cells of a class differ in the names of
  nodes, in the place of skip connections, and in edges that do nothing. Their
  networks are equal once weights are moved to the edges where they belong; with
  one draw of weights for the whole space they are two draws of one random
  network, and so are their scores.

  Without `dead` the classes suit scores that are made of the output and its
  gradients, see `prune`. With it they suit all: convolutions that the output
  does not depend on count as well, those of a zero included, since `naswot`,
  `linear_regions` and `l2_norm` see their layers.

  Args:
    arch: `{'op': int32[6]}` with known values, or its static form.
    dead: whether convolutions that do nothing count.

  Returns:
    The text.

  References:
    Dong and Yang, section 3.1, count 6,466 topologies by a similar text.
  """
  ops = [int(op) for op in arch['op']]
  if not dead:
    live = _live([op != _NONE for op in ops])
    ops = [op if is_live else _NONE for op, is_live in zip(ops, live)]
  edges = [edge for edge, op in enumerate(ops) if op in _KERNELS]
  return min(
    _text(_layers(ops, dict(zip(edges, labels))), dead)
    for labels in itertools.permutations(range(len(edges)))
  )


def _text(layers, dead):
  output, convolutions = layers
  return ' | '.join([output, *convolutions]) if dead else output
