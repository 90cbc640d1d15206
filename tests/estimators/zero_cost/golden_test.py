"""Proxies against the authors' programs, on one network and real images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import kernel_metrics, ntk, zero_cost
from tests.estimators.zero_cost import golden

pytestmark = pytest.mark.data  # the scores of the authors' programs

PROXIES = {
  'nwot': zero_cost.naswot,
  'jacov': zero_cost.jacov,
  'epe_nas': zero_cost.epe_nas,
  'grad_norm': zero_cost.grad_norm,
  'snip': zero_cost.snip,
  'plain': zero_cost.plain,
  'grasp': zero_cost.grasp,
  'fisher': zero_cost.fisher,
  'l2_norm': zero_cost.l2_norm,
  'synflow': zero_cost.synflow,
  'synflow_bn': zero_cost.synflow_bn,
  'linear_regions': zero_cost.linear_regions,
  'zico_2x8': zero_cost.zico,
  'tenas_cond': zero_cost.condition_number,
  'lga_train/mean': zero_cost.kernel_mean,
  'lga_train/fnorm': zero_cost.kernel_norm,
  'lga_train/lga': zero_cost.label_alignment,
}
LOGARITHMS = ('synflow', 'synflow_bn')  # the file has the value itself
ROUGH = {'jacov': 1e-2, 'epe_nas': 1e-2, 'tenas_cond': 1e-2}  # in float32


def _raw(proxy, variables):
  compute = jax.jit(lambda v: proxy.raw(jax.random.key(0), v, ()))
  return float(compute(variables))


@pytest.mark.parametrize('name', sorted(PROXIES))
def test_a_proxy_equals_the_authors_program(data_dir, name):
  with jax.enable_x64(True):
    variables, batch, file = golden.load(data_dir)
    found = _raw(PROXIES[name](golden.Network(), batch), variables)
    expected = float(file[f'score/{name}'])
    expected = np.log(expected) if name in LOGARITHMS else expected
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize('name', sorted(PROXIES))
def test_single_precision_is_close(data_dir, name):
  variables, batch, file = golden.load(data_dir, np.float32)
  found = _raw(PROXIES[name](golden.Network(), batch), variables)
  expected = float(file[f'score/{name}'])
  expected = np.log(expected) if name in LOGARITHMS else expected
  np.testing.assert_allclose(found, expected, rtol=ROUGH.get(name, 1e-4))


@pytest.mark.parametrize(
  'norm, implementation',
  [  # not factored with those of the batch: examples depend on each other
    ('batch', 'jacobian'),
    ('frozen', 'jacobian'),
    ('frozen', 'factored'),
  ],
)
def test_kernel_metrics_equal_the_authors_program(
  data_dir, norm, implementation
):
  with jax.enable_x64(True):
    variables, batch, file = golden.load(data_dir)
    network = golden.Network(track=norm == 'frozen')
    kernel = ntk.kernel(
      network,
      variables,
      (),
      batch['image'],
      norm=norm,
      implementation=implementation,
      block_size=5,
    )
    part = {'batch': 'lga_train', 'frozen': 'lga_eval'}[norm]
    found = {
      'mean': kernel.mean(),
      'fnorm': jnp.linalg.norm(kernel),
      'lga': kernel_metrics.label_alignment(kernel, batch['label']),
      'cond': kernel_metrics.condition_number(kernel),
    }
    for name, value in found.items():
      tolerance = 1e-6 if name == 'cond' else 1e-9
      expected = float(file[f'score/{part}/{name}'])
      np.testing.assert_allclose(value, expected, rtol=tolerance)


def test_the_kernel_of_te_nas_counts_the_classifier(data_dir):
  with jax.enable_x64(True):
    variables, batch, file = golden.load(data_dir)
    kernel = ntk.kernel(
      golden.Network(),
      {'params': variables['params']},
      (),
      batch['image'],
      select=ntk.is_any_weight,
    )
    np.testing.assert_allclose(kernel, file['ntk_tenas'], rtol=1e-9)
