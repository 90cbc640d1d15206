"""A distribution restricted to a subspace, which may change while it runs.

A subspace is a mask. `space.restrict` fixes one when a distribution is built;
here it may also be an array of a jitted program, so that one program searches
many subspaces, as in pruning (RADARS) or few-shot splitting.
"""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.distributions import logits as logits_lib
from nasjax.types import Arch, Distribution, Key, Mask, Params


def _check(mask: Mask) -> None:
  for leaf in jax.tree.leaves(mask):
    if isinstance(leaf, jax.core.Tracer):
      continue
    leaf = np.asarray(leaf)
    if not np.all(np.any(leaf, -1)):
      raise ValueError(
        'The mask leaves no choice for the decisions '
        f'{np.argwhere(~np.any(leaf, -1)).tolist()} of a leaf of shape '
        f'{leaf.shape}.'
      )


def masked(distribution: Distribution, mask: Mask) -> Distribution:
  """Return the distribution given that all choices are in the mask.

  Masked choices have weight, probability and gradient zero; the others are
  renormalised. Masks add up: those of the space and of several `masked` are
  ANDed. The params stay those of the distribution.

  Args:
    distribution: one whose params have logits of the mask's structure and
      shapes, as they are or in a field; all of `nasjax.distributions` do.
    mask: pytree of `bool[D, K]`, traced or not. At least one choice that the
      distribution allows must be left to each decision.

  Returns:
    The restricted distribution.

  Raises:
    ValueError: if the distribution has no such logits, or a decision has no
      choice.
  """
  _check(mask)
  structure = jax.tree.structure(mask)
  shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(mask)]

  def is_logits(node):
    return (
      jax.tree.structure(node) == structure
      and [jnp.shape(leaf) for leaf in jax.tree.leaves(node)] == shapes
    )

  def restrict(params):
    return jax.tree.map(
      lambda node: (
        logits_lib.apply_mask(node, mask) if is_logits(node) else node
      ),
      params,
      is_leaf=is_logits,
    )

  params = jax.eval_shape(distribution.init, jax.random.key(0))
  if not any(map(is_logits, jax.tree.leaves(params, is_leaf=is_logits))):
    raise ValueError(
      f'The mask has the shapes {jax.tree.map(jnp.shape, mask)}, but the '
      'distribution has no such logits: its params have the shapes '
      f'{jax.tree.map(lambda leaf: leaf.shape, params)}.'
    )

  def sample(key: Key, params: Params) -> Arch:
    return distribution.sample(key, restrict(params))

  def log_prob(params: Params, arch: Arch) -> jax.Array:
    return distribution.log_prob(restrict(params), arch)

  def mode(params: Params) -> Arch:
    return distribution.mode(restrict(params))

  return Distribution(distribution.init, sample, log_prob, mode)
