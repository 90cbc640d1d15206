"""One objective, many samplers: DARTS, SNAS, DSNAS and ProxylessNAS.

S. Xie, S. Hu, X. Wang, C. Liu, J. Shi, X. Liu and D. Lin, Understanding the
wiring evolution in differentiable neural architecture search, AISTATS 2021,
https://arxiv.org/abs/2009.01272: each of these methods descends

  E_{Z ~ p_alpha}[L(Z)]  with  p = softmax(alpha),  c = dL / dZ,

and they differ in what Z is and in the data that c is measured on:

  method        distribution                      level    dL / d alpha_k
  DARTS         softmax                           bilevel  p_k (c_k - p . c)
  SNAS          gumbel, tau annealed              single   Z_k (c_k - Z . c)/tau
  DSNAS         one_hot                           single   c_s (1[k = s] - p_k)
  ProxylessNAS  one_hot(gradient='softmax')       bilevel  p_k (c_k - p . c)
                two_path, with `keep_share`       bilevel  q_k (c_k - q . c)

The defaults are those of the DSNAS search in the authors' analysis. The cell is
that of the strongest choices, `none` among them.

Deviations:
  Alpha starts around 0 and not 1: a softmax sees differences.
  The temperature is annealed over `num_epochs`, not always 150.
"""

from typing import Any

import jax
import optax

from nasjax import schedules
from nasjax.distributions import gumbel, two_path
from nasjax.estimators import one_shot
from nasjax.networks import loss as losses
from nasjax.searches import (
  bilevel,
  hypergradients,
  optimizers,
  penalties,
  single_level,
)
from nasjax.types import Distribution, Search, Space


def _anneal(distribution, final, num_epochs, steps_per_epoch):
  """Return the annealing of the temperature, or None where there is none."""
  params = distribution.init(jax.random.key(0))
  first = getattr(params, 'temperature', None)
  if first is not None:  # set in any case: weight decay would move it
    last = first if final is None else final
    linear = optax.linear_schedule(first, last, num_epochs)
    return gumbel.anneal(schedules.per_epoch(linear, steps_per_epoch))
  if final is None:
    return None
  raise ValueError(
    'final_temperature needs a distribution with a temperature, got params of '
    f'type {type(params).__name__}.'
  )


def wiring(
  space: Space,
  network: Any,
  distribution: Distribution,
  input_shape: tuple[int, ...],
  steps_per_epoch: int,
  num_epochs: int = 150,
  level: str = 'single',
  *,
  final_temperature: float | None = None,
  keep_share: bool = False,
  hypergradient: hypergradients.Hypergradient | None = None,
  learning_rate: float = 0.025,
  final_learning_rate: float = 0.001,
  momentum: float = 0.9,
  weight_decay: float = 3e-4,
  max_norm: float | None = 5.0,
  arch_learning_rate: float = 3e-4,
  arch_b1: float = 0.5,
  arch_b2: float = 0.999,
  arch_weight_decay: float = 1e-3,
  arch_max_norm: float = 10.0,
  penalty: penalties.Penalty | None = None,
) -> Search:
  """Search by descent on the expected loss of sampled choices.

  Args:
    space: of the architectures.
    network: `init(key, arch, x)` and `apply(variables, arch, x) -> logits`.
    distribution: the sampler, see the table above.
    input_shape: of one example.
    steps_per_epoch: updates with one learning rate and temperature.
    num_epochs: length of the cosine and of the annealing.
    level: 'single', all from one training batch and sample, or 'bilevel',
      alpha from validation batches.
    final_temperature: its end, on a line (SNAS: 0.03); None for no annealing.
    keep_share: whether alpha moves as in `two_path.keep_share`.
    hypergradient: of a bilevel search; None for the first order.
    learning_rate: of the weights in the first epoch.
    final_learning_rate: where the cosine ends.
    momentum: of the weights.
    weight_decay: L2 coefficient of the weights.
    max_norm: global norm of clipped weight gradients.
    arch_learning_rate: of Adam on alpha.
    arch_b1: decay of Adam's first moment.
    arch_b2: decay of Adam's second moment.
    arch_weight_decay: L2 coefficient of alpha.
    arch_max_norm: global norm of clipped gradients of alpha.
    penalty: added to the loss of the samples, such as their latency, or None.

  Returns:
    A search whose batches are `dict(train=dict(image, label))`, with a part
    `valid` where it is bilevel.

  Raises:
    ValueError: for another level, or an option that it does not have.

  References:
    Xie et al., https://arxiv.org/abs/2009.01272; SNAS,
    https://arxiv.org/abs/1812.09926; DSNAS, https://arxiv.org/abs/2002.09128;
    ProxylessNAS, https://arxiv.org/abs/1812.00332.
  """
  if level not in ('single', 'bilevel'):
    raise ValueError(f'Unknown level {level!r}. Known: bilevel, single.')
  if level == 'single' and hypergradient:
    raise ValueError('A single-level search takes no hypergradient.')
  arch_optimizer = optax.chain(
    optax.clip_by_global_norm(arch_max_norm),
    optimizers.adam(arch_learning_rate, arch_b1, arch_b2, arch_weight_decay),
  )
  if keep_share:
    arch_optimizer = two_path.keep_share(arch_optimizer)
  length = num_epochs, steps_per_epoch
  parts = dict(
    loss=losses.classification_loss(network),
    init_params=one_shot.init_supernet(network, space, input_shape),
    distribution=distribution,
    weight_optimizer=optimizers.cosine_sgd(
      learning_rate, final_learning_rate, *length, momentum, weight_decay
    ),
    arch_optimizer=arch_optimizer,
    max_norm=max_norm,
    penalty=penalty,
    anneal=_anneal(distribution, final_temperature, *length),
  )
  if level == 'bilevel':
    return bilevel.bilevel(hypergradient=hypergradient, **parts)
  return single_level.single_level(**parts)
