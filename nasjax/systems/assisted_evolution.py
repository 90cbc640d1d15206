"""AREA: evolution whose first population a score without training picks.

Mellor et al., Neural Architecture Search without Training, 2021,
https://arxiv.org/abs/2006.04647, algorithm 2:

  candidates <- M random architectures
  population <- the N of them with the highest score, trained
  repeat: parent <- best of a sample of the population
          child <- mutate(parent), trained, added to the population
          remove the oldest member
  return the best architecture ever trained

Deviations
  * Parents are drawn with replacement, as everywhere in nasjax; the paper draws
    without.
  * The budget is a number of architectures, not seconds.
"""

import jax

from nasjax import batching, ranking
from nasjax.estimators.zero_cost import proxy as proxies
from nasjax.searches import black_box
from nasjax.strategies import evolution
from nasjax.types import Estimator, Search, Space


def assisted_evolution(
  space: Space,
  estimator: Estimator,
  proxy: proxies.Proxy,
  num_candidates: int = 20,
  population: int = 10,
  tournament: int = 3,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Evolve a population that starts from what a proxy likes.

  Args:
    space: the space; its `mutate` makes the children.
    estimator: the score that costs something: a training, a table.
    proxy: the score that picks the first population.
    num_candidates: M (paper: 20).
    population: N (paper: 10).
    tournament: size of the sample of the population.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search. An update scores one architecture.

  Raises:
    ValueError: if there are fewer candidates than members.

  References:
    Mellor et al., 2021, https://arxiv.org/abs/2006.04647, algorithm 2.
  """
  if num_candidates < population:
    raise ValueError(
      f'A population of {population} needs as many candidates, got '
      f'num_candidates={num_candidates}.'
    )
  scored = proxies.oriented(proxy, space)

  def best_candidates(key):
    sample_key, init_key, score_key = jax.random.split(key, 3)
    archs = jax.vmap(space.sample)(jax.random.split(sample_key, num_candidates))
    state = scored.init(init_key)
    scores = batching.map_archs(
      lambda arch, state: scored.score(score_key, state, arch),
      archs,
      batch_size,
      (state,),
    )
    _, best = jax.lax.top_k(ranking.finite_or_worst(scores), population)
    return jax.tree.map(lambda leaf: leaf[best], archs)

  strategy = evolution.regularized_evolution(
    space, population, tournament, first=best_candidates
  )
  return black_box.black_box(strategy, estimator, batch_size, archive_size)
