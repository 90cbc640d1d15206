"""Tests of accuracies along trainings, as scores of architectures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.estimators import learning_curves, training
from nasjax.estimators.training import Trainer

_SPLITS = {'valid': jnp.float32(1), 'test': jnp.float32(10)}


def _counting(noisy=False) -> Trainer:
  """A 'network' that counts its steps; its accuracy is that and the split."""

  def init(key, arch):
    start = jax.random.uniform(key) if noisy else jnp.float32(0)
    return training.Child(jnp.int32(0), start, {}, ())

  def update(key, child, arch, batch):
    return child._replace(
      step=child.step + 1, params=child.params + arch * batch
    ), {}

  accuracy = lambda child, arch, batch: child.params * batch
  return Trainer(init, update, accuracy)


def _raw(trainer, **settings):
  joint = learning_curves.learning_curves(
    trainer, lambda key, t: jnp.float32(t + 1), _SPLITS, **settings
  )
  found = jax.jit(joint.raw)(jax.random.key(0), (), jnp.float32(2))
  assert set(found) == set(joint.proxies)
  return found


def test_each_look_continues_the_same_training():
  found = _raw(_counting(), num_steps=(1, 3, 4), num_runs=1)
  # Batches 1, 2, 3, 4 of an architecture that counts twice.
  assert [float(found[f'valid_{t}_0']) for t in (1, 3, 4)] == [2, 12, 20]
  assert float(found['test_4_0']) == 200


def test_runs_draw_their_own_weights():
  found = _raw(_counting(noisy=True), num_steps=(2,), num_runs=3)
  values = np.array([found[f'valid_2_{r}'] for r in range(3)])
  assert len(np.unique(values)) == 3
  assert np.all((values > 6) & (values < 7))


@pytest.mark.parametrize('steps', [(), (3, 1), (0, 2)])
def test_looks_must_rise(steps):
  with pytest.raises(ValueError, match='rise'):
    _raw(_counting(), num_steps=steps, num_runs=1)
