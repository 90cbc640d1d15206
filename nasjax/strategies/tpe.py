"""TPE: propose what is dense among good architectures, and rare among bad.

J. Bergstra, R. Bardenet, Y. Bengio and B. Kegl, Algorithms for Hyper-Parameter
Optimization, NIPS 2011, section 4: of candidates drawn from the density l of
good architectures, the one of the highest l / g. The densities, and how they
differ from the paper's, are in `estimators.parzen`.

Deviations
  * What was told already is not proposed again.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from nasjax import archive
from nasjax.estimators import parzen
from nasjax.spaces import decisions
from nasjax.strategies import model_based
from nasjax.types import Arch, Key, Space, Strategy

Contains = Callable[[Arch], jax.Array]
Propose = Callable[[Key, parzen.Parzen, archive.Archive], Arch]


def proposer(
  space: Space,
  num_candidates: int = 64,
  bandwidth_factor: float = 1.0,
  random_fraction: float = 0.0,
  contains: Contains | None = None,
) -> Propose:
  """Return the function that proposes an architecture of high `l / g`.

  Args:
    space: the space.
    num_candidates: architectures drawn from l.
    bandwidth_factor: of l while drawing. BOHB's 3 is for continuous
      parameters: its authors' code leaves choices alone, and three times
      h_min = 0.3 is already the uniform distribution.
    random_fraction: probability of a proposal that the space draws.
    contains: `(arch) -> bool[]`, where not all combinations of choices are in
      the space.

  Returns:
    `(key, model, told) -> arch`; what the space draws where all candidates
    were told already or are outside.

  Raises:
    ValueError: if `contains` is missing, or a number cannot be.
  """
  num_combinations = decisions.num_combinations(space.mask)
  if contains is None and space.size != num_combinations:
    raise ValueError(
      f'The mask of this space has {num_combinations} combinations, but its '
      f'size is {space.size}: TPE needs `contains` to know the right ones.'
    )
  if num_candidates < 1 or not 0 <= random_fraction <= 1:
    raise ValueError(
      'TPE needs num_candidates >= 1 and 0 <= random_fraction <= 1, got '
      f'num_candidates={num_candidates}, random_fraction={random_fraction}.'
    )
  ratio = parzen.parzen(space, 1).score

  def propose(key, model, told):
    draw_key, sample_key, random_key = jax.random.split(key, 3)
    candidates = jax.vmap(
      lambda key: parzen.draw(
        key, model.good, model.archs, space.mask, bandwidth_factor
      )
    )(jax.random.split(draw_key, num_candidates))
    is_new = ~archive.contains(told, candidates)
    if contains is not None:
      is_new &= jax.vmap(contains)(candidates)
    scores = jax.vmap(lambda arch: ratio(key, model, arch))(candidates)
    best = jnp.argmax(jnp.where(is_new, scores, -jnp.inf))
    is_random = jax.random.uniform(random_key) < random_fraction
    is_random |= ~is_new[best]
    return jax.tree.map(
      lambda drawn, leaf: jnp.where(is_random, drawn, leaf[best]),
      space.sample(sample_key),
      candidates,
    )

  return propose


def tpe(
  space: Space,
  num_initial: int = 20,
  batch_size: int = 1,
  capacity: int = 1024,
  top: float = 0.15,
  min_bandwidth: float = 0.3,
  num_candidates: int = 64,
  bandwidth_factor: float = 1.0,
  random_fraction: float = 0.0,
  contains: Contains | None = None,
) -> Strategy:
  """Propose the candidate of the highest ratio of densities.

  Example:
    >>> from nasjax.spaces import nasbench201
    >>> strategy = tpe(nasbench201.nasbench201())

  Args:
    space: the space.
    num_initial: random architectures before the first fit.
    batch_size: B, architectures of one proposal, each the best of candidates
      of its own.
    capacity: architectures that can be told before the oldest are forgotten.
    top: q, the fraction of good ones.
    min_bandwidth: h_min.
    num_candidates: architectures drawn from l for each proposal.
    bandwidth_factor: see `proposer`.
    random_fraction: see `proposer`.
    contains: see `proposer`.

  Returns:
    The strategy.

  Raises:
    ValueError: if `contains` is missing, or numbers cannot be.

  References:
    Bergstra et al., Algorithms for Hyper-Parameter Optimization, NIPS 2011.
  """
  propose = proposer(
    space, num_candidates, bandwidth_factor, random_fraction, contains
  )

  def propose_all(key, model, told):
    keys = jax.random.split(key, batch_size)
    return jax.vmap(lambda key: propose(key, model, told))(keys)

  return model_based.model_based(
    space,
    parzen.parzen(space, capacity, top, min_bandwidth),
    propose_all,
    num_initial,
    batch_size,
    capacity,
  )
