"""LGA as a search: trains, aligns, evolves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax.networks import NasBench201
from nasjax.spaces import nasbench201
from nasjax.systems import lga


@pytest.mark.slow
def test_evolution_by_alignment_prefers_cells_that_learn():
  """Two classes of images that differ in brightness."""
  label = jnp.arange(16) % 2
  noise = jax.random.normal(jax.random.key(0), (16, 8, 8, 1))
  image = noise + 2.0 * label[:, None, None, None]
  batch = {'image': image, 'label': label}
  mask = {'op': np.tile([True, False, True, False, False], (6, 1))}
  search = lga.lga(
    nasbench201.nasbench201(mask),
    NasBench201(num_classes=2, channels=4, cells_per_stage=1),
    lambda key, t: batch,
    {name: leaf[:8] for name, leaf in batch.items()},
    num_train_steps=3,
    population=3,
    tournament=2,
  )
  state = search.init(jax.random.key(0))
  update = jax.jit(lambda key, s: search.update(key, s, None))
  scores = []
  for t in range(5):
    state, metrics = update(jax.random.key(t), state)
    scores.append(float(metrics['score_best']))
  # Another training of the same cell replaces its score, so the best one may
  # go down; all of these cells align with what is plain to see.
  assert all(0.1 < score <= 1 for score in scores)
  values = np.asarray(state.found.values)
  assert scores[-1] == values[0] == values.max()
  best = search.best(jax.random.key(0), state)
  assert set(np.asarray(best['op']).tolist()) == {0, 2}
