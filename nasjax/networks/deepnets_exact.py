"""Tensors of exactly the shapes of a network, and the network written out.

What leaves the program of all networks (`deepnets`): the tensors of any graph
of the primitives of DeepNets-1M, and the function of a single architecture, to
be compiled, trained or exported on its own.
"""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import ops
from nasjax.networks import hypernetwork, layers
from nasjax.spaces import deepnets_graphs
from nasjax.spaces import deepnets_layouts as layouts
from nasjax.spaces import deepnets_primitives as primitives
from nasjax.spaces.deepnets_graphs import TensorGraph
from nasjax.types import Arch

_VECTORS = ('bn', 'ln', 'bias')


def predict(
  model: hypernetwork.Hypernetwork,
  variables: Any,
  graph: TensorGraph,
  normalise: bool = True,
) -> dict[int, jax.Array]:
  """Return all tensors of a network, predicted in one pass.

  Args:
    model: the hypernetwork.
    variables: of it.
    graph: with known values (not traced). Its last convolution and its last
      bias are those of the classifier.
    normalise: whether tensors are normalised (GHN-2).

  Returns:
    Dict of the tensors by vertex: kernels `[kh, kw, C_in, C_out]`, biases
    `[C]`, scales and biases of norms `[2, C]`.
  """
  op, shape = np.asarray(graph.op), np.asarray(graph.shape)
  has = (np.asarray(graph.mask) > 0) & (primitives.NUMBERS[op] > 0)
  names = np.array(primitives.PRIMITIVES)[op]
  is_vector = np.isin(names, _VECTORS)
  last = tuple(
    np.flatnonzero(has & (names == kind))[-1] for kind in ('conv', 'bias')
  )
  has[list(last)] = False
  scale = hypernetwork.weight_scale(graph.op, graph.shape)
  factor = lambda i: scale[i] if normalise else 1.0

  def vectors(model, h):
    x = model.vectors(h)
    return hypernetwork.normalise_vectors(x) if normalise else x

  def all_tensors(model, graph):
    h, found = model.embed(graph), {}
    kernels = sorted(
      np.flatnonzero(has & ~is_vector), key=lambda i: tuple(shape[i, 2:])
    )
    for size, ids in itertools.groupby(kernels, lambda i: tuple(shape[i, 2:])):
      ids = np.array(list(ids))
      made = model.tensors(h[ids], *(min(n, model.kernel) for n in size))
      for i, x in zip(ids, made):
        for axis, length in enumerate(shape[i, [2, 3, 1, 0]]):
          x = hypernetwork.fit(x, axis, length)
        found[i] = x * factor(i)
    ids = np.flatnonzero(has & is_vector)
    for i, x in zip(ids, vectors(model, h[ids])):
      x = hypernetwork.fit(x, -1, shape[i, 0])
      found[i] = x[1] if names[i] == 'bias' else x
    weight, bias = model.classifier(*(h[i] for i in last))
    weight = hypernetwork.fit(weight, 0, shape[last[0], 1]) * factor(last[0])
    found[last[0]] = weight[None, None]
    found[last[1]] = jnp.tanh(0.2 * bias) if normalise else bias
    return found

  return model.apply(variables, graph, method=all_tensors)


def logits(
  layout: layouts.Layout,
  tensors: dict[int, jax.Array],
  arch: Arch,
  x: jax.Array,
) -> jax.Array:
  """Return the logits of one network, written out.

  Args:
    layout: as in `deepnets.logits`.
    tensors: by the place of `deepnets_graphs.places`, as `predict` gives them.
    arch: index choices with known values (not traced).
    x: images `[B, H, W, C]`.

  Returns:
    `[B, classes]`.
  """
  at, arch = deepnets_graphs.places(layout), jax.tree.map(np.asarray, arch)
  with jax.ensure_compile_time_eval():
    value, cell = layouts.values(layout, arch), layouts.cells(layout, arch)
    cell = jax.tree.map(np.asarray, cell)
  pairs = layouts.pairs(max(layout.steps))

  def norm(x, place):
    if place not in tensors:
      return x
    scale, bias = tensors[place]
    x = ops.scale(scale, ops.batch_norm(x))
    return x + ops.spread_channels(bias, x.shape[:-1])

  def conv(x, place, rectify=True):
    x = jax.nn.relu(x) if rectify else x
    return ops.convolution(x, tensors[place])

  def depthwise(x, place, dilation=1):
    return ops.depthwise(jax.nn.relu(x), tensors[place][:, :, 0], 1, dilation)

  def excite(x, chain):
    y = jnp.mean(x, (1, 2), keepdims=True)
    y = conv(y, chain[1], False) + tensors[chain[2]][None, None, None]
    y = conv(y, chain[3]) + tensors[chain[4]][None, None, None]
    return x * jax.nn.sigmoid(y)

  def operate(name, x, chain):
    if name == 'sep_conv_3x3':
      x = norm(conv(depthwise(x, chain[1]), chain[3], False), chain[4])
      return norm(conv(depthwise(x, chain[5]), chain[6], False), chain[7])
    if name == 'dil_conv_3x3':
      return norm(conv(depthwise(x, chain[1], 2), chain[3], False), chain[4])
    if name in ('conv_1x1', 'conv_3x3'):
      return norm(conv(x, chain[1]), chain[4])
    if name == 'cse':
      return excite(x, chain)
    pools = {'max_pool_3x3': ops.max_pool, 'avg_pool_3x3': ops.avg_pool}
    return pools[name](x) if name in pools else x

  states = [norm(conv(x, at.stem[1], False), at.stem[2])] * 2
  for i in range(int(value.depths)):
    kind, nodes = cell.kind[i], []
    for j in range(2):
      place, x = at.inputs[i, j], states[j]
      for _ in range(cell.halvings[i, j]):
        x = layers.halve(x)
      is_read = place[1] in tensors
      nodes.append(norm(conv(x, place[1]), place[2]) if is_read else None)
    for t in range(int(value.steps)):
      total = 0
      for j, source in enumerate(pairs[int(arch['source'][kind, t])]):
        name = layout.operations[int(arch['op'][kind, t, j])]
        if name != 'none':
          total += operate(name, nodes[source], at.chains[i, t, j])
      nodes.append(total)
    kept = [x for x, is_kept in zip(nodes[2:], cell.kept[kind]) if is_kept]
    states = [states[1], jnp.concatenate(kept, -1)]
  y = jnp.mean(states[1], (1, 2)) @ tensors[at.head[-2]][0, 0]
  return y + jnp.broadcast_to(tensors[at.head[-1]], y.shape)
