"""What the relaxations share: logits, their mask, likelihood and decision.

Logits are a pytree of `f32[..., D, K]` shaped like a space's mask. A masked
choice has logit -inf: weight, probability and gradient are exactly zero, and
what is left is normalised among the allowed choices.
"""

from collections.abc import Callable

import jax
from jax import lax
import jax.numpy as jnp

from nasjax import choice
from nasjax.types import Arch, Key, Mask, Params

Derive = Callable[[Arch], Arch]


def normal(key: Key, mask: Mask, scale: float) -> Params:
  """Return random logits `scale * N(0, 1)`.

  Args:
    key: random key.
    mask: pytree of `bool[D, K]`, for its shapes.
    scale: standard deviation.

  Returns:
    Pytree of `f32[D, K]`.
  """
  leaves, structure = jax.tree.flatten(mask)
  keys = jax.random.split(key, len(leaves))
  return structure.unflatten(
    [scale * jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves)]
  )


def apply_mask(logits: Params, mask: Mask) -> Params:
  """Return the logits with -inf in place of masked choices.

  Args:
    logits: pytree of `f32[D, K]`.
    mask: pytree of `bool[D, K]`.

  Returns:
    Pytree of `f32[D, K]`.
  """
  return jax.tree.map(
    lambda allowed, leaf: jnp.where(allowed, leaf, -jnp.inf), mask, logits
  )


def probabilities(params: Params, mask: Mask) -> Arch:
  """Return `softmax(alpha)` of the allowed choices.

  Args:
    params: logits `f32[..., D, K]` of the mask's structure, or a tuple with
      such `logits`, as of `gumbel`; any axes may precede those of the mask.
    mask: pytree of `bool[D, K]`.

  Returns:
    Pytree of `f32[..., D, K]`.
  """
  return jax.tree.map(
    lambda allowed, leaf: jax.nn.softmax(
      jnp.where(jnp.broadcast_to(allowed, leaf.shape), leaf, -jnp.inf)
    ),
    mask,
    getattr(params, 'logits', params),
  )


def gumbel_softmax(key: Key, logits: Params, temperature: float) -> Arch:
  """Return a sample of the concrete distribution, `softmax((l + G) / tau)`.

  Args:
    key: random key.
    logits: pytree of `f32[D, K]`.
    temperature: tau.

  Returns:
    Pytree of `f32[D, K]`.

  References:
    Maddison et al., The Concrete Distribution, ICLR 2017; Jang et al.,
    Categorical Reparameterization with Gumbel-Softmax, ICLR 2017.
  """
  leaves, structure = jax.tree.flatten(logits)
  keys = jax.random.split(key, len(leaves))
  return structure.unflatten(
    [
      jax.nn.softmax((leaf + jax.random.gumbel(k, leaf.shape)) / temperature)
      for k, leaf in zip(keys, leaves)
    ]
  )


def straight_through(hard: jax.Array, soft: jax.Array) -> jax.Array:
  """Return `hard`, exactly, with the gradient of `soft`.

  Args:
    hard: `f32[..., K]`, a one-hot sample say.
    soft: likewise, finite.
  """
  return hard + (soft - lax.stop_gradient(soft))


def draw(key: Key, logits: Params) -> Arch:
  """Return an index architecture, each decision drawn from `softmax(l_d)`.

  Args:
    key: random key.
    logits: pytree of `f32[D, K]`.

  Returns:
    Pytree of `int32[D]`.
  """
  leaves, structure = jax.tree.flatten(logits)
  keys = jax.random.split(key, len(leaves))
  return structure.unflatten(
    [
      jax.random.categorical(k, leaf).astype(jnp.int32)
      for k, leaf in zip(keys, leaves)
    ]
  )


def entropy(logits: Params) -> jax.Array:
  """Return the entropy of independent decisions in nats.

  `-sum_d sum_k p_dk log p_dk` with `p_d = softmax(l_d)`. For the logits of
  decisions given those before them, as of a recurrent controller, it is the
  entropy along one architecture, whose mean over samples is that of all.

  Args:
    logits: pytree of `f32[D, K]`, masked ones -inf.

  Returns:
    `f32[]`.
  """

  def of_leaf(rows):
    # The gradient of 0 log 0 is none: masked logits are set aside first.
    allowed = rows > -jnp.inf
    log_p = jnp.where(allowed, jax.nn.log_softmax(rows), 0.0)
    return -jnp.sum(jnp.where(allowed, jnp.exp(log_p) * log_p, 0.0))

  return sum(map(of_leaf, jax.tree.leaves(logits)))


def indices(arch: Arch, mask: Mask) -> Arch:
  """Return an architecture as index choices.

  Args:
    arch: pytree of `int32[D]`, or its static form.
    mask: pytree of `bool[D, K]`, or anything else of its structure.

  Returns:
    Pytree of `int32[D]`.

  Raises:
    ValueError: if the architecture is relaxed.
  """

  def of_leaf(_, leaf):
    if not isinstance(leaf, tuple) and choice.is_relaxed(leaf):
      raise ValueError(
        'log_prob is of index architectures (int32[D]), got relaxed choices '
        f'of shape {jax.tree.map(jnp.shape, leaf)}.'
      )
    return jnp.asarray(leaf)

  return jax.tree.map(of_leaf, mask, arch)


def log_prob(logits: Params, arch: Arch) -> jax.Array:
  """Return the log-probability of independent categorical decisions.

  `sum_d log softmax(l_d)[a_d]`.

  Args:
    logits: pytree of `f32[D, K]`.
    arch: pytree of `int32[D]`, or its static form.

  Returns:
    `f32[]`, -inf if a choice is masked.

  Raises:
    ValueError: if the architecture is relaxed.
  """

  def of_leaf(rows, leaf):
    chosen = jnp.take_along_axis(
      jax.nn.log_softmax(rows), leaf[..., None], axis=-1
    )
    return jnp.sum(chosen)

  return sum(
    jax.tree.leaves(jax.tree.map(of_leaf, logits, indices(arch, logits)))
  )


def decide(logits: Params, weights: Arch, derive: Derive | None) -> Arch:
  """Return the discrete architecture of relaxed choices.

  Args:
    logits: pytree of `f32[D, K]`, masked ones -inf.
    weights: pytree of `f32[D, K]`, the relaxed choices.
    derive: `(weights) -> arch`, the space's rule; by default the choice of
      largest weight in each decision, the first of equal ones.

  Returns:
    Pytree of `int32[D]`.
  """
  # An allowed choice outranks a masked one even where its weight underflows.
  tiny = jnp.finfo(jnp.float32).tiny
  weights = jax.tree.map(
    lambda leaf, weight: jnp.where(
      leaf > -jnp.inf, jnp.maximum(weight, tiny), 0.0
    ),
    logits,
    weights,
  )
  if derive is not None:
    return derive(weights)
  return jax.tree.map(
    lambda weight: jnp.argmax(weight, axis=-1).astype(jnp.int32), weights
  )
