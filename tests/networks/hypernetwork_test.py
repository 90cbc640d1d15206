"""The tensors that hypernetworks predict."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.networks import deepnets_exact, hypernetwork
from nasjax.spaces import deepnets_graphs, deepnets_primitives
from tests.networks import tensor_graphs

_D = 8


def test_sizes_have_the_embeddings_that_the_authors_give_them():
  def of(size, known, others):
    return known[hypernetwork.size_index(jnp.int32(size), known, others)]

  channels = hypernetwork.channel_sizes(10), hypernetwork.CHANNELS_LIKE
  sizes = (1, 2, 4, 7, 9, 10, 12, 57, 65, 72, 4081, 9000)
  assert [of(s, *channels) for s in sizes] == [
    1, 1, 8, 8, 8, 10, 10, 56, 64, 64, 4080, 8192,
  ]  # fmt: skip
  kernels = hypernetwork.kernel_sizes(11), hypernetwork.KERNELS_LIKE
  assert [of(s, *kernels) for s in (1, 2, 4, 12, 13, 15, 20)] == [
    1, 3, 3, 11, 14, 14, 16,
  ]  # fmt: skip
  assert hypernetwork.size_index(jnp.int32(0), *channels) == len(channels[0])
  larger = hypernetwork.kernel_sizes(16).tolist()  # of ImageNet
  assert larger == [1, 3, 5, 7, 9, 11, 13, 14, 15, 16]


def _variables(model, graph):
  return model.init(jax.random.key(0), graph, method='everything')


def test_every_tensor_has_its_shape_and_repeats_its_block():
  graph = tensor_graphs.small()
  model = hypernetwork.Hypernetwork(features=_D, channels=2, kernel=3)
  variables = _variables(model, graph)
  found = deepnets_exact.predict(model, variables, graph, False)
  assert sorted(found) == list(range(6))
  block = lambda model, graph: model.tensors(model.embed(graph)[0], 3, 3)
  block = np.asarray(model.apply(variables, graph, method=block))
  tensor = found[0]
  assert tensor.shape == (3, 3, 2, 3)
  for i in range(2):
    for o in range(3):
      np.testing.assert_allclose(
        tensor[..., i, o], block[..., i % 2, o % 2], rtol=1e-5, atol=1e-6
      )
  assert found[3].shape == (1, 1, 5, 10) and found[5].shape == (10,)
  np.testing.assert_allclose(found[3][0, 0, 4], found[3][0, 0, 0], atol=1e-6)
  assert found[4].shape == (2, 4)


def test_smaller_kernels_are_the_centre_of_the_largest_if_so_said():
  graph = tensor_graphs.small()
  model = hypernetwork.Hypernetwork(
    features=_D, channels=2, kernel=5, centred=True
  )
  variables = _variables(model, graph)
  shape = np.array([[9, 9, 3, 3], [9, 9, 1, 3], [9, 9, 1, 1], [0, 0, 0, 0]])

  @jax.jit
  def kernels(variables, h):
    run = functools.partial(model.apply, variables)
    whole = run(h, 5, 5, method='tensors')
    cut = [
      run(h[i], *shape[i, 2:], method='tensors')
      for i in range(3)  # that of the last one is empty
    ]
    return whole, cut, run(h, jnp.asarray(shape), 3, method='squares')

  h = jax.random.normal(jax.random.key(1), (4, _D))
  whole, cut, squares = kernels(variables, h)
  for i, (rows, columns) in enumerate([(1, 4), (2, 3), (2, 3)]):
    rows = slice(rows, 5 - rows)
    columns = slice(*((1, 4) if i < 2 else (2, 3)))
    np.testing.assert_allclose(cut[i], whole[i, rows, columns], atol=1e-6)
    height, width = cut[i].shape[:2]
    np.testing.assert_allclose(squares[i, :height, :width], cut[i], atol=1e-6)


def test_the_last_layers_of_decoders_begin_small_if_so_said():
  model = hypernetwork.Hypernetwork(
    features=_D, channels=4, kernel=1, small_start=True
  )
  params = _variables(model, tensor_graphs.small())['params']
  small = (params['blocks'], params['vector']['layers_2'])
  for layer in (*small, params['class_weight']):
    largest = 1 / (5 * len(layer['kernel']) ** 0.5)
    assert 0.8 * largest < np.abs(layer['kernel']).max() <= largest
    assert not layer['bias'].any()
  assert params['hidden']['bias'].all()


def test_normalised_weights_have_the_variance_that_is_said():
  rng = np.random.RandomState(0)
  index = deepnets_primitives.INDEX
  for name, shape, variance in (
    ('conv', (64, 32, 3, 3), 2 / (32 * 9)),
    ('conv', (64, 32, 1, 7), 1 / (32 * 7)),
    ('conv', (64, 32, 7, 1), 2 / (32 * 7)),
    ('sep_conv', (256, 1, 5, 5), 1 / 25),
    ('dil_conv', (256, 1, 3, 3), 1 / 9),
    ('pos_enc', (64, 1, 8, 8), 1.0),
    ('sum', (0, 0, 0, 0), 1.0),
  ):
    scale = hypernetwork.weight_scale(jnp.int32(index[name]), jnp.array(shape))
    drawn = rng.normal(size=20000) * scale
    assert abs(drawn.var() / variance - 1) < 0.05
  x = jnp.linspace(-40, 40, 9).reshape(1, 9).repeat(2, 0)
  scales, biases = hypernetwork.normalise_vectors(x)
  assert scales.min() >= 0 and scales.max() <= 2 and scales[4] == 1
  np.testing.assert_allclose(biases, np.tanh(0.2 * x[1]), atol=1e-6)


def test_graphs_in_a_batch_are_independent():
  graphs = [tensor_graphs.small(0), tensor_graphs.small(3)]
  model = hypernetwork.Hypernetwork(features=_D, channels=2, kernel=1)
  variables = _variables(model, graphs[0])
  embed = lambda graph: model.apply(variables, graph, method='embed')
  both = jax.vmap(embed)(jax.tree.map(lambda *x: jnp.stack(x), *graphs))
  for graph, h in zip(graphs, both):
    np.testing.assert_allclose(h, embed(graph), rtol=1e-4, atol=1e-5)
  assert deepnets_graphs.num_params(graphs[0]) == 3 * 54 + 50 + 8 + 10
