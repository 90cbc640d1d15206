"""Tests of the loop over edges against the unrolled graph."""

import chex
import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ops
from tests.ops import derivatives

SOURCES = np.array([0, 0, 1, 0, 1, 2])
TARGETS = np.array([1, 2, 2, 3, 3, 3])
NUM_NODES = 4


@pytest.fixture(name='float64')
def _float64():
  with jax.enable_x64(True):
    yield


def _looped(edge, xs, x, sources=SOURCES, targets=TARGETS):
  """Run a graph with one input as a loop; return its nodes and all y."""
  shape = (targets.max(), *x.shape)
  nodes = jnp.concatenate([x[None], jnp.zeros(shape, x.dtype)])
  (nodes,), ys = ops.edge_scan(
    edge, [nodes], xs, [ops.Port(0, sources)], [ops.Port(0, targets)]
  )
  return nodes, ys


def _unrolled(edge, xs, x, sources=SOURCES, targets=TARGETS):
  """The same, edge by edge."""
  nodes, ys = [x] + [jnp.zeros_like(x)] * targets.max(), []
  for e, (source, target) in enumerate(zip(sources, targets)):
    row = jax.tree.map(lambda leaf, e=e: leaf[e], xs)
    (result,), y = edge(row, (nodes[source],))
    nodes[target] = nodes[target] + result
    ys.append(y)
  return jnp.stack(nodes), jax.tree.map(lambda *rows: jnp.stack(rows), *ys)


def _dense(x, values):
  """Two possible layers of a choice, and a side result."""
  (value,) = values
  layers = [lambda v: jnp.tanh(v @ x['w']), lambda v: x['gain'] * jnp.sin(v)]
  y = {'energy': jnp.sum(value**2)}
  return (lax.switch(x['op'], layers, value),), y


def _example():
  ops_of_edges = jnp.array([0, 1, 0, 0, 1, 1])
  weights = derivatives.random(0, 6, 2, 2), derivatives.random(1, 6)
  return ops_of_edges, *weights, derivatives.random(2, 3, 2)


def test_values_and_two_derivatives_are_those_of_the_unrolled_graph(float64):
  # Choices are integers: they must pass through both derivatives untouched.
  op, w, gain, x = _example()

  def output(run):
    def function(w, gain, x):
      nodes, ys = run(_dense, dict(op=op, w=w, gain=gain), x)
      return jnp.sum(nodes[1:] ** 2) + jnp.sum(jnp.cos(ys['energy']))

    return function

  derivatives.assert_same(output(_looped), output(_unrolled), w, gain, x)


def test_nodes_and_side_results_of_every_edge_come_back(float64):
  op, w, gain, x = _example()
  xs = jax.tree.map(jnp.asarray, dict(op=op, w=w, gain=gain))
  both = jax.jit(lambda *a: (_looped(_dense, *a), _unrolled(_dense, *a)))
  (nodes, ys), expected = both(xs, jnp.asarray(x))
  chex.assert_trees_all_close((nodes, ys), expected, rtol=1e-12)
  assert nodes.shape == (NUM_NODES, 3, 2)
  np.testing.assert_array_equal(nodes[0], x)
  assert ys['energy'].shape == (6,)
  np.testing.assert_allclose(ys['energy'][0], np.sum(x**2))


def test_buffers_may_differ_in_shape_as_where_a_cell_halves_the_image(float64):
  w, x = derivatives.random(0, 4, 2, 2), derivatives.random(1, 2, 4, 2)
  inputs, inner = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])

  def halve(x, values):
    return (jnp.tanh(values[0][::2] @ x),), None

  def looped(w, x):
    buffers = [x, jnp.zeros((2, 2, 2))]
    (first, second), _ = ops.edge_scan(
      halve, buffers, w, [ops.Port(0, inputs)], [ops.Port(1, inner)]
    )
    return jnp.concatenate([first.ravel(), second.ravel()])

  def unrolled(w, x):
    nodes = [jnp.zeros((2, 2)), jnp.zeros((2, 2))]
    for e, (source, target) in enumerate(zip(inputs, inner)):
      nodes[target] = nodes[target] + jnp.tanh(x[source, ::2] @ w[e])
    return jnp.concatenate([x.ravel(), *(node.ravel() for node in nodes)])

  derivatives.assert_same(looped, unrolled, w, x)


def test_an_edge_may_read_and_write_several_nodes(float64):
  w, x = derivatives.random(0, 2, 2, 2), derivatives.random(1, 5, 3, 2)

  def swap(x, values):
    left, right = values
    return (jnp.tanh(left @ x) * right, jnp.sin(right) + left), jnp.sum(x)

  reads = [ops.Port(0, np.array([0, 2])), ops.Port(0, np.array([1, 0]))]
  writes = [ops.Port(0, np.array([2, 3])), ops.Port(0, np.array([3, 4]))]

  def looped(w, x):
    (nodes,), ys = ops.edge_scan(swap, [x], w, reads, writes)
    return jnp.sum(nodes**2) * jnp.sum(jnp.cos(ys))

  def unrolled(w, x):
    nodes, ys = list(x), []
    for e, (left, right, first, second) in enumerate(
      [(0, 1, 2, 3), (2, 0, 3, 4)]
    ):
      (one, two), y = swap(w[e], (nodes[left], nodes[right]))
      nodes[first], nodes[second] = nodes[first] + one, nodes[second] + two
      ys.append(y)
    return sum(jnp.sum(node**2) for node in nodes) * jnp.sum(
      jnp.cos(jnp.stack(ys))
    )

  derivatives.assert_same(looped, unrolled, w, x)


def test_cells_inside_a_scan_are_differentiated_twice(float64):
  # JAX 0.10 mixes up the residuals of nested scans where an operation such as
  # batch_norm keeps its argument as a residual; a barrier in edge_scan keeps
  # them apart.
  kernels = derivatives.random(0, 2, 2, 3, 3, 2, 2) / 3
  x = derivatives.random(1, 2, 3, 3, 2)
  edges = np.array([[0, 1], [1, 2]])

  def looped(x, kernels):
    def edge(kernel, values):
      return (ops.batch_norm(ops.convolution(values[0], kernel)),), None

    def cell(x, kernels):
      return _looped(edge, kernels, x, *edges)[0][-1], None

    return lax.scan(cell, x, kernels)[0]

  def unrolled(x, kernels):
    def edge(kernel, values):
      y = lax.conv_general_dilated(
        values[0],
        kernel,
        (1, 1),
        'SAME',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      )
      mean, variance = jnp.mean(y, (0, 1, 2)), jnp.var(y, (0, 1, 2))
      y = y - mean[None, None, None]
      return (y / jnp.sqrt(variance + 1e-5)[None, None, None],), None

    for i in range(2):
      x = _unrolled(edge, kernels[i], x, *edges)[0][-1]
    return x

  derivatives.assert_same(looped, unrolled, x, kernels, tolerance=1e-6)


def test_loops_change_nothing(float64):
  def last(w, x):
    edge = lambda w, values: ((jnp.tanh(values[0] @ w),), None)
    return _looped(edge, w, x)[0][-1]

  derivatives.assert_loops_change_nothing(
    last, derivatives.random(0, 3, 6, 2, 2), derivatives.random(1, 3, 4, 2)
  )


def _temporary_bytes(run, depth):
  """Memory of the gradient of a cell with `depth` layers an edge."""
  edges = np.array([(s, t) for t in range(1, 6) for s in range(t)]).T

  def edge(w, values):
    (x,) = values
    for i in range(depth):
      x = jnp.tanh(x @ w[i])
    return (x,), None

  def loss(w, x):
    return jnp.sum(run(edge, w, x, *edges)[0] ** 2)

  w, x = jnp.zeros((15, depth, 16, 16)), jnp.zeros((512, 16))
  compiled = jax.jit(jax.grad(loss)).lower(w, x).compile()
  return compiled.memory_analysis().temp_size_in_bytes


def test_the_gradient_stores_nodes_not_what_is_inside_edges():
  looped = [_temporary_bytes(_looped, depth) for depth in (2, 6)]
  unrolled = _temporary_bytes(_unrolled, 6)
  node = 512 * 16 * 4
  assert looped[1] < unrolled / 2
  # Four more layers need room of their own in one edge, not in each of 15.
  assert looped[1] - looped[0] < 15 * 4 * node / 2
