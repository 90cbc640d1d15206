"""Partial channels: operations that see some of the channels of an edge.

Y. Xu, L. Xie, X. Zhang, X. Chen, G.-J. Qi, Q. Tian and H. Xiong, PC-DARTS:
Partial Channel Connections for Memory-Efficient Architecture Search, ICLR 2020,
https://arxiv.org/abs/1907.05737, section 3.2: the first C / K channels go
through the operations, the others past them, and the channels are shuffled so
that the next edge sees others first.

Deviations
  * Where the image has an odd side, the pooled image has the size that the
    operations give it; the authors' program needs even sides.
"""

import functools

import chex
import jax.numpy as jnp


def seen(x: chex.Array, parts: int) -> chex.Array:
  """Return the channels that operations see: `[..., C] -> [..., C / K]`."""
  return x[..., : x.shape[-1] // parts]


def shuffle(x: chex.Array, groups: int) -> chex.Array:
  """Return the channels of all groups in turns: `[..., C] -> [..., C]`.

  Channel i of group g becomes channel `i groups + g`.

  Args:
    x: `[..., C]`, group after group.
    groups: number of groups; divides C.
  """
  grouped = x.reshape(*x.shape[:-1], groups, -1)
  return jnp.swapaxes(grouped, -1, -2).reshape(x.shape)


def _halve(x):
  """The maximum of every 2x2 window, at odd ends of the pixels there are."""
  odd = [(0, size % 2) for size in x.shape[1:3]]
  x = jnp.pad(x, ((0, 0), *odd, (0, 0)), 'edge')  # seen twice: no change
  corners = [x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
  return functools.reduce(jnp.maximum, corners)


def bypass(
  y: chex.Array,
  x: chex.Array,
  parts: int,
  stride: int = 1,
  weight: chex.Numeric = 1.0,
) -> chex.Array:
  """Join what operations made of the first channels with the others.

  Args:
    y: `[N, H / stride, W / stride, C / K]`, of `seen(x, parts)`.
    x: `[N, H, W, C]`, the input of the edge.
    parts: K.
    stride: of the operations: 2 pools the other channels.
    weight: of the edge, for the other channels: that of all its operations.

  Returns:
    `[N, H / stride, W / stride, C]`, shuffled.
  """
  rest = x[..., y.shape[-1] :]
  rest = _halve(rest) if stride == 2 else rest
  rest = jnp.asarray(weight, x.dtype).reshape((1,) * x.ndim) * rest
  return shuffle(jnp.concatenate([y, rest], axis=-1), parts)
