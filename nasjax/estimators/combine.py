"""Estimators made of functions and of other estimators.

`weighted_product` is the reward of M. Tan et al., MnasNet: Platform-Aware
Neural Architecture Search for Mobile, 2019, https://arxiv.org/abs/1807.11626.
"""

from collections.abc import Callable
import inspect

import jax
import jax.numpy as jnp

from nasjax import expressions
from nasjax.types import Arch, Estimator, Key

# Exponents of `weighted_product` below and above the target, as in the paper.
SOFT = -0.07
HARD = (0.0, -1.0)


def takes_fidelity(score: Callable[..., jax.Array]) -> bool:
  """Return whether a score function has a keyword `fidelity`."""
  return 'fidelity' in inspect.signature(score).parameters


def stateless(score: Callable[[Key, Arch], jax.Array]) -> Estimator:
  """Return the estimator of a score that is not learned.

  Args:
    score: `(key, arch) -> f32[]`, higher is better; it may take the keyword
      `fidelity`.

  Returns:
    The estimator. Its state is empty and its `update` changes nothing.
  """

  def init(key):
    del key
    return ()

  def update(key, state, batch):
    del key, batch
    return state, {}

  def score_at(key, state, arch, fidelity=1.0):
    del state
    return score(key, arch, fidelity=fidelity)

  def score_in_full(key, state, arch):
    del state
    return score(key, arch)

  return Estimator(
    init, update, score_at if takes_fidelity(score) else score_in_full
  )


def combine(fn: Callable[..., jax.Array], *estimators: Estimator) -> Estimator:
  """Return the estimator `fn(score_1, ..., score_n)`.

  A batch is a sequence with one batch an estimator, None where one is not to
  be updated. Metrics are named `0_loss`, `1_loss`, ... by position. None of the
  estimators is asked for less than its full fidelity.

  Args:
    fn: function of the n scores.
    *estimators: the estimators.

  Returns:
    The estimator, whose state is the tuple of theirs.
  """

  def init(key):
    keys = jax.random.split(key, len(estimators))
    return tuple(e.init(k) for k, e in zip(keys, estimators))

  def update(key, state, batch):
    if len(batch) != len(estimators):
      raise ValueError(
        f'A batch of {len(estimators)} combined estimators needs as many '
        f'parts, got {len(batch)}.'
      )
    keys = jax.random.split(key, len(estimators))
    states, metrics = [], {}
    for i, estimator in enumerate(estimators):
      new, values = state[i], {}
      if batch[i] is not None:
        new, values = estimator.update(keys[i], state[i], batch[i])
      states.append(new)
      metrics |= {f'{i}_{name}': value for name, value in values.items()}
    return tuple(states), metrics

  def score(key, state, arch):
    keys = jax.random.split(key, len(estimators))
    return fn(
      *(e.score(k, s, arch) for k, s, e in zip(keys, state, estimators))
    )

  return Estimator(init, update, score)


def weigh(
  accuracy: jax.Array,
  latency: jax.Array,
  target: float,
  w: float | tuple[float, float] = SOFT,
) -> jax.Array:
  """Return accuracies weighted by latencies: `ACC (LAT / T)^w`.

  Args:
    accuracy: positive numbers, of any shape.
    latency: of the same shape, in the unit of the target.
    target: T. With a single `w` it scales all products alike: it changes
      neither their order nor which of them is best.
    w: the exponent; or a pair, the exponents below and above the target. `HARD`
      is the hard constraint of the paper, and yet one that may be exceeded: one
      per cent of latency costs one per cent of accuracy.

  Returns:
    Array of the same shape.

  References:
    Tan et al., MnasNet, 2019, https://arxiv.org/abs/1807.11626.
  """
  below, above = w if isinstance(w, tuple | list) else (w, w)
  ratio = latency / target
  return accuracy * ratio ** jnp.where(ratio <= 1, below, above)


def weighted_product(
  accuracy: Estimator,
  latency: Estimator,
  target: float,
  w: float | tuple[float, float] = SOFT,
) -> Estimator:
  """Return the estimator of accuracy weighted by latency, see `weigh`.

  Args:
    accuracy: estimator of the accuracy, positive.
    latency: estimator of the latency, in the unit of the target. Its score is
      the cost itself, not its negative.
    target: T.
    w: the exponent, or a pair of them.

  Returns:
    The estimator.

  References:
    Tan et al., MnasNet, 2019, https://arxiv.org/abs/1807.11626.
  """
  return combine(
    lambda score, cost: weigh(score, cost, target, w), accuracy, latency
  )


def adjust(
  estimator: Estimator,
  change: Callable[[Key, Arch, jax.Array], jax.Array],
) -> Estimator:
  """Return the estimator whose scores are changed after the event.

  Args:
    estimator: the score.
    change: `(key, arch, score) -> f32[]`; the key is that of the score.

  Returns:
    The estimator; its state, keys and fidelities are those of the score.
  """

  def score_at(key, state, arch, fidelity=1.0):
    value = estimator.score(key, state, arch, fidelity=fidelity)
    return change(key, arch, value)

  def score_in_full(key, state, arch):
    return change(key, arch, estimator.score(key, state, arch))

  return estimator._replace(
    score=score_at if takes_fidelity(estimator.score) else score_in_full
  )


def constrained(
  estimator: Estimator,
  where: str,
  **columns: Estimator | Callable[[Arch], jax.Array],
) -> Estimator:
  """Return the estimator to which what breaks a condition has failed.

  A score is kept where the condition holds and is -inf elsewhere, which never
  wins. Nothing is saved: the estimator is asked for every architecture.

  Example:
    >>> from nasjax.spaces import nasbench201
    >>> accuracy = stateless(lambda key, arch: jnp.float32(0.9))
    >>> small = constrained(
    ...   accuracy, 'params < 5e5', params=nasbench201.num_params
    ... )

  Args:
    estimator: the score.
    where: the condition on the columns, see `expressions.parse`.
    **columns: `(arch) -> f32[]` by name, or estimators without training.

  Returns:
    The estimator; its state is that of the score.

  Raises:
    ValueError: if the text is no condition, or names no column that is given.
  """
  condition = expressions.parse(where, columns)

  def holds(key, arch):
    values = {}
    for name in condition.names:
      column = columns[name]
      if isinstance(column, Estimator):
        values[name] = column.score(key, column.init(key), arch)
      else:
        values[name] = column(arch)
    return condition.holds(values)

  return adjust(
    estimator,
    lambda key, arch, value: jnp.where(holds(key, arch), value, -jnp.inf),
  )
