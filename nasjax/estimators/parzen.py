"""Parzen estimators of a density: good architectures against bad ones.

J. Aitchison and C. G. G. Aitken, Multivariate Binary Discrimination by the
Kernel Method, Biometrika 1976; as the model of J. Bergstra, R. Bardenet, Y.
Bengio and B. Kegl, Algorithms for Hyper-Parameter Optimization, NIPS 2011,
section 4, in the form of S. Falkner, A. Klein and F. Hutter, BOHB: Robust and
Efficient Hyperparameter Optimization at Scale, ICML 2018,
https://arxiv.org/abs/1807.01774, section 3.2.

Of n results of architectures of D decisions, with N_min = D + 1,
  good: the best  n_l = max(N_min, floor(q n)),
  bad:  the worst n_g = max(N_min, n - n_l); the sets overlap where n is small.
Each has a density, l or g: the mean over its members y of the kernel
  k(x, y) = prod_d (1 - h_d if x_d = y_d else h_d / (K_d - 1)),
  h_d = min(max(1.06 s_d n^(-1 / (4 + D)), h_min), (K_d - 1) / K_d).
The score is log l - log g: what maximises l / g maximises the expected
improvement (Bergstra et al., section 4.1).

Deviations
  * The kernel is one of all decisions, as in BOHB; Bergstra et al. have a
    density of each decision alone.
  * s_d is the deviation of distances between choices, which are 0 or 1:
    s^2 = (1 - sum_k p_k^2) / 2, for two choices that of their numbers. BOHB's
    code takes that of the numbers always, which depends on their order.
  * h is at most that of the uniform kernel, and K counts the choices that the
    space allows. In BOHB's code h may exceed 1, and K is what was seen.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import archive
from nasjax.types import Arch, Estimator, Key, Mask, Space


class Density(NamedTuple):
  """A mean of kernels."""

  weights: jax.Array  # f32[N] 1 / n of its members, 0 for others
  bandwidths: Any  # pytree of f32[D], h


class Parzen(NamedTuple):
  """The densities of good and of bad architectures."""

  archs: Arch  # [N, ...] the centres of the kernels
  good: Density
  bad: Density


def min_points(mask: Mask) -> int:
  """Return `N_min = D + 1`, the fewest members of a density."""
  return 1 + sum(leaf[..., 0].size for leaf in jax.tree.leaves(mask))


def _bandwidths(archs, weights, num, mask, min_bandwidth):
  """Return h of every decision, pytree of `f32[D]`."""
  exponent = -1 / (3 + min_points(mask))

  def of_leaf(allowed, leaf):
    chosen = jax.nn.one_hot(leaf, allowed.shape[-1])
    frequencies = jnp.tensordot(weights, chosen, 1)
    # Rounding may put the sum above 1 where all made the same choice.
    spread = jnp.sqrt(jnp.maximum(1 - jnp.sum(frequencies**2, -1), 0.0) / 2)
    h = 1.06 * spread * jnp.maximum(num, 1.0) ** exponent
    counts = allowed.sum(-1)
    return jnp.minimum(jnp.maximum(h, min_bandwidth), (counts - 1) / counts)

  return jax.tree.map(of_leaf, mask, archs)


def fit(
  told: archive.Archive,
  mask: Mask,
  top: float = 0.15,
  min_bandwidth: float = 0.3,
) -> Parzen:
  """Return the densities of what was told.

  Args:
    told: values `[N]`; those that are not finite are left out.
    mask: pytree of `bool[D, K]`, the choices of the space.
    top: q, the fraction of good ones.
    min_bandwidth: h_min.

  Returns:
    The densities; empty ones where nothing was told.
  """
  is_told = jnp.isfinite(told.values)
  num = jnp.sum(is_told)
  order = jnp.argsort(jnp.where(is_told, -told.values, jnp.inf))
  ranks = jnp.argsort(order)
  fewest = min_points(mask)
  num_good = jnp.maximum(fewest, jnp.floor(top * num).astype(jnp.int32))
  num_bad = jnp.maximum(fewest, num - num_good)

  def density(members):
    members &= is_told
    size = jnp.sum(members)
    weights = members / jnp.maximum(size, 1)
    h = _bandwidths(told.archs, weights, size, mask, min_bandwidth)
    return Density(weights, h)

  return Parzen(
    told.archs, density(ranks < num_good), density(ranks >= num - num_bad)
  )


def log_density(
  density: Density, archs: Arch, arch: Arch, mask: Mask
) -> jax.Array:
  """Return the logarithm of a density at an architecture, `f32[]`.

  Args:
    density: a mean of kernels.
    archs: the centres of the kernels, pytree of `[N, D]`.
    arch: an architecture of the space, as index choices.
    mask: pytree of `bool[D, K]`, the choices of the space.

  Returns:
    `log sum_n weight_n k(arch, arch_n)`; the lowest finite number where the
    density is empty.
  """

  def of_leaf(allowed, h, centres, leaf):
    others = np.maximum(allowed.sum(-1) - 1, 1)
    logs = jnp.where(
      centres == leaf[None], jnp.log1p(-h)[None], jnp.log(h / others)[None]
    )
    return jnp.sum(logs, axis=tuple(range(1, logs.ndim)))

  kernels = jax.tree.map(of_leaf, mask, density.bandwidths, archs, arch)
  total = jax.nn.logsumexp(sum(jax.tree.leaves(kernels)), b=density.weights)
  return jnp.maximum(total, jnp.finfo(jnp.float32).min)


def draw(
  key: Key, density: Density, archs: Arch, mask: Mask, factor: float = 1.0
) -> Arch:
  """Return an architecture drawn from a density with other bandwidths.

  Args:
    key: of the draw.
    density: a mean of kernels.
    archs: the centres of the kernels, pytree of `[N, D]`.
    mask: pytree of `bool[D, K]`, the choices of the space.
    factor: of the bandwidths, which stay at most those of uniform kernels.

  Returns:
    The architecture.
  """
  centre_key, choice_key = jax.random.split(key)
  centre = jax.random.categorical(centre_key, jnp.log(density.weights))
  leaves, structure = jax.tree.flatten(mask)
  keys = structure.unflatten(list(jax.random.split(choice_key, len(leaves))))

  def of_leaf(allowed, key, h, centres):
    counts = allowed.sum(-1)
    h = jnp.minimum(factor * h, (counts - 1) / counts)[..., None]
    others = jnp.where(allowed, h / np.maximum(counts - 1, 1)[..., None], 0.0)
    current = jax.nn.one_hot(centres[centre], allowed.shape[-1], dtype=bool)
    return jax.random.categorical(
      key, jnp.log(jnp.where(current, 1 - h, others))
    ).astype(centres.dtype)

  return jax.tree.map(of_leaf, mask, keys, density.bandwidths, archs)


def parzen(
  space: Space,
  capacity: int,
  top: float = 0.15,
  min_bandwidth: float = 0.3,
) -> Estimator:
  """Return the estimator whose score is `log l - log g`.

  Args:
    space: a space of choices.
    capacity: of the archive that `update` takes.
    top: q, the fraction of good ones.
    min_bandwidth: h_min.

  Returns:
    The estimator; `update` fits to an `archive.Archive`, 0 is the score before.
  """

  def init(key):
    empty = archive.create(space.sample(key), capacity)
    return fit(empty, space.mask, top, min_bandwidth)

  def update(key, state, told):
    del key, state
    num_told = jnp.sum(jnp.isfinite(told.values))
    return fit(told, space.mask, top, min_bandwidth), {'num_told': num_told}

  def score(key, state, arch):
    del key
    return log_density(state.good, state.archs, arch, space.mask) - (
      log_density(state.bad, state.archs, arch, space.mask)
    )

  return Estimator(init, update, score)
