"""Tensors of exactly the shapes of a network, and the network written out.

What leaves the program of all networks (`deepnets`): the tensors of any graph
of the primitives of DeepNets-1M, and the function of a single architecture, to
be compiled, trained or exported on its own.
"""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import ops
from nasjax.networks import deepnets_operations, hypernetwork, layers
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


class _Tensors:
  """Reads `p`, the tensors of an operation by their places."""

  def kernel(self, p, place, rows, columns):
    assert p[place].shape[:2] == (rows, columns)
    return p[place]

  def depthwise(self, p, place, size):
    return self.kernel(p, place, size, size)[:, :, 0]

  def vectors(self, p, place):
    found = p.get(place)
    if found is None:  # of a norm that the network does not have
      return np.zeros((2, 1), np.float32)
    return found if found.ndim == 2 else jnp.stack([found, found])

  def projections(self, p, place):
    return jnp.split(p[place][0, 0], 3, axis=-1)

  def members(self, p):
    width = p[0].shape[-1]
    return np.repeat(
      np.eye(primitives.HEADS, dtype=np.float32),
      width // primitives.HEADS,
      axis=1,
    )


def _stem(value, attends, tensors, at, x):
  """Return both outputs of the stem."""
  conv = functools.partial(_convolve, tensors, rectified=False)
  normed = functools.partial(_norm, tensors)
  if attends:
    x = conv(x, at.stem[1], layouts.PATCH, padding=((1, 1), (1, 1)))
    x += jnp.broadcast_to(tensors[at.stem[8]][..., 0], x.shape)
    return [x, x]
  x = normed(conv(x, at.stem[1]), at.stem[2])
  if value.stems:
    x = normed(_convolve(tensors, x, at.stem[3]), at.stem[4])
    return [x, normed(_convolve(tensors, x, at.stem[5], 2), at.stem[6])]
  x = ops.max_pool(x, 2) if value.stem_pools else x
  return [x, x]


def _convolve(tensors, x, place, stride=1, rectified=True, padding=None):
  x = jax.nn.relu(x) if rectified else x
  return ops.convolution(x, tensors[place], stride, padding=padding)


def _norm(tensors, x, place):
  if place not in tensors:
    return x
  return deepnets_operations.norm(x, tensors[place], True)


def _head(value, tensors, at, x):
  """Return the logits of what the last cell puts out."""
  if value.heads:  # Pixels of a channel lie together, as in PyTorch.
    x = jnp.moveaxis(x, -1, 1).reshape(len(x), -1)
  else:
    x = jnp.mean(x, (1, 2))

  def dense(x, kernel, bias):
    y = x @ tensors[kernel][0, 0]
    return y + jnp.broadcast_to(tensors[bias], y.shape)

  if value.hidden:
    x = jax.nn.relu(dense(x, at.head[1], at.head[2]))
  return dense(x, at.head[3], at.head[4])


def logits(
  layout: layouts.Layout,
  tensors: dict[int, jax.Array],
  arch: Arch,
  x: jax.Array,
) -> jax.Array:
  """Return the logits of one network, written out.

  Args:
    layout: of the network.
    tensors: by the place of `deepnets_graphs.places`, as `predict` gives them.
    arch: index choices with known values (not traced).
    x: images `[B, H, W, C]`.

  Returns:
    `[B, classes]`.
  """
  at, arch = deepnets_graphs.places(layout), jax.tree.map(np.asarray, arch)
  with jax.ensure_compile_time_eval():
    value, cell = layouts.values(layout, arch), layouts.cells(layout, arch)
    attends = bool(layouts.attends(layout, arch))
    cell = jax.tree.map(np.asarray, cell)
  pairs = layouts.pairs(max(layout.steps))
  operations = deepnets_operations.operations(layout.operations, _Tensors())
  normed = int(value.norms) == 0

  def operate(op, x, chain):
    p = {i: tensors[place] for i, place in enumerate(chain) if place in tensors}
    return operations[op](x, p, normed)

  states = _stem(value, attends, tensors, at, x)
  for i in range(int(value.depths)):
    kind, nodes = cell.kind[i], []
    for j in range(2):
      place, x = at.inputs[i, j], states[j]
      for _ in range(cell.halvings[i, j]):
        x = layers.halve(x)
      is_read = place[1] in tensors
      x = _convolve(tensors, x, place[1]) if is_read else None
      nodes.append(_norm(tensors, x, place[2]) if is_read else None)
    for t in range(int(value.steps)):
      total = 0
      for j, source in enumerate(pairs[int(arch['source'][kind, t])]):
        op = int(arch['op'][kind, t, j])
        if layout.operations[op] != 'none':
          total += operate(op, nodes[source], at.chains[i, t, j])
      nodes.append(total)
    kept = [x for x, is_kept in zip(nodes[2:], cell.kept[kind]) if is_kept]
    states = [states[1], jnp.concatenate(kept, -1)]
  return _head(value, tensors, at, states[1])
