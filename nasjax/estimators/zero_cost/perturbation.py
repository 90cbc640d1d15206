"""Zen-score: how strongly a random network reacts to a small perturbation.

Lin et al., Zen-NAS: A Zero-Shot NAS for High-Performance Deep Image
Recognition, 2021, https://arxiv.org/abs/2102.01063, algorithm 1. With weights,
x and e drawn from N(0, 1) and f the features before the last pooling:

  log mean_n |f(x) - f(x + 0.01 e)|_1 + sum over norms of log mean_c(v_c) / 2

where v are running variances after the two forward passes, as in the authors'
program: 0.81 + 0.09 v(x) + 0.1 v(x + 0.01 e), not those of a batch. A norm that
an architecture does not use has v = 1 and adds nothing.

Deviations
  * Repeats are independent. In the authors' program running variances go on
    from one repeat to the next and approach those of batches, so scores depend
    on how many there are (one in its search, 32 on its command line).
  * Networks are scored as they are. The authors' search leaves out residual
    links.
"""

from typing import Any

import jax
import jax.numpy as jnp

from nasjax.estimators.zero_cost import initial, proxy
from nasjax.types import Batch

_NOISE = 0.01


def _features(reports):
  """The sown features; there must be some."""
  leaves = reports.get('intermediates', {}).get('features', ())
  if len(leaves) != 1:
    raise ValueError(
      'Zen-score needs the features before the last pooling: call self.sow('
      "'intermediates', 'features', x) once in the network."
    )
  return leaves[0]


def zen(network: Any, batch: Batch, num_repeats: int = 1) -> proxy.Proxy:
  """Return the Zen-score.

  Args:
    network: a module with an attribute `track` that sows its features, as
      those of nasjax do.
    batch: gives the shape of the random images.
    num_repeats: draws whose scores are averaged.

  Returns:
    The proxy; its weights are drawn anew for every score.

  References:
    Lin et al., Zen-NAS, 2021, https://arxiv.org/abs/2102.01063, algorithm 1.
  """
  network = proxy.tracking(network)
  shape = batch['image'].shape

  def once(key, variables, arch):
    weights_key, image_key, noise_key = jax.random.split(key, 3)
    params = initial.normal_weights(weights_key, variables['params'])
    stats = variables['batch_stats']
    x = jax.random.normal(image_key, shape)
    noisy = x + _NOISE * jax.random.normal(noise_key, shape)
    features = []
    for image in (x, noisy):
      _, reports = network.apply(
        {'params': params, 'batch_stats': stats},
        arch,
        image,
        mutable=['batch_stats', 'intermediates'],
      )
      stats = reports['batch_stats']
      features.append(_features(reports))
    change = jnp.abs(features[0] - features[1]).reshape(shape[0], -1)
    scales = [
      jnp.sum(jnp.log(jnp.mean(leaf, axis=-1))) / 2
      for path, leaf in jax.tree.leaves_with_path(stats)
      if path[-1].key == 'var'
    ]
    return jnp.log(jnp.mean(jnp.sum(change, axis=1))) + sum(scales)

  def raw(key, variables, arch):
    keys = jax.random.split(key, num_repeats)
    scores = jax.lax.map(lambda key: once(key, variables, arch), keys)
    return jnp.mean(scores)

  return proxy.Proxy(
    proxy.initializer(network, batch['image']),
    raw,
    sign=1,
    norm='batch',
    failure=-jnp.inf,
    paper='https://arxiv.org/abs/2102.01063',
  )
