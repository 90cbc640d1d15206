"""Tests of GDAS."""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice
from nasjax.distributions import sparse, straight_through
from nasjax.networks import loss as losses
from nasjax.systems import gdas
from tests.systems import mixtures

KEY = jax.random.key(0)
STEPS, EPOCHS = 2, 3


def _search(**settings):
  settings = {'derive': None} | settings
  return gdas.gdas(
    mixtures.SPACE,
    mixtures.NETWORK,
    mixtures.INPUT_SHAPE,
    STEPS,
    EPOCHS,
    **settings,
  )


def _drawn(temperature=2.0):
  return sparse.sparse(
    straight_through.straight_through(mixtures.SPACE, temperature, 1.0), 1
  )


def test_the_network_is_that_of_the_drawn_architecture():
  distribution = _drawn()
  batch = jax.tree.map(lambda x: x[0], mixtures.batches(1)['train'])
  loss = losses.classification_loss(mixtures.NETWORK)

  @jax.jit
  def both(key):
    params = distribution.init(KEY)
    weights = mixtures.NETWORK.init(KEY, None, batch['image'])['params']
    arch = distribution.sample(key, params)
    index = {'op': arch['op'].index[:, 0]}
    value = jax.value_and_grad(lambda w, arch: loss(w, arch, key, batch)[0])
    return [value(weights, arch), value(weights, index)], index

  seen = set()
  for key in jax.random.split(KEY, 8):
    (drawn, discrete), index = both(key)
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), drawn, discrete
    )
    seen.add(tuple(np.asarray(index['op'])))
    for d, k in np.argwhere(np.arange(3) != np.asarray(index['op'])[:, None]):
      np.testing.assert_array_equal(drawn[1]['w'][d, k], 0)
  assert len(seen) > 2


def test_gradient_is_that_of_the_soft_weight_of_what_was_drawn():
  temperature = 2.0
  distribution = _drawn(temperature)
  costs = jnp.array([[1.0, -2.0, 0.5], [0.3, 3.0, -1.0]])
  params = distribution.init(KEY)
  key = jax.random.key(3)

  def cost(params):
    arch = distribution.sample(key, params)
    rows = [choice.select(c, row) for c, row in zip(arch['op'], costs)]
    return sum(rows), arch

  gradient, arch = jax.jit(jax.grad(cost, has_aux=True))(params)
  (sub_key,) = jax.random.split(key, 1)
  noise = np.asarray(jax.random.gumbel(sub_key, (2, 3)))
  logits = (np.asarray(params.logits['op']) + noise) / temperature
  soft = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  drawn = logits.argmax(-1)
  np.testing.assert_array_equal(arch['op'].index[:, 0], drawn)
  np.testing.assert_array_equal(arch['op'].weight, 1)
  # Costs of the other operations do not enter: no gradient without meaning.
  for d, k in enumerate(drawn):
    expected = costs[d, k] * soft[d, k] * (np.eye(3)[k] - soft[d]) / temperature
    np.testing.assert_allclose(
      gradient.logits['op'][d], expected, rtol=1e-4, atol=1e-6
    )
  assert gradient.temperature == 0


def test_temperature_falls_linearly_with_the_epochs():
  search = _search()

  def step(state, batch):
    state, metrics = search.update(KEY, state, batch)
    return state, (state.arch_params.temperature, metrics['diverged'])

  _, (temperature, diverged) = jax.jit(
    lambda: jax.lax.scan(step, search.init(KEY), mixtures.batches(6))
  )()
  middle = (10 + 0.1) / 2
  np.testing.assert_allclose(
    temperature, [10, middle, middle, 0.1, 0.1, 0.1], rtol=1e-5
  )
  assert diverged.sum() == 0
