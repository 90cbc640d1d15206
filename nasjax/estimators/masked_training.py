"""Sub-networks of one parent, before training and compared after it.

All start from the weights of the parent as they are: what is compared are
places in the loss landscape that one initialisation gives. The protocol is for
R. Farahani, Random Search as a Baseline for Sparse Neural Network Architecture
Search, 2024, https://arxiv.org/abs/2403.08265, of which only the abstract was
at hand: conditions, sizes and training are ours.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nasjax.estimators import combine, training
from nasjax.networks import masked_mlp
from nasjax.spaces import node_masks
from nasjax.types import Arch, Batch, Estimator, Key, Params

CRITERIA = ('loss', 'accuracy')


def _values(logits, label):
  """The loss and the accuracy of a batch."""
  entropy = optax.losses.softmax_cross_entropy_with_integer_labels(
    logits, label
  )
  return {
    'loss': jnp.mean(entropy),
    'accuracy': jnp.mean(logits.argmax(-1) == label),
  }


def initial_score(
  network: Any, batch: Batch, criterion: str = 'loss'
) -> Estimator:
  """Return the score of sub-networks before any training.

  The loss of a very sparse network is low just because its logits are small:
  it goes to the logarithm of the number of classes. The accuracy does not see
  the size of logits.

  Args:
    network: from `masked_mlp.sub_networks`.
    batch: images that it is measured on, those of training.
    criterion: 'loss', whose negative is the score, or 'accuracy'.

  Returns:
    The estimator; it has nothing to learn.

  Raises:
    ValueError: if there is no such criterion.
  """
  if criterion not in CRITERIA:
    raise ValueError(f'Unknown criterion {criterion!r}. Known: {CRITERIA}.')
  sign = -1 if criterion == 'loss' else 1

  def score(key, arch):
    logits = network.apply(network.init(key, arch, None), arch, batch['image'])
    return sign * _values(logits, batch['label'])[criterion]

  return combine.stateless(score)


def _masks(key, parent, batch, counts, num_samples, num_random):
  """Found and random masks of one sparsity, and the scores of those drawn."""
  widths = [len(layer['bias']) for layer in parent[:-1]]
  network = masked_mlp.sub_networks(parent)
  keys = jax.random.split(key, num_samples + num_random)
  masks = jax.vmap(lambda key: node_masks.draw(key, widths, counts))(keys)
  drawn = jax.tree.map(lambda leaf: leaf[:num_samples], masks)
  fresh = jax.tree.map(lambda leaf: leaf[num_samples:], masks)

  def search(criterion):
    score = initial_score(network, batch, criterion).score
    scores = jax.vmap(lambda mask: score(key, (), mask))(drawn)
    return scores, jax.tree.map(lambda leaf: leaf[jnp.argmax(scores)], drawn)

  found = {criterion: search(criterion) for criterion in CRITERIA}
  scores = {criterion: scores for criterion, (scores, _) in found.items()}
  return {c: mask for c, (_, mask) in found.items()}, fresh, scores


def _curves(network, arch, batches, splits, optimizer):
  """Train a sub-network; its weights, and what it was after every epoch."""
  trainer = training.train_child(network, (), 1, optimizer=optimizer)
  key = jax.random.key(0)  # neither weights nor steps are drawn

  def measure(params):
    values = {}
    for name, split in splits.items():
      logits = masked_mlp.apply(params, arch, split['image'])
      measured = _values(logits, split['label'])
      values |= {f'{name}_{what}': v for what, v in measured.items()}
    return values

  def step(child, batch):
    return trainer.update(key, child, arch, batch)[0], None

  def epoch(child, batches):
    child, _ = jax.lax.scan(step, child, batches)
    return child, measure(child.params)

  start = trainer.init(key, arch)
  child, values = jax.lax.scan(epoch, start, batches)
  first = jax.tree.map(lambda leaf: leaf[None], measure(start.params))
  join = lambda *leaves: jnp.concatenate(leaves)
  return child.params, jax.tree.map(join, first, values)


def compare(
  key: Key,
  sizes: Sequence[int],
  sparsities: Sequence[float],
  splits: dict[str, Batch],
  batches: Batch,
  optimizer: optax.GradientTransformation,
  num_samples: int = 100,
  num_random: int = 5,
) -> dict[str, Any]:
  """Draw a parent, search its sub-networks, and train all that is compared.

  The conditions are the parent, what was found by each criterion, fresh random
  masks, all from the same weights and on the same batches; and as a control
  that has to win, the nodes of highest magnitude of the trained parent, trained
  as long again from its weights.

  Args:
    key: of the parent and of the masks.
    sizes: inputs, hidden layers, outputs of the parent.
    sparsities: S shares of nodes that are removed.
    splits: batches that are measured by name; the search sees 'train'.
    batches: `[E, T, B, ...]`, E epochs of training.
    optimizer: of the weights, without decay: what is masked stays as it is.
    num_samples: T, masks that the search draws.
    num_random: R.

  Returns:
    `initial` with the T scores by criterion, `[S, T]`; and by condition the
    curves of loss and accuracy on all splits, those before training first:
    'dense' `[E + 1]`, 'random' `[S, R, E + 1]`, and `[S, E + 1]` for
    'found_loss', 'found_accuracy' and 'pruned'.
  """
  parent_key, mask_key = jax.random.split(key)
  parent = masked_mlp.init(parent_key, sizes)
  counts = jnp.array([node_masks.kept(sizes[1:-1], s) for s in sparsities])
  found, fresh, scores = jax.vmap(
    lambda key, counts: _masks(
      key, parent, splits['train'], counts, num_samples, num_random
    )
  )(jax.random.split(mask_key, len(counts)), counts)

  def train_from(params: Params, arch: Arch):
    network = masked_mlp.sub_networks(params)
    return _curves(network, arch, batches, splits, optimizer)

  everything = [jnp.ones(h) for h in sizes[1:-1]]
  trained, dense = train_from(parent, node_masks.top(everything, sizes[1:-1]))
  norms = masked_mlp.node_norms(trained)
  pruned = jax.vmap(lambda counts: node_masks.top(norms, counts))(counts)
  one = lambda arch: train_from(parent, arch)[1]
  return {
    'initial': scores,
    'dense': dense,
    **{f'found_{c}': jax.vmap(one)(found[c]) for c in CRITERIA},
    'random': jax.vmap(jax.vmap(one))(fresh),
    'pruned': jax.vmap(lambda arch: train_from(trained, arch)[1])(pruned),
  }
