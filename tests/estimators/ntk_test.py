"""Kernels against neural-tangents, against each other and against theory."""

import pathlib

from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ops
from nasjax.estimators import kernel_metrics, ntk
from nasjax.networks import NasBench201

_FILE = (
  pathlib.Path(__file__).parents[1] / 'golden' / 'ntk_neural_tangents_0.6.5.npz'
)
_ARCH = {'op': jnp.array([3, 2, 4, 1, 3, 2])}


def _mlp(p, x):
  h = jax.nn.relu(x @ p[0] + p[1][None])
  h = jnp.tanh(h @ p[2] + p[3][None])
  return h @ p[4] + p[5][None]


def _cnn(p, x, norm=lambda x, i: x):
  for i, (stride, low) in enumerate(((1, 1), (2, 0))):
    padding = ((low, 1), (low, 1))
    x = ops.convolution(x, p[i], stride, padding=padding)
    x = jax.nn.relu(norm(x, i))
  return x.mean((1, 2)) @ p[2] + p[3][None]


def _cnn_bn_train(p, x):

  def norm(x, i):
    scale, bias = (p[j][None, None, None] for j in (4 + 2 * i, 5 + 2 * i))
    return ops.batch_norm(x) * scale + bias

  return _cnn(p, x, norm)


FUNCTIONS = {'mlp': _mlp, 'cnn': _cnn, 'cnn_bn_train': _cnn_bn_train}


def _load(name, dtype):
  file = np.load(_FILE, allow_pickle=False)
  leaves = [key for key in file.files if key.startswith(f'{name}/p')]
  params = [jnp.asarray(file[key].astype(dtype)) for key in sorted(leaves)]
  return params, jnp.asarray(file[f'{name}/x'].astype(dtype)), file


def _compare(name, dtype, tolerance):
  params, x, file = _load(name, dtype)
  f, coupled = FUNCTIONS[name], name.endswith('train')
  np.testing.assert_allclose(
    f(params, x), file[f'{name}/f'], rtol=tolerance, atol=tolerance
  )
  full = jax.jit(lambda p, x: ntk.full(f, p, x, coupled))(params, x)
  scale = np.abs(file[f'{name}/ntk_full']).max()
  check = lambda a, key: np.testing.assert_allclose(
    a, file[f'{name}/{key}'], rtol=tolerance, atol=tolerance * scale
  )
  check(full, 'ntk_full')
  check(kernel_metrics.mean_trace(full), 'ntk_trace_mean')
  check(full.sum((2, 3)), 'ntk_sum_of_logits')
  for block_size in (None, 2):
    rows = ntk.gradients(f, params, x, coupled, block_size)
    check(kernel_metrics.gram(rows), 'ntk_sum_of_logits')


@pytest.mark.parametrize('name', sorted(FUNCTIONS))
def test_kernels_equal_those_of_neural_tangents(name):
  with jax.enable_x64(True):
    _compare(name, np.float64, 1e-9)


@pytest.mark.parametrize('name', sorted(FUNCTIONS))
def test_kernels_in_single_precision_are_close(name):
  _compare(name, np.float32, 2e-5)


@pytest.fixture(name='network', scope='module')
def _network():
  """A cell network with statistics, weights and images."""
  network = NasBench201(channels=4, cells_per_stage=1, track=True)
  x = jax.random.normal(jax.random.key(1), (5, 8, 8, 3))
  variables = jax.jit(network.init)(jax.random.key(0), _ARCH, x)
  return network, variables, x


def _frozen(network, variables, arch, x, **options):
  return jax.jit(
    lambda v, a: ntk.kernel(network, v, a, x, norm='frozen', **options)
  )(variables, arch)


@pytest.mark.parametrize(
  'unroll', [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_all_forms_of_a_network_with_frozen_norm_agree(network, unroll):
  network, variables, x = network
  network = network.clone(unroll=unroll)
  forms = [_ARCH, {'op': tuple(_ARCH['op'].tolist())}]
  expected = _frozen(network, variables, _ARCH, x, implementation='jacobian')
  assert np.linalg.eigvalsh(expected).min() > -1e-6 * np.trace(expected)
  np.testing.assert_array_equal(expected, expected.T)
  found = [_frozen(network, variables, arch, x) for arch in forms[:1]]
  found.append(ntk.kernel(network, variables, forms[1], x, norm='frozen'))
  found.append(
    _frozen(
      network, variables, _ARCH, x, implementation='jacobian', block_size=2
    )
  )
  for kernel in found:
    np.testing.assert_allclose(kernel, expected, rtol=1e-4)


def test_the_kernel_of_a_part_is_a_part_of_the_kernel(network):
  network, variables, x = network
  whole = _frozen(network, variables, _ARCH, x)
  np.testing.assert_allclose(
    _frozen(network, variables, _ARCH, x[:3]), whole[:3, :3], rtol=1e-4
  )


def test_statistics_of_the_batch_couple_examples(network):
  network, variables, x = network
  variables = {'params': variables['params']}
  network = network.clone(track=False)
  kernel = jax.jit(lambda v: ntk.kernel(network, v, _ARCH, x, block_size=2))
  f, params = ntk.outputs(network, variables, _ARCH)
  # One backward pass of the whole batch for each example, one after another.
  one = jax.jit(jax.grad(lambda p, i: f(p, x)[i].sum()))
  rows = [
    np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(one(params, i))])
    for i in range(len(x))
  ]
  expected = np.stack(rows) @ np.stack(rows).T
  np.testing.assert_allclose(kernel(variables), expected, rtol=1e-4)


def test_one_step_of_descent_moves_outputs_along_the_kernel():
  """f(w - eta g) - f(w) = -eta K dL/df + O(eta^2)."""
  with jax.enable_x64(True):
    params, x, _ = _load('mlp', np.float64)
    target = jnp.sin(jnp.arange(35.0)).reshape(7, 5)
    loss = lambda p: 0.5 * jnp.sum((_mlp(p, x) - target) ** 2)
    kernel = ntk.full(_mlp, params, x)
    errors = []
    for eta in (1e-3, 1e-4):
      moved = jax.tree.map(
        lambda w, g, eta=eta: w - eta * g, params, jax.grad(loss)(params)
      )
      step = jnp.einsum('nmop,mp->no', kernel, _mlp(params, x) - target)
      gap = _mlp(moved, x) - _mlp(params, x) + eta * step
      errors.append(float(jnp.linalg.norm(gap)))
    assert errors[1] < errors[0] / 50  # quadratic: a hundredth


def test_wide_networks_approach_the_analytic_kernel():
  """Two layers of ReLU in NTK form: the error falls as width^(-1/2)."""
  x = jax.random.normal(jax.random.key(0), (6, 5))
  x = x / jnp.linalg.norm(x, axis=1, keepdims=True)
  angle = jnp.arccos(jnp.clip(x @ x.T, -1, 1))
  zeroth = (jnp.pi - angle) / jnp.pi
  first = (jnp.sin(angle) + (jnp.pi - angle) * jnp.cos(angle)) / jnp.pi
  limit = first + (x @ x.T) * zeroth

  def f(params, x):
    w, v = params
    hidden = jnp.sqrt(2.0) * jax.nn.relu(x @ w)
    return hidden @ v / jnp.sqrt(v.shape[0])

  def error(key, width):
    keys = jax.random.split(key)
    params = (
      jax.random.normal(keys[0], (5, width)),
      jax.random.normal(keys[1], (width, 1)),
    )
    kernel = ntk.full(f, params, x)[:, :, 0, 0]
    return jnp.linalg.norm(kernel - limit) / jnp.linalg.norm(limit)

  widths = np.array([64, 256, 1024, 4096])
  keys = jax.random.split(jax.random.key(1), 20)
  errors = [jnp.mean(jax.vmap(error, (0, None))(keys, int(w))) for w in widths]
  slope = np.polyfit(np.log(widths), np.log(errors), 1)[0]
  assert -0.65 < slope < -0.35


def test_alignment_is_that_of_the_definition():
  rng = np.random.default_rng(0)
  label = np.array([0, 1, 0, 2, 1, 0])
  labels = np.where(label[:, None] == label[None], 1.0, -1.0)
  lga = lambda kernel: kernel_metrics.label_alignment(
    jnp.asarray(kernel), label
  )
  np.testing.assert_allclose(lga(3 * labels + 2), 1, rtol=1e-6)
  np.testing.assert_allclose(lga(-labels), -1, rtol=1e-6)
  rows = rng.normal(size=(6, 9))
  kernel = rows @ rows.T
  np.testing.assert_allclose(
    lga(kernel), np.corrcoef(kernel.ravel(), labels.ravel())[0, 1], rtol=1e-5
  )
  np.testing.assert_allclose(lga(5 * kernel - 7), lga(kernel), rtol=1e-5)
  # Centred by rows and columns it is another quantity.
  centred = kernel_metrics.centred_alignment(jnp.asarray(kernel), label)
  h = np.eye(6) - 1 / 6
  a, b = h @ kernel @ h, h @ labels @ h
  expected = (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)
  np.testing.assert_allclose(centred, expected, rtol=1e-4)
  assert abs(expected - lga(kernel)) > 0.003


def test_alignment_can_be_differentiated():
  with jax.enable_x64(True):
    params, x, _ = _load('mlp', np.float64)
    label = jnp.arange(7) % 3

    def value(scale):
      scaled = jax.tree.map(lambda leaf: scale * leaf, params)
      kernel = ntk.gradients(_mlp, scaled, x)
      return kernel_metrics.label_alignment(kernel_metrics.gram(kernel), label)

    step = 1e-5
    difference = (value(1 + step) - value(1 - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(value)(1.0), difference, rtol=1e-5)


def test_impossible_requests_are_refused(network):
  network, variables, x = network
  with pytest.raises(ValueError, match="Unknown norm 'layer'"):
    ntk.kernel(network, variables, _ARCH, x, norm='layer')
  with pytest.raises(ValueError, match='needs independent examples'):
    ntk.kernel(network, variables, _ARCH, x, implementation='factored')
  with pytest.raises(ValueError, match='Known: factored, jacobian'):
    ntk.kernel(network, variables, _ARCH, x, implementation='exact')


class _Normalised(nn.Module):
  """A linear layer whose weight is normalised: its gradient has rank two."""

  @nn.compact
  def __call__(self, x):
    kernel = self.param('kernel', nn.initializers.normal(), (x.shape[-1], 3))
    return x @ (kernel / jnp.linalg.norm(kernel, axis=0, keepdims=True))


@pytest.mark.parametrize('module', [nn.Dense(3), _Normalised()])
def test_layers_of_a_user_are_factored_by_what_they_compute(module):
  x = jax.random.normal(jax.random.key(0), (5, 4))
  params = module.init(jax.random.key(1), x)['params']
  f = lambda p, x: jnp.tanh(module.apply({'params': p}, x))
  select = lambda path: path[-1] == 'kernel'
  kernels = {name: leaf for name, leaf in params.items() if name == 'kernel'}
  rest = {name: leaf for name, leaf in params.items() if name != 'kernel'}
  expected = kernel_metrics.gram(
    ntk.gradients(lambda p, x: f({**p, **rest}, x), kernels, x)
  )
  np.testing.assert_allclose(
    ntk.factored(f, params, x, select), expected, rtol=1e-4
  )
