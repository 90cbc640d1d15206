"""Training of one network on the nodes of a graph, all of them at once.

T. Kipf and M. Welling, Semi-Supervised Classification with Graph Convolutional
Networks, ICLR 2017, https://arxiv.org/abs/1609.02907, section 5.2: Adam, L2 on
the weights of the first layer, and an end where the validation loss is above
the mean of the ten before it. P. Velickovic et al., Graph Attention Networks,
ICLR 2018, https://arxiv.org/abs/1710.10903, have L2 on all weights and keep
those of the best validation score, as searches do.
"""

from collections.abc import Callable
import functools
from typing import Any, NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import optax

from nasjax.types import Arch, Batch, Key, Metrics, Params


class Child(NamedTuple):
  """A network in training."""

  step: jax.Array  # i32[] updates done
  params: Params
  optimizer_state: optax.OptState
  kept: Params  # the weights that are tested
  score: jax.Array  # f32[] theirs on the validation part, -inf at first
  losses: jax.Array  # f32[window + 1] of the validation part, newest last
  stopped: jax.Array  # bool[]


class NodeTrainer(NamedTuple):
  """How a network is trained; pure functions of one architecture.

  A batch is a part of a task: `dict(graph=..., target=f32[N, C],
  weight=f32[N])`.
  """

  init: Callable[[Key, Arch], Child]
  update: Callable[[Key, Child, Arch, Batch], tuple[Child, Metrics]]
  accuracy: Callable[[Child, Arch, Batch], jax.Array]  # of one class a node
  micro_f1: Callable[[Child, Arch, Batch], jax.Array]  # of several


def _if_finite(score, logits, part):
  """The score, NaN where logits are not finite: those of NaNs tell a class."""
  finite = jnp.all(jnp.isfinite(logits), axis=-1) | (part['weight'] == 0)
  return jnp.where(jnp.all(finite), score, jnp.nan)


def accuracy(logits: jax.Array, part: Batch) -> jax.Array:
  """Return the share of the nodes that count whose class is told right.

  It is NaN, as `micro_f1` is, where the logits of such a node are not finite.
  """
  hits = logits.argmax(-1) == part['target'].argmax(-1)
  share = jnp.sum(hits * part['weight']) / part['weight'].sum()
  return _if_finite(share, logits, part)


def micro_f1(logits: jax.Array, part: Batch) -> jax.Array:
  """Return `2 TP / (2 TP + FP + FN)` of all labels of nodes that count."""
  weight = part['weight'][:, None]
  told, target = (logits > 0) * weight, part['target'] * weight
  total = told.sum() + target.sum()
  share = 2 * jnp.sum(told * target) / jnp.maximum(total, 1)
  return _if_finite(share, logits, part)


def _entropy(logits, part, multi_label):
  if multi_label:
    losses = optax.losses.sigmoid_binary_cross_entropy(logits, part['target'])
    losses = losses.mean(-1)
  else:
    losses = optax.losses.softmax_cross_entropy(logits, part['target'])
  return jnp.sum(losses * part['weight']) / part['weight'].sum()


def _in_width(network, arch, f, *operands):
  """Apply `f(width, ...)` in the least program that an architecture fits."""
  branches = [functools.partial(f, width) for width in network.all_widths()]
  if len(branches) == 1:
    return branches[0](*operands)
  return lax.switch(network.which_width(arch), branches, *operands)


def _check(network, part):
  """Raise if the data is for another network: JAX clamps such indices."""
  num_classes = part['target'].shape[-1]
  if num_classes != network.num_classes:
    raise ValueError(
      f'The nodes have {num_classes} classes, but the network num_classes='
      f'{network.num_classes}.'
    )
  columns = part['graph'].columns
  if not isinstance(columns, jax.core.Tracer) and columns.size:
    num_features = int(columns.max()) + 1
    if num_features > network.num_features:
      raise ValueError(
        f'The nodes have at least {num_features} features, but the network '
        f'num_features={network.num_features}.'
      )


def train_nodes(
  network: Any,
  valid: Batch,
  *,
  learning_rate: float = 0.005,
  weight_decay: float = 5e-4,
  decay_all: bool = True,
  window: int | None = None,
  keep_best: bool = True,
  multi_label: bool = False,
) -> NodeTrainer:
  """Return the training of one network on the nodes of a graph.

  Args:
    network: a `Gnn`.
    valid: the validation part, measured after every update.
    learning_rate: of Adam.
    weight_decay: L2 coefficient, added to the gradient.
    decay_all: whether it is of all weights, or of the first layer's.
    window: losses before the last one whose mean it must not exceed, or the
      weights stay as they are from then on; None for no such end. The loss has
      the L2 in it.
    keep_best: whether the weights that are tested are those of the best
      validation score, of equal ones the first; otherwise the last.
    multi_label: whether a node has several labels, scored by micro-F1.

  Returns:
    The trainer.

  Raises:
    ValueError: if the network is for fewer features or other classes.

  References:
    Kipf and Welling, https://arxiv.org/abs/1609.02907, section 5.2.
  """
  _check(network, valid)
  optimizer = optax.adam(learning_rate)
  measure = micro_f1 if multi_label else accuracy

  def init(key, arch):
    params = network.init(key, arch, valid['graph'], False)['params']
    infinite = jnp.full((window or 0) + 1, jnp.inf)
    return Child(
      jnp.zeros((), jnp.int32),
      params,
      optimizer.init(params),
      params,
      jnp.float32(-jnp.inf),
      infinite,
      jnp.bool_(False),
    )

  def decay(params):
    decayed = params if decay_all else params['layer_0']
    return weight_decay * optax.tree.norm(decayed, squared=True) / 2

  def loss(params, width, key, arch, part):
    logits = network.apply(
      {'params': params},
      arch,
      part['graph'],
      True,
      width,
      rngs={'dropout': key},
    )
    return _entropy(logits, part, multi_label) + decay(params)

  def logits(params, arch, graph):
    def apply(width, params):
      return network.apply({'params': params}, arch, graph, False, width)

    return _in_width(network, arch, apply, params)

  def learn(child, key, arch, part):
    def gradient(width, params):
      return jax.value_and_grad(loss)(params, width, key, arch, part)

    value, grads = _in_width(network, arch, gradient, child.params)
    updates, state = optimizer.update(
      grads, child.optimizer_state, child.params
    )
    params = optax.apply_updates(child.params, updates)
    told = logits(params, arch, valid['graph'])
    score = measure(told, valid)
    current = _entropy(told, valid, multi_label) + decay(params)
    stopped = child.stopped
    if window is not None:
      stopped = current > child.losses[1:].mean()
    losses = jnp.append(child.losses[1:], current)
    is_kept = (score > child.score) | (not keep_best)
    kept = jax.tree.map(
      lambda new, old: jnp.where(is_kept, new, old), params, child.kept
    )
    score = jnp.where(is_kept, score, child.score)
    step = child.step + 1
    return Child(step, params, state, kept, score, losses, stopped), value

  def update(key, child, arch, batch):
    child, value = lax.cond(
      child.stopped,
      lambda: (child, child.losses[-1]),
      lambda: learn(child, key, arch, batch),
    )
    return child, {'train_loss': value, 'valid_score': child.score}

  def score_by(rule):
    return lambda child, arch, part: rule(
      logits(child.kept, arch, part['graph']), part
    )

  return NodeTrainer(init, update, score_by(accuracy), score_by(micro_f1))
