"""A model that also learns from architectures that it has labelled itself.

R. Luo, X. Tan, R. Wang, T. Qin, E. Chen and T.-Y. Liu, Semi-Supervised Neural
Architecture Search, NeurIPS 2020, https://arxiv.org/abs/2002.10389, algorithm
1, lines 3-5:

  fit to the N evaluated architectures
  predict the values of M others
  fit again to both, the evaluated ones repeated

Deviations
  * The M come from the space's sampler; the official code draws from the list
    of the benchmark. Those that have been evaluated are left out, repetitions
    among them are not.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import archive
from nasjax.types import Estimator, Space
from nasjax.types import State as Pytree


class State(NamedTuple):
  """The model, and what it has labelled."""

  model: Pytree
  unlabelled: archive.Archive  # M with their first predicted values


def self_labelled(
  space: Space,
  model: Estimator,
  again: Estimator,
  num_unlabelled: int = 10_000,
  up_sample: int = 10,
) -> Estimator:
  """Return the estimator that is fitted twice, the second time to more.

  Metrics are those of the two fits, `first_...` and `again_...`.

  Args:
    space: the space; its `sample` gives the architectures without values.
    model: fits to the evaluated ones; `update` takes an `archive.Archive`.
    again: the same model but for the length of its fit; it has to continue from
      the weights that it finds (`warm_start`).
    num_unlabelled: M (official: 10,000).
    up_sample: times that an evaluated one is repeated (official: 10).

  Returns:
    The estimator.

  Raises:
    ValueError: if a number is not positive.
  """
  if num_unlabelled < 1 or up_sample < 1:
    raise ValueError(
      'Self-labelling needs num_unlabelled >= 1 and up_sample >= 1, got '
      f'num_unlabelled={num_unlabelled}, up_sample={up_sample}.'
    )

  def init(key):
    model_key, sample_key = jax.random.split(key)
    arch = space.sample(sample_key)
    return State(model.init(model_key), archive.create(arch, num_unlabelled))

  def update(key, state, told):
    fit_key, sample_key, score_key, again_key = jax.random.split(key, 4)
    fitted, first = model.update(fit_key, state.model, told)
    archs = jax.vmap(space.sample)(jax.random.split(sample_key, num_unlabelled))
    predicted = jax.vmap(lambda arch: model.score(score_key, fitted, arch))(
      archs
    )
    values = jnp.where(archive.contains(told, archs), -jnp.inf, predicted)
    unlabelled = archive.Archive(archs, values, jnp.int32(num_unlabelled))
    both = archive.join(*[told] * up_sample, unlabelled)
    fitted, second = again.update(again_key, fitted, both)
    metrics = {f'first_{name}': value for name, value in first.items()}
    metrics |= {f'again_{name}': value for name, value in second.items()}
    return State(fitted, unlabelled), metrics

  def score(key, state, arch):
    return model.score(key, state.model, arch)

  return Estimator(init, update, score)
