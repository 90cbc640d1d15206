"""Which architectures train the weights that they share, update by update.

A sampler is `(key) -> archs [B, ...]`: the children whose gradients are put
together in one update. It is all in which many methods with shared
weights differ, and `one_shot` takes any:

  uniform        random architectures (Guo et al., SPOS, 2020; Li and Talwalkar,
                 2019)
  strictly_fair  as many as a decision has options, each option in one of them
                 (Chu et al., FairNAS, 2021)
  sandwich       the biggest, the smallest and random ones (Yu and Huang, 2019)
  from_policy    those that a learned distribution draws (Pham et al., ENAS,
                 2018)

Subspaces need no sampler of their own: `uniform(subspaces.within(space, mask))`
draws from the choices of a mask, which may be an array of a jitted program.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import decisions
from nasjax.types import Arch, Distribution, Key, Params, Space

Sampler = Callable[[Key], Arch]


def _keys(key, num_archs):
  if num_archs < 1:
    raise ValueError(f'An update needs an architecture, got {num_archs}.')
  return key[None] if num_archs == 1 else jax.random.split(key, num_archs)


def uniform(space: Space, num_archs: int = 1) -> Sampler:
  """Return the sampler of independent architectures of a space.

  Args:
    space: whose `sample` draws them.
    num_archs: B, architectures of one update.

  Returns:
    The sampler.

  References:
    Guo et al., Single Path One-Shot Neural Architecture Search with Uniform
    Sampling, 2020, https://arxiv.org/abs/1904.00420.
  """

  def sample(key):
    return jax.vmap(space.sample)(_keys(key, num_archs))

  return sample


def strictly_fair(space: Space) -> Sampler:
  """Return the sampler that uses every option once in every update.

  With m options a decision it draws m architectures: of each decision a random
  order of its options, independent of those of other decisions, and the j-th
  architecture takes the j-th of each.

  Args:
    space: of independent choices, with equally many of every decision.

  Returns:
    The sampler, of B = m architectures.

  Raises:
    ValueError: if decisions differ in the number of options, or depend on each
      other.

  References:
    Chu, Zhang and Xu, FairNAS: Rethinking Evaluation Fairness of Weight Sharing
    Neural Architecture Search, 2021, https://arxiv.org/abs/1907.01845.
  """
  allowed = decisions.join_masks(space.mask)
  counts = sorted(set(allowed.sum(-1).tolist()))
  if len(counts) > 1 or space.size != decisions.num_combinations(space.mask):
    raise ValueError(
      'Strict fairness needs a space of independent choices with equally many '
      f'for every decision; here decisions have {counts} options, and the '
      f'space {space.size} architectures of '
      f'{decisions.num_combinations(space.mask)} combinations.'
    )
  options = np.nonzero(allowed)[1].reshape(len(allowed), counts[0])

  def sample(key):
    order = jnp.argsort(jax.random.uniform(key, options.shape), axis=-1)
    rows = jnp.take_along_axis(jnp.asarray(options, jnp.int32), order, axis=-1)
    return jax.vmap(lambda row: decisions.split(row, space.mask))(rows.T)

  return sample


def sandwich(space: Space, ends: Sequence[Arch], num_random: int) -> Sampler:
  """Return the sampler of some fixed architectures and random ones.

  Args:
    space: where random architectures are drawn from.
    ends: the fixed ones, the biggest first.
    num_random: random ones of an update.

  Returns:
    The sampler.

  Raises:
    ValueError: if there is none of either kind.

  References:
    Yu and Huang, Universally Slimmable Networks and Improved Training
    Techniques, 2019, https://arxiv.org/abs/1903.05134.
  """
  if num_random < 1 or not ends:
    raise ValueError(
      'A sandwich needs fixed architectures and random ones, got '
      f'{len(ends)} and {num_random}.'
    )

  def sample(key):
    random = jax.vmap(space.sample)(jax.random.split(key, num_random))
    fixed = jax.tree.map(lambda *leaves: jnp.stack(leaves), *ends)
    return jax.tree.map(lambda *x: jnp.concatenate(x), fixed, random)

  return sample


def from_policy(
  distribution: Distribution, params: Params, num_archs: int = 1
) -> Sampler:
  """Return the sampler of a distribution as it is.

  Args:
    distribution: whose samples are index choices.
    params: of it; arrays of a jitted program where a policy learns.
    num_archs: B, architectures of one update.

  Returns:
    The sampler.

  References:
    Pham et al., Efficient Neural Architecture Search via Parameter Sharing,
    2018, https://arxiv.org/abs/1802.03268.
  """

  def sample(key):
    draw = lambda key: distribution.sample(key, params)
    return jax.vmap(draw)(_keys(key, num_archs))

  return sample
