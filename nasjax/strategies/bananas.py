"""BANANAS: Bayesian optimisation with an ensemble of networks.

C. White, W. Neiswanger and Y. Savani, BANANAS: Bayesian Optimization with
Neural Architectures for Neural Architecture Search, 2021,
https://arxiv.org/abs/1910.11858, algorithm 1 with the settings of the authors'
code:

  told <- 10 random architectures
  repeat: five networks of 10 layers of 20 units <- fit to the paths of told
          pool <- 100 mutations of the best told that are new
          told <- told + the 10 of highest draw from N(mean, std) of the five

Deviations
  * A fit takes the same number of steps whatever is known; the authors take 150
    epochs of batches of 32, which are 150 to 600 steps for up to 128
    architectures.
  * Values are standardised, so that their unit has no effect.
  * Where the best has few new mutations, those of the second best follow one
    by one until there are 100, of the best five; the authors take all 100 of
    each.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from nasjax.estimators import ensemble, predictor
from nasjax.networks import predictors
from nasjax.strategies import acquisition, bayes_opt, model_based
from nasjax.types import Arch, Space, Strategy


def _absolute_error(key, prediction, targets, weights):
  """The mean of `|prediction - target|` over what is known."""
  del key
  error = jnp.abs(prediction.values - targets)
  return jnp.sum(weights * error) / jnp.maximum(jnp.sum(weights), 1)


def bananas(
  space: Space,
  features: Callable[[Arch], jax.Array],
  num_initial: int = 10,
  batch_size: int = 10,
  capacity: int = 300,
  num_members: int = 5,
  widths: tuple[int, ...] = (20,) * 10,
  learning_rate: float = 0.01,
  num_steps: int = 600,
  num_candidates: int = 100,
  num_parents: int = 5,
  acquire: acquisition.Acquisition = (
    acquisition.independent_thompson_sampling
  ),
) -> Strategy:
  """Propose the mutants that an ensemble of networks promises most of.

  Args:
    space: the space; its `mutate` makes the candidates.
    features: `(arch) -> f32[F]`, in the paper the truncated path encoding:
      `paths.nasbench201_paths` with 30 features.
    num_initial: random architectures before the first fit (paper: 10).
    batch_size: architectures of one proposal (10).
    capacity: architectures that can be told before the oldest are forgotten.
    num_members: networks of the ensemble (5).
    widths: of their hidden layers (10 times 20).
    learning_rate: of Adam with decays 0.9 and 0.99 (0.01).
    num_steps: of one fit, with batches of 32.
    num_candidates: size of the pool (100).
    num_parents: whose mutations it may hold (5).
    acquire: see `acquisition` (independent Thompson sampling).

  Returns:
    The strategy, see `model_based`.

  Raises:
    ValueError: if the sizes do not fit.

  References:
    White, Neiswanger and Savani, BANANAS, 2021, algorithm 1.
  """
  member = predictor.predictor(
    predictors.Mlp(widths, glorot=True),
    features,
    space.sample(jax.random.key(0)),
    _absolute_error,
    optax.adam(learning_rate, b1=0.9, b2=0.99),
    num_steps,
    batch_size=32,
  )

  def predict(state, archs):
    # The networks draw nothing: any key will do.
    return ensemble.predict(member, jax.random.key(0), state, archs)

  propose = bayes_opt.bayes_opt(
    space,
    predict,
    bayes_opt.mutants(space, num_candidates * num_parents, num_parents),
    batch_size,
    acquire,
    num_candidates=num_candidates,
  )
  return model_based.model_based(
    space,
    ensemble.ensemble(member, num_members),
    propose,
    num_initial,
    batch_size,
    capacity,
  )
