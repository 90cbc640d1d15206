"""Samples of few options, so that networks compute no others.

The choice is `choice.Sparse`. It changes nothing where a distribution has no
more than J weights that are not zero: one for one-hot samples with a
straight-through gradient, those that are left for masked ones.
"""

from nasjax import choice
from nasjax.types import Arch, Distribution, Key, Params


def sparse(distribution: Distribution, num_options: int) -> Distribution:
  """Return the distribution whose samples keep the J largest weights.

  Weights that go have no gradient of their own; those that stay are not
  normalised anew. Decisions of no more than J options stay dense.

  Args:
    distribution: with relaxed samples, pytree of `f32[D, K]`.
    num_options: J.

  Returns:
    The distribution; its samples are pytrees of `choice.Sparse`.
  """

  def sample(key: Key, params: Params) -> Arch:
    return choice.sparse(distribution.sample(key, params), num_options)

  return distribution._replace(sample=sample)
