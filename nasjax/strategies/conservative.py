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
  * The first architecture is drawn from the space; nothing is learned from it.
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
  """The best network, and a controller for each class."""

  best: Arch
  value: jax.Array  # f32[] of the best, -inf before the first result
  params: tuple[Params, ...]
  optimizers: tuple[optax.OptState, ...]


class _Class(NamedTuple):
  """A leaf whose decisions come last in an order of all of them."""

  order: np.ndarray  # i[D] decisions, those of the class last
  size: int  # decisions of the class
  network: controllers.Controller


def _classes(mask, **settings):
  sizes = [leaf[..., 0].size for leaf in jax.tree.leaves(mask)]
  groups = np.repeat(np.arange(len(sizes)), sizes)
  found = []
  for number, size in enumerate(sizes):
    order = np.argsort(groups == number, kind='stable')
    network = controllers.Controller(tuple(groups[order].tolist()), **settings)
    found.append(_Class(order, size, network))
  return found


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
  classes = _classes(
    space.mask,
    features=features,
    num_layers=1,
    temperature=temperature,
    tanh_constant=tanh_constant,
  )
  if not 1 <= num_classes <= len(classes):
    raise ValueError(
      f'Expected num_classes from 1 to the {len(classes)} leaves of the space, '
      f'got {num_classes}.'
    )
  optimizer = optax.adam(3.5e-4) if optimizer is None else optimizer
  allowed = decisions.join_masks(space.mask)

  def draw(one, params, best, noise):
    """Choices of a class given all others, in the order of all, and logits."""
    given = jax.nn.one_hot(best[one.order], allowed.shape[1]) * _FORCED
    is_given = np.arange(len(allowed)) < len(allowed) - one.size
    noise = jnp.where(is_given[:, None], given, noise)
    choices, logits = one.network.apply(
      {'params': params}, allowed[one.order], noise
    )
    choices = jnp.zeros_like(choices).at[one.order].set(choices)
    return choices, logits[-one.size :]

  def log_prob(params, one, choices):
    """Log-likelihood of the choices of a class, given all others."""
    ordered = choices[one.order]
    _, logits = one.network.apply(
      {'params': params}, allowed[one.order], jnp.zeros(allowed.shape), ordered
    )
    rows = jax.nn.log_softmax(logits[-one.size :])
    chosen = ordered[-one.size :]
    return jnp.take_along_axis(rows, chosen[:, None], 1).sum()

  def init(key):
    key, sample_key = jax.random.split(key)
    keys = jax.random.split(key, len(classes))
    zeros = jnp.zeros(allowed.shape)
    params = tuple(
      # Eagerly a linen init takes seconds.
      jax.jit(one.network.init)(k, allowed, zeros)['params']
      for k, one in zip(keys, classes)
    )
    states = tuple(map(optimizer.init, params))
    return State(
      space.sample(sample_key), jnp.float32(-jnp.inf), params, states
    )

  def offspring(key, state):
    draw_key, class_key = jax.random.split(key)
    best = decisions.join(state.best)
    keys = jax.random.split(draw_key, len(classes))
    drawn = [
      draw(one, params, best, jax.random.gumbel(k, allowed.shape))
      for one, params, k in zip(classes, state.params, keys)
    ]
    weights = jnp.stack([logits_lib.entropy(logits) for _, logits in drawn])
    # In proportion to weights, without replacement: the largest of these.
    logits = jnp.log(weights + 1e-9) if by_entropy else jnp.zeros(len(classes))
    gumbels = logits + jax.random.gumbel(class_key, logits.shape)
    _, which = jax.lax.top_k(gumbels, num_classes)
    chosen = jnp.zeros(len(classes), bool).at[which].set(True)
    for number, (one, (choices, _)) in enumerate(zip(classes, drawn)):
      own = one.order[-one.size :]
      changed = jnp.where(chosen[number], choices[own], best[own])
      best = best.at[own].set(changed)
    return decisions.split(best, space.mask)

  def ask(key, state):
    arch = offspring(key, state)
    is_first = state.value == -jnp.inf
    arch = jax.tree.map(
      lambda new, old: jnp.where(is_first, old, new), arch, state.best
    )
    archs = jax.tree.map(lambda leaf: leaf[None], arch)
    return Proposal(archs, jnp.ones(1)), state

  def tell(key, state, proposal, values):
    arch = jax.tree.map(lambda leaf: leaf[0], proposal.archs)
    value = ranking.finite_or_worst(values[0])
    best, told = decisions.join(state.best), decisions.join(arch)
    reward = value - state.value
    teaches = jnp.isfinite(reward)
    params, states = [], []
    for one, old, old_state in zip(classes, state.params, state.optimizers):
      own = one.order[-one.size :]
      changed = teaches & jnp.any(told[own] != best[own])
      given = best.at[own].set(told[own])
      gradient = jax.grad(log_prob)(old, one, given)
      scale = jnp.where(changed, -reward, 0.0)
      gradient = jax.tree.map(lambda g, s=scale: s * g, gradient)
      updates, new_state = optimizer.update(gradient, old_state, old)
      new = optax.apply_updates(old, updates), new_state
      new = jax.tree.map(
        lambda a, b, c=changed: jnp.where(c, a, b), new, (old, old_state)
      )
      params.append(new[0])
      states.append(new[1])
    is_better = value > state.value
    kept = jax.tree.map(
      lambda a, b: jnp.where(is_better, a, b), arch, state.best
    )
    value = jnp.maximum(value, state.value)
    state = State(kept, value, tuple(params), tuple(states))
    return state, {'best': value, 'reward': jnp.where(teaches, reward, 0.0)}

  return Strategy(init, ask, tell)
