"""What a model predicts to be best.

A prediction costs next to nothing, so a space that can be enumerated is ranked
as a whole; in a larger one evolution looks for the best prediction, without a
single evaluation. `best_predicted` is the search by it, the others are
proposals for `model_based`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from nasjax import archive
from nasjax.strategies import (
  acquisition,
  bayes_opt,
  evolution,
  model_based,
)
from nasjax.types import Estimator, Space, Strategy


def of_space(
  space: Space, model: Estimator, batch_size: int
) -> model_based.Propose:
  """Return the proposals that are predicted to be best of a whole space.

  Args:
    space: one that can be enumerated.
    model: the estimator of the search.
    batch_size: B.

  Returns:
    `(key, model state, told) -> archs [B, ...]`, none of which is known.

  Raises:
    ValueError: if the space cannot be enumerated.
  """

  def predict(state, archs):
    score = lambda arch: model.score(jax.random.key(0), state, arch)
    mean = jax.vmap(score)(archs)
    return mean, jnp.zeros_like(mean)

  return bayes_opt.bayes_opt(
    space,
    predict,
    bayes_opt.everything(space),
    batch_size,
    acquire=acquisition.upper_confidence_bound(0.0),
  )


def by_evolution(
  space: Space,
  model: Estimator,
  batch_size: int,
  num_generations: int = 100,
  num_children: int = 50,
  population: int = 100,
  tournament: int = 10,
) -> model_based.Propose:
  """Return the best predictions that evolution finds.

  The first generations are random architectures, the others mutants of
  tournament winners: regularised evolution whose fitness is the prediction.

  Args:
    space: the space.
    model: the estimator of the search.
    batch_size: B, at most the number of architectures that are looked at.
    num_generations: of evolution.
    num_children: predictions in each.
    population: P.
    tournament: S.

  Returns:
    `(key, model state, told) -> archs [B, ...]`. They are distinct and not
    known as long as evolution has met B such ones.

  Raises:
    ValueError: as `evolution.regularized_evolution`, or if B is too large.
  """
  inner = evolution.regularized_evolution(
    space, population, tournament, num_children
  )
  if batch_size > num_generations * num_children:
    raise ValueError(
      f'Evolution looks at {num_generations * num_children} architectures, '
      f'too few for a batch_size of {batch_size}.'
    )

  def propose(key, state, told):
    init_key, sample_key, key = jax.random.split(key, 3)

    def generation(t, carry):
      evolving, found = carry
      ask_key, tell_key = jax.random.split(jax.random.fold_in(key, t))
      proposal, evolving = inner.ask(ask_key, evolving)
      score = lambda arch: model.score(ask_key, state, arch)
      values = jax.vmap(score)(proposal.archs)
      evolving, _ = inner.tell(tell_key, evolving, proposal, values)
      values = jnp.where(
        archive.contains(told, proposal.archs), -jnp.inf, values
      )
      return evolving, archive.keep_best(found, proposal.archs, values)

    start = inner.init(init_key)
    found = archive.create(space.sample(init_key), batch_size)
    _, found = jax.lax.fori_loop(0, num_generations, generation, (start, found))
    # Places that stayed empty go to random architectures.
    samples = jax.vmap(space.sample)(jax.random.split(sample_key, batch_size))
    return archive.fill(found.values > -jnp.inf, found.archs, samples)

  return propose


def best_predicted(
  space: Space,
  predictor: Estimator,
  num_initial: int = 400,
  num_new: int = 20,
  capacity: int = 1000,
  propose: Callable[[Space, Estimator, int], model_based.Propose] | None = None,
) -> Strategy:
  """Propose random architectures, then what a predictor likes best.

  Args:
    space: the space.
    predictor: any estimator that fits to an archive.
    num_initial: n, a multiple of `num_new`.
    num_new: k, evaluated after each fit.
    capacity: architectures that are remembered.
    propose: `(space, predictor, k) -> propose`; by default `of_space` where the
      space can be enumerated, `by_evolution` where not.

  Returns:
    The strategy, whose proposals are of `num_new` architectures.

  Raises:
    ValueError: if the sizes do not fit.
  """
  if propose is None:
    propose = by_evolution if space.index is None else of_space
  return model_based.model_based(
    space,
    predictor,
    propose(space, predictor, num_new),
    num_initial,
    num_new,
    capacity,
  )
