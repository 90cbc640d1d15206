"""Conservative search: the best network so far, one class of decisions changed.

K. Zhou, Q. Song, X. Huang and X. Hu, Auto-GNN: Neural Architecture Search of
Graph Neural Networks, 2019, https://arxiv.org/abs/1909.03184, its reinforced
conservative controller. A class is a leaf of the space. With the best
architecture b and its value M_b:

  for every class c: a recurrent controller of its own reads the choices of b
    outside of c and draws those of c; H_c is their entropy
  s classes are drawn, without replacement, in proportion to H_c
  o = b with what was drawn for them, of value M_o
  their controllers ascend (M_o - M_b) log pi(o | b)
  b <- o if M_o > M_b

Deviations
  * The text was not at hand; this follows AutoGL's program, an account of
    the paper, and our reading of both.
  * One LSTM reads and draws: what is given stands before what is drawn.
  * The first architecture is drawn from the space, and another one as long as
    none has a value; nothing is learned from them.
  * An offspring that equals b is proposed like any other, but teaches nothing:
    which classes changed is read from the architectures, so results may come
    late.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nasjax import ranking
from nasjax.distributions import logits as logits_lib
from nasjax.networks import controller as controllers
from nasjax.spaces import decisions
from nasjax.types import Arch, Params, Proposal, Space, Strategy

_FORCED = 1e9  # more than any logit


class State(NamedTuple):
  """The best network, and a controller for each of C classes."""

  best: Arch
  value: jax.Array  # f32[] of the best, -inf before the first result
  params: Params  # [C, ...]
  optimizer: optax.OptState  # [C, ...]


def conservative(
  space: Space,
  optimizer: optax.GradientTransformation | None = None,
  num_classes: int = 1,
  by_entropy: bool = True,
  features: int = 100,
  temperature: float = 5.0,
  tanh_constant: float = 2.5,
) -> Strategy:
  """Change one class of the best architecture at a time.

  Example:
    >>> from nasjax.spaces import gnn
    >>> strategy = conservative(gnn.gnn())

  Args:
    space: of independent choices; the leaves of its mask are the classes.
    optimizer: of a controller, by default Adam with rate 3.5e-4.
    num_classes: s, of one offspring.
    by_entropy: whether classes are drawn in proportion to the entropy of their
      controllers; otherwise all alike.
    features: width of the LSTMs.
    temperature: by which logits are divided.
    tanh_constant: their bound.

  Returns:
    The strategy, one architecture a proposal.

  Raises:
    ValueError: if there are not so many classes.

  References:
    Zhou et al., Auto-GNN, https://arxiv.org/abs/1909.03184.
  """
  sizes = [leaf[..., 0].size for leaf in jax.tree.leaves(space.mask)]
  if not 1 <= num_classes <= len(sizes):
    raise ValueError(
      f'Expected num_classes from 1 to the {len(sizes)} leaves of the space, '
      f'got {num_classes}.'
    )
  optimizer = optax.adam(3.5e-4) if optimizer is None else optimizer
  allowed = decisions.join_masks(space.mask)
  groups = np.repeat(np.arange(len(sizes)), sizes)
  own = groups == np.arange(len(sizes))[:, None]  # [C, D]
  orders = np.argsort(own, axis=1, kind='stable')  # those of the class last
  network = controllers.Controller(
    tuple(groups.tolist()), features, 1, temperature, tanh_constant
  )

  def draw(params, order, own, best, noise):
    """Draw the choices of a class given all others; return its entropy too."""
    given = _FORCED * jax.nn.one_hot(best, allowed.shape[1])
    noise = jnp.where(own[:, None], noise, given)
    choices, logits = network.apply(
      {'params': params}, allowed, noise, order=order
    )
    entropy = jax.vmap(logits_lib.entropy)(logits)
    return choices, jnp.sum(jnp.where(own, entropy, 0.0))

  def log_prob(params, order, own, choices):
    """Return the log-likelihood of the choices of a class, given all others."""
    silence = jnp.zeros(allowed.shape)
    _, logits = network.apply(
      {'params': params}, allowed, silence, choices, order
    )
    rows = jax.nn.log_softmax(logits)
    rows = jnp.take_along_axis(rows, choices[:, None], axis=1)[:, 0]
    return jnp.sum(jnp.where(own, rows, 0.0))

  def init(key):
    sample_key, init_key = jax.random.split(key)

    def init_class(key):
      return network.init(key, allowed, jnp.zeros(allowed.shape))['params']

    # Eagerly a linen init takes seconds.
    params = jax.jit(jax.vmap(init_class))(
      jax.random.split(init_key, len(sizes))
    )
    states = jax.vmap(optimizer.init)(params)
    best = space.sample(sample_key)
    return State(best, jnp.float32(-jnp.inf), params, states)

  def ask(key, state):
    noise_key, class_key = jax.random.split(key)
    best = decisions.join(state.best)
    noise = jax.random.gumbel(noise_key, (len(sizes), *allowed.shape))
    drawn, entropies = jax.vmap(draw, (0, 0, 0, None, 0))(
      state.params, orders, own, best, noise
    )
    # The s largest of these are draws in proportion, without replacement.
    logits = jnp.log(entropies) if by_entropy else jnp.zeros(len(sizes))
    logits = jnp.maximum(logits, -_FORCED)  # of a class without choice
    logits += jax.random.gumbel(class_key, logits.shape)
    _, classes = jax.lax.top_k(logits, num_classes)
    choices = best
    for number in range(num_classes):
      chosen = classes[number]
      choices = jnp.where(jnp.asarray(own)[chosen], drawn[chosen], choices)
    is_first = state.value == -jnp.inf
    arch = decisions.split(jnp.where(is_first, best, choices), space.mask)
    archs = jax.tree.map(lambda leaf: leaf[None], arch)
    return Proposal(archs, jnp.ones(1)), state

  def tell(key, state, proposal, values):
    arch = jax.tree.map(lambda leaf: leaf[0], proposal.archs)
    value = ranking.finite_or_worst(values[0])
    best, told = decisions.join(state.best), decisions.join(arch)
    reward = value - state.value
    teaches = jnp.isfinite(reward)
    reward = jnp.where(teaches, reward, 0.0)
    given = jnp.where(own, told[None], best[None])
    gradients = jax.vmap(jax.grad(log_prob))(state.params, orders, own, given)
    updates, states = jax.vmap(optimizer.update)(
      jax.tree.map(lambda leaf: -reward * leaf, gradients),
      state.optimizer,
      state.params,
    )
    new = optax.apply_updates(state.params, updates), states
    changed = teaches & jnp.any(given != best[None], axis=1)
    params, states = jax.tree.map(
      lambda new, old: jnp.where(
        changed.reshape(-1, *[1] * (new.ndim - 1)), new, old
      ),
      new,
      (state.params, state.optimizer),
    )
    is_better = value > state.value
    best_value = jnp.maximum(value, state.value)
    has_failed = best_value == -jnp.inf  # like all before it
    kept = jax.tree.map(
      lambda new, old, other: jnp.where(
        has_failed, other, jnp.where(is_better, new, old)
      ),
      arch,
      state.best,
      space.sample(key),
    )
    state = State(kept, best_value, params, states)
    return state, {'best': state.value, 'reward': reward}

  return Strategy(init, ask, tell)
