"""What every cell contributes to a loss, found by spoiling it.

Heuillet, Tabia, Arioui, Youcef-Toumi, D-DARTS: Distributed Differentiable
Architecture Search, 2021, https://arxiv.org/abs/2108.09306, ablation loss.
"""

import jax
from jax import lax
import jax.numpy as jnp

from nasjax.searches import descent


def with_ablation(
  loss: descent.Loss, allowed: jax.Array, weight: float = 0.0
) -> descent.Loss:
  """Return the loss, with the contribution of every cell among its metrics.

    MC_i = CE - CE with weights U(0, 1) in the place of those of cell i
    L_i  = -(MC_i - mean MC) / mean MC,   0 where mean MC is

  With mean MC and the spoilt losses held fixed the gradient of L_i by the
  weights of cell i is -(1 / mean MC) dCE: that of the loss on another scale,
  and of the other sign where the cells do better when spoilt. The sum of all
  L_i is zero whatever they are, so the loss keeps its value.

  Args:
    loss: of relaxed architectures with the leaf `cells`, `f32[G, E, K]`.
    allowed: `bool[G, E, K]`, the choices that may have weight.
    weight: of the gradient of L_i.

  Returns:
    A loss with the metrics 'contribution', MC `[G]`, and 'ablation_loss',
    L `[G]`. It takes G more evaluations.

  References:
    D-DARTS, https://arxiv.org/abs/2108.09306.
  """
  allowed = jnp.asarray(allowed)

  def ablated_loss(weights, arch, key, batch):
    value, metrics = loss(weights, arch, key, batch)
    fixed_weights, cells = lax.stop_gradient((weights, arch['cells']))
    keys = jax.random.split(key, len(cells))

    def spoilt(inputs):
      cell, noise_key = inputs
      noise = jax.random.uniform(noise_key, cells.shape[1:]) * allowed[cell]
      arch = {'cells': cells.at[cell].set(noise)}
      return loss(fixed_weights, arch, key, batch)[0]

    fixed = lax.stop_gradient(value)
    contribution = fixed - lax.map(spoilt, (jnp.arange(len(cells)), keys))
    mean = jnp.mean(contribution)
    inverse = jnp.where(mean == 0, 0.0, 1 / jnp.where(mean == 0, 1.0, mean))
    metrics = metrics | {
      'contribution': contribution,
      'ablation_loss': -(contribution - mean) * inverse,
    }
    return value - weight * inverse * (value - fixed), metrics

  return ablated_loss
