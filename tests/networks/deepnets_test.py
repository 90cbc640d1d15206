"""The program of all networks equals each of them written out."""

import functools

import jax
import numpy as np
import pytest

from nasjax.networks import (
  deepnets,
  deepnets_exact,
  deepnets_norms,
  deepnets_random,
  deepnets_weights,
  graph_encoders,
  hypernetwork,
)
from nasjax.spaces import deepnets as spaces
from nasjax.spaces import (
  deepnets_graphs,
  deepnets_layouts,
  deepnets_primitives,
  deepnets_splits,
)

_LAYOUT = deepnets_layouts.DIGITS._replace(widths=(2, 4))
_MODEL = hypernetwork.Hypernetwork(features=8, channels=3, kernel=3)


def _at(tree, i):
  return jax.tree.map(lambda leaf: leaf[i], tree)


@pytest.fixture(scope='module')
def nets():
  """Some networks, and a hypernetwork for them."""
  split = deepnets_splits.splits(_LAYOUT)['valid']
  archs = deepnets_splits.networks(split, 0, 29)
  init, blocks = deepnets_weights.predictor(_LAYOUT, _MODEL)
  graph = jax.jit(functools.partial(deepnets_graphs.graph, _LAYOUT))
  variables = jax.jit(init)(jax.random.key(0), graph(_at(archs, 0)))
  return archs, graph, variables, blocks


def test_the_program_of_all_equals_each_network_written_out(nets):
  archs, graph, variables, blocks = nets
  x = jax.random.normal(jax.random.key(1), (4, 8, 8, 1))
  weights = functools.partial(deepnets_weights.fit, _LAYOUT)

  @jax.jit
  def run(arch):
    graph = deepnets_graphs.graph(_LAYOUT, arch)
    params = weights(arch, graph, blocks(variables, graph))
    return deepnets.logits(_LAYOUT, params, arch, x)

  seen = set()
  for i in (10, 23, 28):  # among them they have every operation
    arch = _at(archs, i)
    drawn = graph(arch)
    tensors = deepnets_exact.predict(_MODEL, variables, drawn)
    expected = deepnets_exact.logits(_LAYOUT, tensors, arch, x)
    np.testing.assert_allclose(run(arch), expected, rtol=1e-3, atol=1e-4)
    # Every number of every tensor is predicted, and no other.
    sizes = [np.size(tensor) for tensor in tensors.values()]
    assert sum(sizes) == deepnets_graphs.num_params(drawn)
    for place, tensor in tensors.items():
      outputs, inputs, *kernel = np.asarray(drawn.shape[place])
      if np.ndim(tensor) == 4:
        assert tensor.shape == (*kernel, inputs, outputs)
    op = np.asarray(arch['op'])[:, : 1 + int(arch['steps'][0])]
    seen |= {_LAYOUT.operations[o] for o in op.ravel()}
    seen |= {_LAYOUT.norms[int(arch['norms'][0])]}
  assert seen == {*_LAYOUT.operations, *_LAYOUT.norms}


def test_kernels_from_the_centre_are_those_of_each_network(nets):
  archs, graph = nets[:2]
  model = hypernetwork.Hypernetwork(
    features=8,
    channels=3,
    kernel=5,
    encoder=graph_encoders.Perceptron,
    centred=True,
  )
  init, blocks = deepnets_weights.predictor(_LAYOUT, model)
  arch = _at(archs, 23)
  drawn = graph(arch)
  variables = jax.jit(init)(jax.random.key(0), drawn)

  @jax.jit
  def predict(variables):
    made = blocks(variables, drawn)
    return deepnets_weights.fit(_LAYOUT, arch, drawn, made)

  first = predict(variables)['edges']['first']
  tensors = deepnets_exact.predict(model, variables, drawn)
  places = deepnets_graphs.places(_LAYOUT).chains[..., 1]
  seen = set()
  for index, place in np.ndenumerate(places):
    if place in tensors:
      tensor = tensors[place]
      part = first[index][tuple(map(slice, tensor.shape))]
      np.testing.assert_allclose(part, tensor, rtol=1e-4, atol=1e-5)
      seen.add(tensor.shape[0])
  assert seen == {1, 3}


def test_weights_that_are_not_normalised_are_the_blocks(nets):
  archs, graph, variables, blocks = nets
  arch = _at(archs, 0)
  drawn = graph(arch)
  made = jax.jit(blocks)(variables, drawn)
  params = deepnets_weights.fit(_LAYOUT, arch, drawn, made, normalise=False)
  width = int(arch['widths'][0])
  count = _LAYOUT.widths[width]
  repeated = np.tile(made.stem[:, :, :1], (1, 1, 1, 2))[..., :count]
  np.testing.assert_array_equal(params['stem'][..., :count], repeated)
  assert not params['stem'][..., count:].any()
  np.testing.assert_array_equal(params['bias'], made.bias)


def test_a_random_network_has_as_many_weights_as_its_graph(nets):
  archs, graph = nets[:2]
  arch = _at(archs, 1)
  params = deepnets_random.draw(_LAYOUT, jax.random.key(0), arch)
  drawn = graph(arch)
  ids = [deepnets_primitives.INDEX[name] for name in ('bn', 'bias')]
  vectors = np.isin(drawn.op, ids) & (np.asarray(drawn.mask) > 0)
  biases = np.sum(np.asarray(drawn.shape)[vectors, 0])  # all of them are zero
  leaves = map(np.asarray, jax.tree.leaves(params))
  count = sum(np.count_nonzero(leaf) for leaf in leaves)
  assert count + biases == deepnets_graphs.num_params(drawn)


def test_norms_are_those_of_each_tensor(nets):
  archs, graph, variables, blocks = nets

  @jax.jit
  @jax.value_and_grad
  def measure(variables, arch, drawn):
    made = blocks(variables, drawn)
    params = deepnets_weights.fit(_LAYOUT, arch, drawn, made)
    return deepnets_norms.padded(params)

  for i in (10, 23, 28):
    arch = _at(archs, i)
    drawn = graph(arch)
    actual, gradient = measure(variables, arch, drawn)
    expected = 0.0
    for place, tensor in deepnets_exact.predict(
      _MODEL, variables, drawn
    ).items():
      name = deepnets_primitives.PRIMITIVES[int(drawn.op[place])]
      rows = tensor if name == 'bn' else [tensor]
      expected += sum(np.linalg.norm(np.ravel(row)) for row in rows)
    np.testing.assert_allclose(actual, expected, rtol=1e-4)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_a_layout_that_the_program_has_not_is_named():
  arch = spaces.deepnets(_LAYOUT).sample(jax.random.key(0))
  x = np.zeros((2, 8, 8, 1))
  for change, message in (
    ({'heads': ('average', 'flatten')}, 'layout.heads'),
    ({'operations': ('none', 'msa')}, "have no layout.operations: 'msa'"),
    (
      {'operations': ('none', 'conv_5x5')},
      "have no layout.operations: 'conv_5x5'",
    ),
    ({'operations': ('none', 'conv')}, "Unknown operation 'conv'"),
  ):
    with pytest.raises(ValueError, match=message):
      deepnets.logits(_LAYOUT._replace(**change), {}, arch, x)
