"""What searches by gradient descent share: their state and its steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from nasjax.searches import penalties
from nasjax.types import Arch, Batch, Distribution, Key, Metrics, Params, Search

Loss = Callable[[Params, Arch, Key, Batch], tuple[jax.Array, Metrics]]
Anneal = Callable[[Params, jax.Array], Params]


class State(NamedTuple):
  """All that a search needs to go on."""

  step: jax.Array  # i32[] updates done
  weights: Params
  arch_params: Params
  weight_state: optax.OptState
  arch_state: optax.OptState
  carry: Any = ()  # what the loss hands from batch to batch, part by part
  schedule: Any = ()  # of `arch_schedules`, if one has a state


def search(
  update: Callable[[Key, State, Batch], tuple[State, Metrics]],
  init_params: Callable[[Key], Params],
  distribution: Distribution,
  weight_optimizer: optax.GradientTransformation,
  arch_optimizer: optax.GradientTransformation,
  carry: Any = (),
) -> Search:
  """Return an update with the `init` and `best` that fit it.

  Args:
    update: of the search.
    init_params: `(key) -> weights`.
    distribution: over architectures.
    weight_optimizer: of the weights.
    arch_optimizer: of the distribution's parameters.
    carry: the first one, see `State`.

  Returns:
    The search.
  """

  def init(key):
    weight_key, arch_key = jax.random.split(key)
    weights = init_params(weight_key)
    arch_params = distribution.init(arch_key)
    return State(
      jnp.zeros((), jnp.int32),
      weights,
      arch_params,
      weight_optimizer.init(weights),
      arch_optimizer.init(arch_params),
      carry,
    )

  def best(key, state):
    del key
    return distribution.mode(state.arch_params)

  return Search(init, update, best)


def init_network(
  network: Any, distribution: Distribution, input_shape: tuple[int, ...]
) -> Callable[[Key], Params]:
  """Return the `init_params` of a network that mixes operations.

  A relaxed architecture brings the weights of all operations into being.

  Args:
    network: `init(key, arch, x)`, with the collection 'params'.
    distribution: over architectures, with relaxed samples.
    input_shape: of one example, `(H, W, C)` for images.

  Returns:
    `(key) -> weights`.
  """

  def init_params(key):
    arch = distribution.sample(key, distribution.init(key))
    example = jnp.zeros((1, *input_shape))
    return jax.jit(network.init)(key, arch, example)['params']

  return init_params


def objective(
  loss: Loss,
  distribution: Distribution,
  penalty: penalties.Penalty | None = None,
) -> Callable[..., tuple[jax.Array, Metrics]]:
  """Return the penalised loss of a sampled architecture, with its metrics.

  Args:
    loss: `(weights, arch, key, batch) -> (f32[], metrics)`.
    distribution: over architectures.
    penalty: added to the loss, or None.

  Returns:
    `(key, batch, step, weights, arch_params) -> (f32[], metrics)`.
  """

  def penalised(key, batch, step, weights, arch_params):
    sample_key, loss_key = jax.random.split(key)
    arch = distribution.sample(sample_key, arch_params)
    value, metrics = loss(weights, arch, loss_key, batch)
    metrics = dict(metrics, loss=value)
    if penalty is None:
      return value, metrics
    term = penalty(arch_params, arch, step)
    return value + term, dict(metrics, penalty=term)

  return penalised


def apply(
  optimizer: optax.GradientTransformation,
  gradient: Params,
  state: optax.OptState,
  params: Params,
) -> tuple[Params, optax.OptState]:
  """Take one step of an optimiser.

  Args:
    optimizer: of the parameters.
    gradient: of the parameters.
    state: of the optimiser.
    params: before the step.

  Returns:
    Parameters and optimiser state after it.
  """
  updates, state = optimizer.update(gradient, state, params)
  return optax.apply_updates(params, updates), state


def advance(
  state: State,
  gradient: Params,
  arch_params: Params,
  arch_state: optax.OptState,
  optimizer: optax.GradientTransformation,
  max_norm: float | None,
  anneal: Anneal | None,
) -> State:
  """Take the weight step and anneal the architecture parameters.

  Args:
    state: before the update.
    gradient: of the weights.
    arch_params: after their step.
    arch_state: after their step.
    optimizer: of the weights.
    max_norm: global norm to which the gradient is clipped, or None.
    anneal: `(arch_params, updates done) -> arch_params`, or None.

  Returns:
    The state after the update.
  """
  if max_norm is not None:
    clip = optax.clip_by_global_norm(max_norm)
    gradient, _ = clip.update(gradient, clip.init(gradient))
  weights, weight_state = apply(
    optimizer, gradient, state.weight_state, state.weights
  )
  if anneal is not None:
    arch_params = anneal(arch_params, state.step + 1)
  return state._replace(
    step=state.step + 1,
    weights=weights,
    arch_params=arch_params,
    weight_state=weight_state,
    arch_state=arch_state,
  )


def prefix(name: str, metrics: Metrics) -> Metrics:
  """Put a name before the key of every metric.

  Args:
    name: such as 'train'.
    metrics: of one batch.

  Returns:
    The metrics under `name_key`.
  """
  return {f'{name}_{key}': value for key, value in metrics.items()}


def check(batch: Any, *names: str) -> None:
  """Check that a batch has its parts.

  Args:
    batch: what the search was given.
    *names: of the parts.

  Raises:
    ValueError: if it is no dict or lacks one of them.
  """
  found = sorted(batch) if isinstance(batch, dict) else type(batch).__name__
  if not set(names) <= set(found):
    raise ValueError(
      f'A batch must be a dict with {" and ".join(names)}, got {found}.'
    )
