"""Children of an elastic network: their weights, and images of their size."""

from collections.abc import Callable
import functools
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from nasjax import choice
from nasjax.spaces import mobile as spaces
from nasjax.spaces import mobile_sizes
from nasjax.types import Arch, Key, Params


def slice_params(
  network: Any, params: Params, arch: Arch, input_shape: tuple[int, ...]
) -> Params:
  """Return the weights of a child: its part of those of the supernet.

  The first channels of every axis, the centre of kernels; nothing is computed
  but their shapes.

  Args:
    network: the network.
    params: its weights at index choices.
    arch: the child, static choices.
    input_shape: of one example, `(H, W, C)`.

  Returns:
    Weights of the network at static choices.
  """
  shapes = jax.eval_shape(
    lambda: network.init(
      jax.random.key(0), arch, jnp.zeros((1, *input_shape), jnp.float32)
    )['params']
  )

  def cut(path, like):
    leaf = functools.reduce(lambda tree, key: tree[key.key], path, params)
    starts = [0] * leaf.ndim
    for axis in range(2 if leaf.ndim > 2 else 0):
      starts[axis] = (leaf.shape[axis] - like.shape[axis]) // 2
    return leaf[
      tuple(slice(a, a + size) for a, size in zip(starts, like.shape))
    ]

  return jax.tree_util.tree_map_with_path(cut, shapes)


class AtResolution(NamedTuple):
  """A network that resizes its images, as `elastic_resolution` makes it."""

  init: Callable[..., Any]
  apply: Callable[..., Any]


def elastic_resolution(
  network: Any, layout: spaces.Layout, method: str = 'bicubic'
) -> AtResolution:
  """Return the network whose images have the resolution of the architecture.

  Sizes cannot be masked: index choices compile the network once for every
  resolution, and run one; relaxed ones run all.

  Args:
    network: a `Mobile`, or anything with `init` and `apply`.
    layout: the layout, with its resolutions.
    method: of `jax.image.resize`.

  Returns:
    `init(key, arch, x)` and `apply(variables, arch, x, train, mutable,
    **options)`, whose other options are arrays.
  """

  def resize(x, side):
    shape = (len(x), side, side, x.shape[-1])
    return x if x.shape == shape else jax.image.resize(x, shape, method)

  def init(key: Key, arch: Arch, x: chex.Array, **options) -> Params:
    return network.init(key, arch, resize(x, layout.resolutions[0]), **options)

  def apply(
    variables: Params,
    arch: Arch,
    x: chex.Array,
    train: bool = True,
    mutable: Any = False,
    **options: Any,
  ) -> Any:
    def at(side):
      return lambda variables, arch, x, options: network.apply(
        variables,
        arch,
        resize(x, side),
        train=train,
        mutable=mutable,
        **options,
      )

    rest = {name: leaf for name, leaf in arch.items() if name != 'resolution'}
    c = mobile_sizes.choice_of(arch, 'resolution', 0)
    return choice.switch(
      c, [at(side) for side in layout.resolutions], variables, rest, x, options
    )

  return AtResolution(init, apply)
