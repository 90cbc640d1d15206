"""Predictors: networks fitted to the architectures that were evaluated.

An update fits, it does not step: the archive of all that is known goes in, a
network trained on it from fresh weights comes out. Everything has the shape of
the archive, whatever its count, so one program serves a whole search.

  z_i = (y_i - mean) / deviation over the finite values
  num_steps times: draw a batch of finite entries, step along the gradient of
  the loss of the network's scores and z
  score = a s + b, the line of least squares through scores s and values y

The line matters where the loss sees the order alone: it leaves unit and offset
of the scores to chance, and the members of an ensemble would not agree on them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from nasjax.archive import Archive
from nasjax.estimators.ranking_losses import Loss
from nasjax.types import Arch, Estimator, Params


class Standard(NamedTuple):
  """Mean and deviation of numbers, by which they are made standard."""

  mean: jax.Array
  deviation: jax.Array  # 1 where all are equal


class State(NamedTuple):
  """A fitted network."""

  params: Params
  inputs: Any  # a `Standard` for every leaf of the features, () if unused
  slope: jax.Array  # f32[] of the line from scores to values, above zero
  offset: jax.Array  # f32[]


def _standard(x: jax.Array, known: jax.Array) -> Standard:
  """Return mean and deviation of examples, those of each entry of a last axis.

  Args:
    x: examples `[N]`, or `[N, ..., F]`.
    known: which of them count, `bool[N]`.

  Returns:
    Both `f32[]`, or `f32[F]`; 0 and 1 where no example counts.
  """
  axes = tuple(range(max(x.ndim - 1, 1)))
  where = known.reshape((-1,) + (1,) * (x.ndim - 1))
  mean = jnp.mean(x, axes, where=where)
  deviation = jnp.std(x, axes, where=where)
  return Standard(
    jnp.where(jnp.any(known), mean, 0.0),
    jnp.where(deviation > 0, deviation, 1.0),
  )


def _scale(x: jax.Array, by: Standard) -> jax.Array:
  """Return `(x - mean) / deviation`."""
  mean, deviation = (jnp.broadcast_to(leaf, x.shape) for leaf in by)
  return (x - mean) / deviation


def _line(scores, targets, known):
  """Return slope and offset of the best line; its slope is above zero."""
  by = _standard(scores, known)
  z = _scale(scores, by)
  correlation = jnp.sum(z * targets * known) / jnp.maximum(jnp.sum(known), 1)
  # A fit that failed keeps its order: a slope below zero would turn it round.
  slope = jnp.where(correlation > 0, correlation, 1.0) / by.deviation
  return slope, -slope * by.mean


def _scale_all(inputs, by):
  if by == ():
    return inputs
  leaves, structure = jax.tree.flatten(inputs)
  return structure.unflatten(map(_scale, leaves, by))


def _draw(key, known, batch_size):
  """Return slots without replacement, the known ones before the others."""
  order = jax.random.uniform(key, known.shape) + ~known
  return jax.lax.top_k(-order, batch_size)[1]


def predictor(
  network: Any,
  features: Callable[[Arch], Any],
  example: Arch,
  loss: Loss,
  optimizer: optax.GradientTransformation,
  num_steps: int,
  batch_size: int | None = None,
  warm_start: bool = False,
  standardize: bool = False,
  on_line: bool = True,
) -> Estimator:
  """Return the estimator that a network is fitted for.

  `update(key, state, told)` takes an `archive.Archive` with values `[N]`;
  entries that are not finite are empty or failed and do not count. `score` is
  in the unit of the values.

  Example:
    >>> space = nasbench201.nasbench201()
    >>> estimator = predictor(
    ...   networks.Mlp(),
    ...   space.encode,
    ...   space.sample(jax.random.key(0)),
    ...   ranking_losses.pairwise(ranking_losses.hinge(0.1)),
    ...   optax.adam(1e-3),
    ...   num_steps=500,
    ... )

  Args:
    network: `init(key, inputs)` and `apply(variables, inputs) -> Prediction`
      of a batch of features, see `networks.predictors`.
    features: `(arch) -> inputs`, a pytree of arrays.
    example: any architecture; its features give the shapes.
    loss: see `ranking_losses`.
    optimizer: of the weights; a schedule counts from the start of each fit.
    num_steps: of one fit.
    batch_size: B, entries drawn without replacement in every step; None for all
      of them.
    warm_start: whether a fit continues from the last weights.
    standardize: whether the features get mean 0 and deviation 1 over the known
      entries, each entry of their last axis for itself.
    on_line: whether scores are put on the line of least squares, see above; a
      loss of the values themselves, robust ones above all, does without.

  Returns:
    The estimator.

  Raises:
    ValueError: if a size is not positive.
  """
  if num_steps < 1 or (batch_size is not None and batch_size < 1):
    raise ValueError(
      'A predictor needs num_steps >= 1 and batch_size >= 1 or None, got '
      f'num_steps={num_steps}, batch_size={batch_size}.'
    )

  def init_params(key):
    inputs = jax.tree.map(lambda leaf: leaf[None], features(example))
    return network.init(key, inputs)['params']

  def init(key):
    inputs = jax.tree.leaves(features(example))
    none = jnp.zeros(1, bool)
    zeros = [_standard(jnp.zeros((1, *jnp.shape(x))), none) for x in inputs]
    return State(
      init_params(key),
      tuple(zeros) if standardize else (),
      jnp.ones(()),
      jnp.zeros(()),
    )

  def update(key, state, told: Archive):
    init_key, fit_key = jax.random.split(key)
    known = jnp.isfinite(told.values)
    inputs = jax.vmap(features)(told.archs)
    scales = ()
    if standardize:
      scales = tuple(_standard(x, known) for x in jax.tree.leaves(inputs))
      inputs = _scale_all(inputs, scales)
    target = _standard(jnp.where(known, told.values, 0.0), known)
    targets = jnp.where(known, _scale(told.values, target), 0.0)
    num_drawn = min(batch_size or len(targets), len(targets))

    def loss_of(params, key, batch):
      inputs, targets, weights = batch
      prediction = network.apply({'params': params}, inputs)
      return loss(key, prediction, targets, weights)

    def step(carry, t):
      params, optimizer_state = carry
      draw_key, loss_key = jax.random.split(jax.random.fold_in(fit_key, t))
      batch = (inputs, targets, known.astype(jnp.float32))
      if num_drawn < len(targets):
        slots = _draw(draw_key, known, num_drawn)
        batch = jax.tree.map(lambda leaf: leaf[slots], batch)
      value, gradient = jax.value_and_grad(loss_of)(params, loss_key, batch)
      updates, optimizer_state = optimizer.update(
        gradient, optimizer_state, params
      )
      return (optax.apply_updates(params, updates), optimizer_state), value

    params = state.params if warm_start else init_params(init_key)
    (params, _), losses = jax.lax.scan(
      step, (params, optimizer.init(params)), jnp.arange(num_steps)
    )
    metrics = {'fit_loss': losses[-1], 'num_known': jnp.sum(known)}
    slope, offset = jnp.ones(()), jnp.zeros(())
    if on_line:
      scores = network.apply({'params': params}, inputs).values
      slope, offset = _line(scores, targets, known)
    return State(
      params,
      scales,
      target.deviation * slope,
      target.mean + target.deviation * offset,
    ), metrics

  def score(key, state, arch):
    del key
    inputs = jax.tree.map(lambda leaf: leaf[None], features(arch))
    inputs = _scale_all(inputs, state.inputs)
    value = network.apply({'params': state.params}, inputs).values[0]
    return state.slope * value + state.offset

  return Estimator(init, update, score)
