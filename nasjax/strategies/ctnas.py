"""CTNAS: a policy learned against a comparator of architectures.

Y. Chen et al., Contrastive Neural Architecture Search with Neural Architecture
Comparators, CVPR 2021, https://arxiv.org/abs/2103.05471:

  told <- n random architectures, evaluated
  comparator <- fit to all pairs of told
  best <- policy learning against the comparator, algorithm 1
  evaluate best, and go on from the second line if there is budget left

Policy learning with its curriculum is `strategies.comparator_policy`, data
exploration `strategies.pseudo_pairs`.

Deviations
  * The paper makes one round and evaluates one architecture. A further round
    fits the comparator to what came of the one before as well; with `num_new` a
    round evaluates the best of all that the policy drew and that are not known.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nasjax import archive
from nasjax.estimators import comparator as comparators
from nasjax.estimators.comparator import Comparator
from nasjax.networks import predictors as networks
from nasjax.strategies import comparator_policy, model_based, pseudo_pairs
from nasjax.types import Arch, Distribution, Space, Strategy


def model(
  space: Space,
  features: Callable[[Arch], Any],
  num_ops: int,
  width: int = 128,
  num_steps: int = 2000,
  learning_rate: float = 2e-4,
  batch_size: int | None = 256,
) -> Comparator:
  """Return the comparator of the paper, a graph network and a linear head.

  Args:
    space: the space.
    features: `(arch) -> graphs.Graph`.
    num_ops: operations that vertices of the graph may bear.
    width: of the graph network (128).
    num_steps: of a fit (official: 1,000 epochs of two batches).
    learning_rate: of Adam with decays 0.5 and 0.999 and L2 of 5e-4 (2e-4).
    batch_size: architectures of a step, all pairs of which are compared (256).

  Returns:
    The comparator.

  References:
    Chen et al., 2021, https://arxiv.org/abs/2103.05471, section 3.2.
  """
  return comparators.comparator(
    networks.Gcn(num_ops, width),
    features,
    space.sample(jax.random.key(0)),
    _adam(learning_rate),
    num_steps,
    batch_size,
  )


def _adam(learning_rate):
  """The official optimiser of comparator and policy."""
  return optax.chain(
    optax.add_decayed_weights(5e-4), optax.adam(learning_rate, b1=0.5)
  )


def ctnas(
  space: Space,
  comparator: Comparator,
  controller: Distribution,
  num_initial: int = 423,
  num_new: int | None = None,
  capacity: int = 500,
  optimizer: optax.GradientTransformation | None = None,
  num_steps: int = 10_000,
  update_every: int = 500,
  entropy: float = 5e-4,
  curriculum: bool = True,
  exploration: bool = True,
  explore_every: int = 100,
  num_pairs: int = 100,
  identity: Callable[[Arch], Any] = lambda arch: arch,
) -> Strategy:
  """Learn to draw what a comparator prefers, and evaluate the best.

  Args:
    space: the space.
    comparator: see `model`.
    controller: the policy; its samples are index choices. The paper's is
      recurrent. In NAS-Bench-101 free choices rarely make a cell: there the
      space is that of `nasbench101_construction`, whose decisions always do.
    num_initial: n, random architectures (paper: 423 on NAS-Bench-101).
    num_new: evaluated after a round, those that the comparator, as its
      exploration left it, ranks highest of all new ones that the policy drew,
      random ones where it drew fewer; None for the one that policy learning
      settles on, known or not (the paper's).
    capacity: architectures that can be told before the oldest are forgotten.
    optimizer: of the policy; by default the official one, Adam with learning
      rate 2e-4, decays 0.5 and 0.999, and L2 of 5e-4. It suits a recurrent
      controller; logits that are learned themselves need a rate of about 0.1.
    num_steps: of policy learning (10,000).
    update_every: steps between updates of the baseline (500).
    entropy: coefficient of the entropy of the policy (5e-4).
    curriculum: whether the baseline moves.
    exploration: whether the comparator learns from pseudo-labelled pairs.
    explore_every: steps between explorations (100).
    num_pairs: pseudo-labelled in one exploration (100).
    identity: `(arch) -> pytree of integers`, the same for architectures that
      are one; by default the architecture itself. Only `num_new` asks for it.

  Returns:
    The strategy. All its proposals but the first n architectures fit the
    comparator and learn a policy.

  Raises:
    ValueError: if the sizes do not fit.

  References:
    Chen et al., 2021, https://arxiv.org/abs/2103.05471, algorithm 1.
  """
  if num_new is not None and not 1 <= num_new <= num_steps:
    raise ValueError(
      f'num_new must lie between 1 and num_steps={num_steps}, got {num_new}.'
    )
  explorer = None
  if exploration:
    explorer = pseudo_pairs.explorer(
      controller, comparator, optax.adam(2e-4, b1=0.5), num_pairs
    )
  learn = comparator_policy.policy_learning(
    controller,
    comparator,
    optimizer or _adam(2e-4),
    num_steps,
    entropy=entropy,
    update_every=update_every,
    curriculum=curriculum,
    explorer=explorer,
    explore_every=explore_every,
  )

  def settled(key, state, told):
    best = learn(key, state, told).best
    return jax.tree.map(lambda leaf: leaf[None], best)

  def best_new(key, state, told):
    learn_key, sample_key = jax.random.split(key)
    outcome = learn(learn_key, state, told)
    drawn = jax.tree.map(
      lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), outcome.drawn
    )
    # The logit is a sum: who scores highest wins most against any others.
    score = lambda arch: comparator.estimator.score(
      key, outcome.comparator, arch
    )
    names = jax.vmap(identity)(drawn)
    known = told._replace(archs=jax.vmap(identity)(told.archs))
    is_new = archive.first_of_equals(names) & ~archive.contains(known, names)
    scores = jnp.where(is_new, jax.vmap(score)(drawn), -jnp.inf)
    scores, slots = jax.lax.top_k(scores, num_new)
    chosen = jax.tree.map(lambda leaf: leaf[slots], drawn)
    samples = jax.vmap(space.sample)(jax.random.split(sample_key, num_new))
    return archive.fill(scores > -jnp.inf, chosen, samples)

  return model_based.model_based(
    space,
    comparator.estimator,
    best_new if num_new else settled,
    num_initial,
    num_new or 1,
    capacity,
  )
