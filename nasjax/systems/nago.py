"""NAGO: search for a generator of networks, not for a network.

B. Ru, P. Esperanca and F. Carlucci, Neural Architecture Generator Optimization,
NeurIPS 2020, https://arxiv.org/abs/2004.01395. What is searched is the eight
parameters of three nested random graphs (`spaces.generators`), because networks
of one generator do about equally well:

  repeat: parameters <- strategy
          accuracy <- mean over networks drawn from them, each trained
          strategy is told the accuracy, or (accuracy, -cost)

The paper's strategies are BOHB (`strategies.bohb`), whose fidelity is the share
of a training, and Bayesian optimisation of accuracy and memory or time, here
`strategies.parego`.

Deviations
  * What the authors' program calls BOHB is successive halving of what improves
    most by a Gaussian process; here it is that of its paper, by densities.
  * The surrogate for several objectives is a Gaussian process with noise, the
    paper's a Bayesian network whose noise depends on the parameters.
  * All networks run in one program (`networks.nago`), of one width.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from nasjax.estimators import combine
from nasjax.searches import black_box, multi_objective
from nasjax.spaces import generators
from nasjax.types import Arch, Estimator, Search, Strategy


def _of_generators(levels, estimator, num_samples):
  """Return the mean score of networks that are drawn from a generator."""
  fidelities = combine.takes_fidelity(estimator.score)

  def score(key, state, arch, fidelity=1.0):
    def one(key):
      draw_key, score_key = jax.random.split(key)
      network = generators.realise(levels, draw_key, arch)
      options = {'fidelity': fidelity} if fidelities else {}
      return estimator.score(score_key, state, network, **options)

    return jnp.mean(jax.lax.map(one, jax.random.split(key, num_samples)))

  return estimator._replace(score=score)


def nago(
  levels: Sequence[generators.Level],
  accuracy: Estimator,
  strategy: Strategy,
  num_samples: int = 1,
  cost: Callable[[Arch], jax.Array] | None = None,
  reference: Sequence[float] | None = None,
  batch_size: int | None = None,
  archive_size: int = 100,
) -> Search:
  """Search the parameters of a generator.

  Args:
    levels: of the generator.
    accuracy: score of a network, a `spaces.hierarchies.Hierarchy`: a training,
      see `stand_alone.stand_alone`.
    strategy: proposes parameters: `strategies.bohb` on
      `generators.generator(levels)`, or with a cost one that is told two
      values, such as `strategies.parego`.
    num_samples: networks drawn, and trained, for one score.
    cost: `(arch) -> f32[]` of a generator, for example
      `nago_cost.expected(..., 'params')`; None for accuracy alone.
    reference: accuracy and negative cost that the hypervolume is counted from.
    batch_size: generators scored at once, see `batching.map_archs`.
    archive_size: generators kept.

  Returns:
    The search, over generators. With a cost it keeps the front, see
    `multi_objective`.

  Raises:
    ValueError: if no network is drawn, or if a reference comes without a cost.

  References:
    Ru, Esperanca and Carlucci, NAGO, 2020.
  """
  if num_samples < 1 or (cost is None and reference is not None):
    raise ValueError(
      'NAGO needs num_samples >= 1, and a cost where there is a reference; got '
      f'num_samples={num_samples}, cost={cost}, reference={reference}.'
    )
  accuracy = _of_generators(levels, accuracy, num_samples)
  if cost is None:
    return black_box.black_box(strategy, accuracy, batch_size, archive_size)
  cheapness = combine.stateless(lambda key, arch: -cost(arch))
  return multi_objective.multi_objective(
    strategy, (accuracy, cheapness), reference, batch_size, archive_size
  )
