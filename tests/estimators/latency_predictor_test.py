"""Tests of learned latency, on synthetic devices and on measured ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import networks
from nasjax.data import latency as latency_tables
from nasjax.data import tabular
from nasjax.estimators import latency, latency_predictor, ridge
from nasjax.spaces import nasbench201

_SPACE = nasbench201.nasbench201()
_CELLS = jax.vmap(_SPACE.index)(jnp.arange(_SPACE.size))
_CODES = np.asarray(jax.vmap(_SPACE.encode)(_CELLS)).reshape(-1, 6, 5)
_INDEX = nasbench201.cell_index


def _device(interaction, noise):
  """Milliseconds of all cells, and what they would be without noise."""
  generator = np.random.default_rng(0)
  table = generator.uniform(0.5, 1.5, (6, 1)) * np.array([0, 0.1, 1, 4, 0.7])
  each = np.einsum('nek,ek->ne', _CODES, table)
  # Paths overlap: the longer of two branches counts, and 3x3 kernels share.
  overlap = np.maximum(each[:, 0] + each[:, 2], each[:, 1])
  shared = _CODES[:, 0, 3] * _CODES[:, 1, 3] + _CODES[:, 3, 3] * _CODES[:, 4, 3]
  clean = 5 + each.sum(1) + interaction * (overlap - 3 * shared)
  return clean * np.exp(noise * generator.normal(size=len(clean))), clean


def _estimators(num_steps=1500):
  # Decay is against noise, of which there is little here.
  return {
    'network': latency_predictor.latency_predictor(
      _SPACE,
      networks.Mlp((64, 64), jax.nn.gelu),
      num_steps,
      learning_rate=1e-2,
      weight_decay=0.1,
    ),
    'table': ridge.ridge(_SPACE.encode, _SPACE.index(0), 1e-2),
  }


def _errors(values, truth, num_labels, kind):
  told = latency_predictor.labels(_SPACE, _INDEX, values, num_labels)
  predict = latency_predictor.fit(_estimators()[kind], told)
  seen = np.asarray(jax.vmap(_INDEX)(told.archs))
  assert len(set(seen)) == num_labels
  held_out = ~np.isin(np.arange(_SPACE.size), seen)
  predicted = np.asarray(jax.jit(jax.vmap(predict))(_CELLS))
  return latency.errors(predicted[held_out], truth[held_out])


def test_the_network_learns_what_operations_do_to_each_other():
  values, _ = _device(1.0, 0.02)
  network = _errors(values, values, 800, 'network')
  table = _errors(values, values, 800, 'table')
  # The noise alone is 1.6 %.
  assert network['mape'] < 0.03
  assert table['mape'] > 1.5 * network['mape']
  few = _errors(values, values, 50, 'network')
  assert few['mape'] > 1.5 * network['mape']


def test_on_an_additive_device_the_table_is_not_beaten():
  values, clean = _device(0.0, 0.02)
  network = _errors(values, clean, 200, 'network')
  table = _errors(values, clean, 200, 'table')
  assert table['mape'] < 0.01
  assert network['mape'] > table['mape']


def test_gradients_are_those_of_differences_and_smooth():
  values, _ = _device(1.0, 0.0)
  told = latency_predictor.labels(_SPACE, _INDEX, values, 100)
  predict = latency_predictor.fit(_estimators(50)['network'], told)
  row = jax.nn.softmax(jax.random.normal(jax.random.key(0), (6, 5)))
  direction = jax.random.normal(jax.random.key(1), (6, 5))
  slope = jax.jit(
    lambda t: jax.grad(lambda t: predict({'op': row + t * direction}))(t)
  )
  value = lambda t: float(predict({'op': row + t * direction}))
  np.testing.assert_allclose(
    slope(0.0), (value(0.02) - value(-0.02)) / 0.04, rtol=0.02
  )
  slopes = jax.vmap(slope)(jnp.linspace(-0.1, 0.1, 41))
  steps = np.abs(np.diff(slopes))
  assert steps.max() < 4 * steps.mean()  # no kinks


def test_labels_are_drawn_among_what_was_measured():
  values = np.full(_SPACE.size, np.nan)
  values[100:120] = np.arange(20) + 1.0
  told = latency_predictor.labels(_SPACE, _INDEX, values)
  np.testing.assert_array_equal(
    np.sort(jax.vmap(_INDEX)(told.archs)), np.arange(100, 120)
  )
  np.testing.assert_array_equal(told.values, jax.vmap(_INDEX)(told.archs) - 99)
  with pytest.raises(ValueError, match='21 labels: 20 of the 15625'):
    latency_predictor.labels(_SPACE, _INDEX, values, 21)


def test_every_code_is_that_of_one_cell():
  np.testing.assert_array_equal(_CODES.argmax(-1), _CELLS['op'])
  np.testing.assert_array_equal(_CODES.sum(-1), 1)


@pytest.mark.data
def test_a_measured_device_is_predicted_within_a_tenth(data_dir):
  table = latency_tables.load_nasbench201_latency(data_dir)
  values = tabular.values_by_index(table, 'titanx_1')
  found = _errors(values, values, 400, 'network')
  assert found['mape'] < 0.1 and found['kendall'] > 0.8
