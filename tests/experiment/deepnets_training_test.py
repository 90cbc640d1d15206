"""Networks in training side by side, against one at a time."""

import jax
import numpy as np
import optax

from nasjax.estimators import hypernetwork
from nasjax.experiment import deepnets_training
from nasjax.networks import deepnets
from nasjax.spaces import deepnets as spaces
from tests import descriptors

_LAYOUT = descriptors.DEEPNETS_LAYOUT


def _images(seed):
  rng, count = np.random.default_rng(seed), 16
  label = rng.integers(0, 2, count)
  image = rng.normal(size=(count, 4, 4, 1)) + 2 * label[:, None, None, None]
  weight = np.arange(count) < 11  # in a test the others do not count
  return dict(image=image.astype(np.float32), label=label, weight=weight)


def test_each_network_is_trained_as_if_alone():
  space = spaces.deepnets(_LAYOUT)
  archs = jax.vmap(space.sample)(jax.random.split(jax.random.key(0), 2))
  start = deepnets_training.he_weights(_LAYOUT, jax.random.key(1), archs)
  test = [_images(10 + i) for i in range(2)]
  stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *test)
  batches = lambda key, t: _images(t)
  train = deepnets_training.trainer(_LAYOUT, 0.03)
  found = train(jax.random.key(0), start, archs, batches, stacked, (0, 2, 5))
  assert found.shape == (3, 2)
  assert np.abs(found[0] - found[2]).min() > 0.05

  @jax.jit
  def run(params, arch, batch):

    def loss(params):
      logits = deepnets.logits(_LAYOUT, params, arch, batch['image'])
      return hypernetwork.measure(logits, batch)[0]

    logits = deepnets.logits(_LAYOUT, params, arch, batch['image'])
    hits = logits.argmax(-1) == batch['label']
    return jax.grad(loss)(params), hits[:11]

  optimizer = optax.adam(0.03)
  for i in range(2):
    params, arch = (
      jax.tree.map(lambda leaf, i=i: leaf[i], tree) for tree in (start, archs)
    )
    state, expected = optimizer.init(params), []
    for t in range(6):
      if t in (0, 2, 5):
        expected.append(np.mean([run(params, arch, x)[1] for x in test]))
      gradient, _ = run(params, arch, _images(t))
      updates, state = optimizer.update(gradient, state)
      params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(found[:, i], expected, atol=1e-6)
