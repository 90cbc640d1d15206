"""NASWOT: the best of N random networks by a score without training.

Mellor et al., Neural Architecture Search without Training, 2021,
https://arxiv.org/abs/2006.04647, algorithm 1:

  best = argmax_i score(a_i),   a_1, ..., a_N ~ uniform(space)

with log |det K| of the agreement of rectifiers for the score
(`estimators.zero_cost.naswot`) and the same weights and images for all. Any
other proxy takes its place. Its assisted evolution is
`systems.assisted_evolution`.
"""

from nasjax.estimators.zero_cost import proxy as proxies
from nasjax.systems import random_search
from nasjax.types import Search, Space


def naswot(
  space: Space,
  proxy: proxies.Proxy,
  num_samples: int = 10,
  batch_size: int | None = None,
  archive_size: int = 10,
) -> Search:
  """Score random architectures before any training and keep the best.

  Args:
    space: the space.
    proxy: the score, `zero_cost.naswot(network, batch)` in the paper.
    num_samples: architectures drawn, with replacement, in one update; the paper
      draws 10, 100 or 1000 in all.
    batch_size: architectures scored at once, see `batching.map_archs`.
    archive_size: architectures kept.

  Returns:
    The search; networks that cannot be scored never win.

  References:
    Mellor et al., 2021, https://arxiv.org/abs/2006.04647, algorithm 1.
  """
  return random_search.random_search(
    space,
    proxies.oriented(proxy, space),
    num_samples,
    batch_size=batch_size,
    archive_size=archive_size,
  )
