"""Joint descent on architecture parameters and network weights.

  min_{w, a}  L_train(w, a)

What remains of `bilevel` without a validation loss: both steps are taken on the
training loss of one sampled architecture.

Xie, Zheng, Liu, Lin, SNAS: Stochastic Neural Architecture Search, 2019,
https://arxiv.org/abs/1812.09926, section 2.
"""

from collections.abc import Callable
import functools

import jax
import jax.numpy as jnp
import optax

from nasjax.searches import descent, penalties
from nasjax.types import Distribution, Key, Params, Search


def single_level(
  loss: descent.Loss,
  init_params: Callable[[Key], Params],
  distribution: Distribution,
  weight_optimizer: optax.GradientTransformation,
  arch_optimizer: optax.GradientTransformation,
  *,
  max_norm: float | None = None,
  penalty: penalties.Penalty | None = None,
  anneal: descent.Anneal | None = None,
) -> Search:
  """Search by joint steps on the training loss of one sampled architecture.

  Args:
    loss: as in `bilevel`; so are the arguments that follow.
    init_params: `(key) -> weights`.
    distribution: over architectures, with differentiable samples.
    weight_optimizer: of the weights, without clipping.
    arch_optimizer: of the distribution's parameters.
    max_norm: global norm to which weight gradients are clipped, or None.
    penalty: added to the loss, from `penalties`, or None.
    anneal: `(arch_params, step) -> arch_params` after every update, or None.

  Returns:
    A search whose batches are `dict(train=...)`.

  Raises:
    ValueError: if a batch lacks its part.
  """
  objective = descent.objective(loss, distribution, penalty)

  def update(key, state, batch):
    descent.check(batch, 'train')
    (_, metrics), (gradient, arch_gradient) = jax.value_and_grad(
      functools.partial(objective, key, batch['train'], state.step),
      (0, 1),
      has_aux=True,
    )(state.weights, state.arch_params)
    arch_params, arch_state = descent.apply(
      arch_optimizer, arch_gradient, state.arch_state, state.arch_params
    )
    metrics = dict(
      descent.prefix('train', metrics),
      weight_gradient_norm=optax.tree.norm(gradient),
      arch_gradient_norm=optax.tree.norm(arch_gradient),
      diverged=1.0 - jnp.isfinite(metrics['loss']),
    )
    return descent.advance(
      state,
      gradient,
      arch_params,
      arch_state,
      weight_optimizer,
      max_norm,
      anneal,
    ), metrics

  return descent.search(
    update, init_params, distribution, weight_optimizer, arch_optimizer
  )
