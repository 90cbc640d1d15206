"""Networks with predicted weights: written out, in one program, by the authors.

`golden/ghn_networks.npz`, which `golden/make_ghn.py` makes, has weights, drawn
at random, of the MLP of ppuda (github.com/facebookresearch/ppuda, with 4
features and blocks of 8x8 weights of 11x11), and the logits of that program for
four networks of a cell, which among them have all operations, with what it
predicts for them.
"""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.networks import (
  deepnets_blocks,
  deepnets_exact,
  deepnets_norms,
  deepnets_predicted,
  graph_encoders,
  hypernetwork,
  hypernetwork_torch,
)
from nasjax.spaces import deepnets as spaces
from nasjax.spaces import deepnets_graphs, deepnets_layouts, deepnets_splits

_FILE = pathlib.Path(__file__).parents[1] / 'golden' / 'ghn_networks.npz'
_CIFAR = deepnets_layouts.CIFAR
_CELL = _CIFAR._replace(
  depths=(1,),
  steps=(2,),
  widths=(24,),
  multipliers=(2,),
  hidden=(0, 64),
  reductions=0,
)
# Operations of two nodes, which read the states 0 and 1, and 0 and 2.
_NETWORKS = (
  (
    *('sep_conv_3x3 sep_conv_5x5 dil_conv_3x3 dil_conv_5x5', 7),
    *('batch', 64, False),
  ),
  ('conv_3x3 conv_1x1 max_pool_3x3 none', 5, 'none', 0, True),
  ('conv_7x1_1x7 conv_7x7 cse avg_pool_3x3', 3, 'batch', 0, False),
  ('msa skip_connect conv_5x5 msa', 3, 'batch', 64, False),
)


def _network(operations, kernel, norm, hidden, pooled):
  """Return the architecture of a network of the file."""
  op = [_CELL.operations.index(name) for name in operations.split()]
  pairs = deepnets_layouts.pairs(2).tolist()
  chosen = dict(kernels=kernel, norms=norm, hidden=hidden, stem_pools=pooled)
  arch = jax.tree.map(
    lambda allowed: np.zeros(allowed.shape[:-1], np.int32), spaces.mask(_CELL)
  )
  return arch | {
    'op': np.tile(np.int32(op).reshape(1, 2, 2), (2, 1, 1)),
    'source': np.int32([[pairs.index([0, 1]), pairs.index([0, 2])]] * 2),
    **{
      name: np.int32([getattr(_CELL, name).index(option)])
      for name, option in chosen.items()
    },
  }


@pytest.mark.parametrize('number', range(len(_NETWORKS)))
def test_a_network_has_the_logits_of_the_authors_program(number):
  file, start = np.load(_FILE), 'state/'
  model, variables = hypernetwork_torch.from_state_dict(
    {
      name.removeprefix(start): np.float32(file[name])
      for name in file
      if name.startswith(start)
    }
  )
  arch = _network(*_NETWORKS[number])
  graph = jax.device_get(
    jax.jit(lambda a: deepnets_graphs.graph(_CELL, a))(arch)
  )
  wave = np.cos(np.arange(2 * 32 * 32 * 3) ** 1.1)
  x = wave.reshape(2, 32, 32, 3).astype(np.float32)

  @jax.jit
  def run(variables):
    tensors = deepnets_exact.predict(model, variables, graph)
    return deepnets_exact.logits(_CELL, tensors, arch, x)

  expected = file['logits'][number]
  np.testing.assert_allclose(run(variables), expected, rtol=1e-3, atol=1e-3)


def test_the_networks_of_the_file_have_all_operations():
  assert {*' '.join(row[0] for row in _NETWORKS).split()} == {
    *_CIFAR.operations
  }


# Channels are repeated, fully or in part, and images have all series of sizes.
_SMALL = _CIFAR._replace(
  operations=('none', 'skip_connect', 'sep_conv_3x3', 'conv_5x5', 'msa', 'cse'),
  depths=(3, 4),
  steps=(1, 2),
  widths=(8, 24),
  kernels=(3, 5),
  hidden=(0, 24),
  image=(14, 14, 3),
  reductions=1,
  max_params=None,
)
_MODEL = hypernetwork.Hypernetwork(
  features=8, channels=16, kernel=5, encoder=graph_encoders.Perceptron
)


_TINY = _SMALL._replace(
  operations=('skip_connect', 'conv_1x1', 'msa'),
  depths=(2,),
  steps=(1,),
  widths=(24,),
  kernels=(3,),
  stems=('simple',),
  stem_pools=(False,),
  hidden=(24,),
)


def _drawn(layout):
  """Return networks that have, together, every stem, head and operation."""
  split = deepnets_splits.splits(layout)['valid']
  archs = deepnets_splits.networks(split, 0, 60)
  networks = [jax.tree.map(lambda x, i=i: x[i], archs) for i in range(60)]
  names = ('stems', 'stem_pools', 'heads', 'hidden', 'widths')
  names += ('norms', 'kernels', 'multipliers')
  chosen, seen = [], set()
  for arch in networks:
    here = {(name, int(arch[name][0])) for name in names}
    here |= {('op', int(op)) for op in arch['op'][:, 0].ravel()}
    if here - seen:
      chosen.append(arch)
      seen |= here
  options = [getattr(layout, name) for name in (*names, 'operations')]
  assert len(seen) == sum(map(len, options))
  return chosen


def _program(layout, x, variables, arch, model=_MODEL, normalise=True):
  """Return the logits, and the sum of norms, of the program of all."""
  known = layout, model, variables
  found = deepnets_blocks.vertices(*known, arch)
  run = deepnets_predicted.logits(layout, model, normalise)
  norms = deepnets_norms.decoded(*known, found, normalise)
  return run(variables, found, arch, x), norms


def _written_out(
  layout, x, graph, arch, variables, model=_MODEL, normalise=True
):
  """Return the same of one network, with all its channels."""
  tensors = deepnets_exact.predict(model, variables, graph, normalise)
  parts = [
    row
    for tensor in tensors.values()
    for row in (tensor if tensor.ndim == 2 else [tensor])
  ]
  norms = sum(jnp.linalg.norm(part.ravel()) for part in parts)
  return deepnets_exact.logits(layout, tensors, arch, x), norms


@pytest.mark.parametrize(
  'layout', [_TINY, pytest.param(_SMALL, marks=pytest.mark.slow)]
)
def test_few_channels_give_what_all_of_them_give(layout):
  init = functools.partial(deepnets_blocks.init, layout, _MODEL)
  variables = jax.jit(init)(jax.random.key(0))
  x = jax.random.normal(jax.random.key(1), (4, 14, 14, 3))
  program = jax.jit(functools.partial(_program, layout, x))
  draw = jax.jit(functools.partial(deepnets_graphs.graph, layout))
  for arch in _drawn(layout):
    graph = jax.device_get(draw(arch))
    one = jax.jit(functools.partial(_written_out, layout, x, graph, arch))
    for found, expected in zip(program(variables, arch), one(variables)):
      np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_kernels_may_be_centred_and_tensors_as_they_are_predicted():
  layout = _TINY._replace(operations=('conv_3x3',), image=(6, 6, 3))
  other = dict(model=_MODEL.clone(centred=True), normalise=False)
  init = functools.partial(deepnets_blocks.init, layout, other['model'])
  variables = jax.jit(init)(jax.random.key(0))
  arch = jax.jit(spaces.deepnets(layout).sample)(jax.random.key(1))
  x = jax.random.normal(jax.random.key(2), (4, 6, 6, 3))
  draw = jax.jit(functools.partial(deepnets_graphs.graph, layout))
  graph = jax.device_get(draw(arch))
  program = functools.partial(_program, layout, x, **other)
  one = functools.partial(_written_out, layout, x, graph, arch, **other)
  expected = jax.jit(one)(variables)
  for found, value in zip(jax.jit(program)(variables, arch), expected):
    np.testing.assert_allclose(found, value, rtol=1e-3, atol=1e-4)
  assert np.ptp(expected[0], axis=0).max() > 1e-4


@pytest.mark.slow
def test_few_channels_have_the_gradients_of_all_of_them():
  init = functools.partial(deepnets_blocks.init, _SMALL, _MODEL)
  variables = jax.jit(init)(jax.random.key(0))
  x = jax.random.normal(jax.random.key(1), (4, 14, 14, 3))
  total = lambda found: jnp.sum(jnp.sin(found[0])) + found[1] / 100
  run = functools.partial(_program, _SMALL, x)
  program = jax.jit(jax.grad(lambda *net: total(run(*net))))
  draw = jax.jit(functools.partial(deepnets_graphs.graph, _SMALL))
  for arch in _drawn(_SMALL)[:3]:
    graph = jax.device_get(draw(arch))
    one = functools.partial(_written_out, _SMALL, x, graph, arch)
    one = jax.jit(jax.grad(lambda variables, one=one: total(one(variables))))
    jax.tree.map(
      functools.partial(np.testing.assert_allclose, rtol=1e-2, atol=1e-3),
      program(variables, arch),
      one(variables),
    )


def test_a_model_that_predicts_too_little_is_refused():
  with pytest.raises(ValueError, match='kernels of 5 rows'):
    deepnets_predicted.logits(_SMALL, _MODEL.clone(kernel=4))
  with pytest.raises(ValueError, match='images of 3 channels'):
    deepnets_predicted.logits(_SMALL, _MODEL.clone(channels=2))
  with pytest.raises(ValueError, match='10 classes, the model 5'):
    deepnets_predicted.logits(_SMALL, _MODEL.clone(num_classes=5))


def test_layouts_whose_networks_cannot_be_built_are_refused():
  for change, message in (
    (dict(depths=(1, 4)), '1 reductions need more cells'),
    (dict(widths=(8, 12)), "'msa' has 8 heads"),
  ):
    with pytest.raises(ValueError, match=message):
      spaces.deepnets(_SMALL._replace(**change))
  run = deepnets_predicted.logits(_SMALL, _MODEL)
  with pytest.raises(ValueError, match=r'images have shape \(8, 8, 3\)'):
    run({}, None, {}, jnp.zeros((2, 8, 8, 3)))
