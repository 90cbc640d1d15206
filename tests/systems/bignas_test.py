"""Tests of BigNAS on a network that is small enough to train in seconds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nasjax.networks import mobile as networks
from nasjax.networks import mobile_cost
from nasjax.spaces import mobile
from nasjax.systems import bignas

LAYOUT = mobile.Layout(
  (4,), (4,), (mobile.Stage((3, 6), (1,), (1, 3), (1,)),), (6,), stem_stride=1
)
NETWORK = networks.Mobile(LAYOUT, num_classes=2, project=True, zero=True)
SPACE = mobile.mobile(LAYOUT)
MACS = mobile_cost.mobile_macs(NETWORK, 1)


def _images(seed, num=64):
  """Returns images of two classes: bright on the left, or on the right."""
  rng = np.random.default_rng(seed)
  label = rng.integers(2, size=num)
  image = rng.normal(size=(num, 4, 4, 1))
  image[np.arange(num), :, 3 * label] += 2.0
  return {
    'image': jnp.asarray(image, jnp.float32),
    'label': jnp.asarray(label),
  }


def _stacked(seed):
  batch = _images(seed) | {'weight': jnp.ones(64)}
  return jax.tree.map(lambda leaf: leaf[None], batch)


def _search(**settings):
  options = dict(train_steps=30, optimizer=optax.sgd(0.05, 0.9), cost=MACS)
  return bignas.bignas(
    SPACE,
    NETWORK,
    LAYOUT,
    (4, 4, 1),
    _stacked(100),
    _stacked(101),
    **(options | settings),
  )


@pytest.fixture(name='trained', scope='module')
def _trained():
  """A search among the cheaper half, after training and selection."""
  ends = mobile.smallest(LAYOUT), mobile.biggest(LAYOUT)
  budget = float(np.mean([MACS(end) for end in ends]))
  search = _search(budget=budget, select_batch=2)
  update = jax.jit(search.update)
  state, metrics = jax.jit(search.init)(jax.random.key(0)), []
  for t in range(33):
    state, row = update(jax.random.key(t), state, _images(t))
    metrics.append(row)
  found = jax.jit(search.best)(jax.random.key(0), state)
  return budget, metrics, found


def test_children_learn_before_one_is_selected(trained):
  _, metrics, _ = trained
  accuracy = [float(row['child_accuracy']) for row in metrics[:30]]
  assert np.mean(accuracy[-5:]) > 0.85 > np.mean(accuracy[:3])
  assert all(row['score_mean'] == 0 for row in metrics[:30])
  scores = [float(row['score_best']) for row in metrics[30:]]
  assert scores == sorted(scores)
  assert scores[-1] > 0.85


def test_what_is_found_is_within_the_budget(trained):
  budget, _, found = trained
  assert MACS(found) <= budget


def test_a_teacher_is_needed():
  with pytest.raises(ValueError, match='nobody to distill'):
    _search(with_sandwich=False)


def test_a_budget_is_of_a_cost_that_a_child_can_have():
  with pytest.raises(ValueError, match='budget of 10.0 needs the cost'):
    _search(cost=None, budget=10.0)
  with pytest.raises(ValueError, match='more than the budget of 10'):
    _search(budget=10.0)
