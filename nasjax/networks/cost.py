"""Parameters and multiply-adds of networks.

Counted are the multiply-adds of convolutions and linear layers for one example,
without normalisation, pooling and biases, as the tables of the papers do.
"""

from collections.abc import Callable
import functools
import math
import operator
from typing import Any, NamedTuple

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice
from nasjax.networks import darts as darts_lib
from nasjax.networks import layers, operations
from nasjax.types import Arch


class Cost(NamedTuple):
  """What a network, or a part of it, takes."""

  params: Any
  macs: Any


def _layer_macs(module, inputs, output):
  """Multiply-adds of one layer for one example; 0 for layers not counted."""
  if isinstance(module, layers.Dense):
    return inputs.shape[-1] * output.shape[-1]
  pixels = math.prod(output.shape[1:])
  if isinstance(module, layers.DepthwiseConv):
    return pixels * math.prod(module.kernel)
  if isinstance(module, layers.Conv):
    return pixels * math.prod(module.kernel) * inputs.shape[-1]
  return 0


def count(module: nn.Module, *args: Any, train: bool = False) -> Cost:
  """Count a module exactly, by tracing it.

  Args:
    module: any module made of `networks.layers` that is not scanned, a `Darts`
      network say.
    *args: its arguments: a static architecture (`choice.static`) and example
      images `[1, H, W, C]`.
    train: passed on.

  Returns:
    Parameters and multiply-adds, two ints.
  """
  macs = []

  def count_layer(call, args, kwargs, context):
    output = call(*args, **kwargs)
    if context.method_name == '__call__':
      macs.append(
        _layer_macs(context.module, args[0], output)
        if args and hasattr(args[0], 'shape')
        else 0
      )
    return output

  variables = jax.eval_shape(
    lambda: module.init(jax.random.key(0), *args, train=train)
  )
  with nn.intercept_methods(count_layer):
    jax.eval_shape(
      lambda variables: module.apply(variables, *args, train=train), variables
    )
  leaves = jax.tree.leaves(variables.get('params', {}))
  return Cost(sum(math.prod(leaf.shape) for leaf in leaves), sum(macs))


def darts_cost(
  network: darts_lib.Darts, input_shape: tuple[int, int, int]
) -> Callable[[Arch], Cost]:
  """Return the cost of any architecture of a DARTS network.

  The cost is a sum over edges of rows of tables, so it accepts all forms of
  choice; for relaxed ones it is the expected cost, and differentiable.

  Args:
    network: the network; without an auxiliary head.
    input_shape: of one image, `(H, W, C)`.

  Returns:
    `(arch) -> Cost` of two `f32[]`.
  """
  none = network.operations.index('none')
  empty = (none,) * len(network.edges)
  nothing = dict.fromkeys(network.kinds, empty)
  if network.cells is not None:
    nothing = {'cells': (empty,) * (1 + max(network.cells))}
  fixed = count(network, nothing, jnp.zeros((1, *input_shape)))
  tables = _tables(network, input_shape)

  def cost(arch):
    rows = [
      choice.select(functools.reduce(operator.getitem, path, arch)[e], table[e])
      for path, table in tables.items()
      for e in range(len(network.edges))
    ]
    params, macs = sum(rows)
    return Cost(fixed.params + params, fixed.macs + macs)

  return cost


def darts_params(
  network: darts_lib.Darts, input_shape: tuple[int, int, int]
) -> Callable[[Arch], jax.Array]:
  """Return `(arch) -> f32[]`, the number of parameters; see `darts_cost`."""
  cost = darts_cost(network, input_shape)
  return lambda arch: cost(arch).params


def darts_macs(
  network: darts_lib.Darts, input_shape: tuple[int, int, int]
) -> Callable[[Arch], jax.Array]:
  """Return `(arch) -> f32[]`, multiply-adds of an image; see `darts_cost`."""
  cost = darts_cost(network, input_shape)
  return lambda arch: cost(arch).macs


def _layers(network):
  """Return which layers take the choices at a path of the architecture."""
  if network.cells is None:
    paths = [(kind,) for kind in network.kinds]
  else:
    paths = [('cells', row) for row in network.cells]
  return {
    path: [i for i, other in enumerate(paths) if other == path]
    for path in sorted(set(paths))
  }


def _tables(network, input_shape):
  """Return, by path, f32[E, K, 2]: what an operation on an edge adds in all."""
  factories = operations.resolve(network.operations, network.custom_operations)
  sizes = _cell_sizes(network, input_shape)

  @functools.cache
  def costs(channels, *size, stride):
    site = operations.Site(
      channels, stride, network.affine, network.track, network.pool_norm
    )
    x = jnp.zeros((1, *size, channels))
    return np.array([count(factory(site), x) for _, factory in factories])

  def of_layer(i, from_input):
    channels, *size = sizes[i]
    channels //= network.parts
    reduces = i in network.reductions
    if reduces and not from_input:
      size = [math.ceil(side / 2) for side in size]
    return costs(channels, *size, stride=2 if reduces and from_input else 1)

  def table(layers):
    # Edges from an input, and others, cost the same throughout a cell.
    totals = {
      from_input: sum(of_layer(i, from_input) for i in layers)
      for from_input in (True, False)
    }
    rows = [totals[source < 2] for source, _ in network.edges]
    return jnp.asarray(np.stack(rows), jnp.float32)

  return {path: table(layers) for path, layers in _layers(network).items()}


def _cell_sizes(network, input_shape):
  """Return (channels, height, width) at the inputs of every cell."""
  height, width = input_shape[:2]
  if network.stem == 'imagenet':
    height, width = (math.ceil(size / 8) for size in (height, width))
  channels, sizes = network.channels, []
  for i in range(network.num_cells):
    channels *= 2 if i in network.reductions else 1
    sizes.append((channels, height, width))
    if i in network.reductions:
      height, width = math.ceil(height / 2), math.ceil(width / 2)
  return sizes
