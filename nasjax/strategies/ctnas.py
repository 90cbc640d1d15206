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
  * The paper makes one round. A further one fits the comparator to what came of
    the one before as well.
"""

import optax

from nasjax.estimators.comparator import Comparator
from nasjax.strategies import comparator_policy, model_based, pseudo_pairs
from nasjax.types import Distribution, Space, Strategy


def ctnas(
  space: Space,
  comparator: Comparator,
  controller: Distribution,
  num_initial: int = 423,
  capacity: int = 500,
  optimizer: optax.GradientTransformation | None = None,
  num_steps: int = 10_000,
  update_every: int = 500,
  entropy: float = 5e-4,
  curriculum: bool = True,
  exploration: bool = True,
  explore_every: int = 100,
  num_pairs: int = 100,
) -> Strategy:
  """Learn to draw what a comparator prefers, and evaluate the best.

  Args:
    space: the space.
    comparator: see `estimators.comparator`.
    controller: the policy; its samples are index choices. The paper's is
      recurrent.
    num_initial: n, random architectures (paper: 423 on NAS-Bench-101).
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

  Returns:
    The strategy. It asks for one architecture; all but the first n fit the
    comparator and learn a policy.

  Raises:
    ValueError: if the sizes do not fit.

  References:
    Chen et al., 2021, https://arxiv.org/abs/2103.05471, algorithm 1.
  """
  adam = optax.adam(2e-4, b1=0.5)
  explorer = None
  if exploration:
    explorer = pseudo_pairs.explorer(controller, comparator, adam, num_pairs)
  learn = comparator_policy.policy_learning(
    controller,
    comparator,
    optimizer or optax.chain(optax.add_decayed_weights(5e-4), adam),
    num_steps,
    entropy=entropy,
    update_every=update_every,
    curriculum=curriculum,
    explorer=explorer,
    explore_every=explore_every,
  )
  return model_based.model_based(
    space,
    comparator.estimator,
    comparator_policy.propose(learn),
    num_initial,
    1,
    capacity,
  )
