"""Kernels of architectures, for Gaussian processes.

N. Shervashidze et al., Weisfeiler-Lehman Graph Kernels, JMLR 2011,
https://jmlr.org/papers/v12/shervashidze11a.html, and N. M. Kriege, P.-L.
Giscard and R. Wilson, On Valid Optimal Assignment Kernels and Applications to
Graph Classification, 2016, https://arxiv.org/abs/1606.01141, on the
computational graph of an architecture as in B. Ru et al., Interpretable Neural
Architecture Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels
(NAS-BOWL), ICLR 2021, https://arxiv.org/abs/2006.07556:

  l_0(v) = operation of v
  l_{h+1}(v) = (l_h(v), multiset of l_h(u) for all u that v feeds)
  k(a, b) = sum_{h <= H} number of pairs of vertices with l_h(v) = l_h(w)

Deviations
  * Labels are 32-bit hashes instead of entries of a dictionary, so that they
    are computed where the architectures are: on the device, inside `jit`. A
    multiset is hashed by the sum of its members' hashes. Two labels are taken
    for one with probability 2^-32.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.types import Arch, Space


class Kernel(NamedTuple):
  """A family of positive semi-definite functions of two architectures.

  Attributes:
    features: `(arch) -> features`, what the kernel reads of one architecture.
    gram: `(setting, features [A, ...], features [B, ...]) -> f32[A, B]`, one
      for equal architectures.
    settings: the settings to choose among, stacked: pytree of `[G, ...]`.
  """

  features: Callable[[Arch], Any]
  gram: Callable[[Any, Any, Any], jax.Array]
  settings: Any


def squared_exponential(
  features: Callable[[Arch], jax.Array], lengthscales: Sequence[float]
) -> Kernel:
  """Return `k(a, b) = exp(-|x_a - x_b|^2 / (2 lengthscale))` of features.

  Args:
    features: `(arch) -> f32[F]`.
    lengthscales: in squares of distances; the settings.

  Returns:
    The kernel.
  """

  def gram(lengthscale, a, b):
    squares = jnp.sum(a**2, -1)[:, None] + jnp.sum(b**2, -1)[None, :]
    return jnp.exp(-(squares / 2 - a @ b.T) / lengthscale)

  return Kernel(features, gram, jnp.asarray(lengthscales, jnp.float32))


def hamming(
  space: Space, lengthscales: Sequence[float] = (0.5, 1.0, 2.0, 4.0, 8.0)
) -> Kernel:
  """Return `k(a, b) = exp(-d / lengthscale)` of d decisions that differ.

  For one-hot features d is half their squared distance, which relaxed
  architectures have too.

  Args:
    space: its `encode` must be one-hot, as that of categorical spaces.
    lengthscales: in decisions; the settings.

  Returns:
    The kernel.
  """
  return squared_exponential(space.encode, lengthscales)


def _mix(x):
  """The finaliser of MurmurHash3: a bijection of u32 in which all bits mix."""
  x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
  x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
  return x ^ (x >> 16)


def labels(graph: Any, depth: int) -> jax.Array:
  """Return the Weisfeiler-Lehman labels of the vertices of a graph.

  Args:
    graph: with fields `adjacency` `[N, N]` (non-zero where the row's vertex
      feeds the column's), `op` `int32[N]` and `mask` `[N]` (zero for padding).
    depth: H, rounds of relabelling.

  Returns:
    `u32[H + 1, N]`, zero for padding.
  """
  is_vertex = jnp.asarray(graph.mask) > 0
  feeds = (jnp.asarray(graph.adjacency) != 0) & is_vertex[None, :]
  salt = jnp.uint32(0x9E3779B9)

  def valid(label):
    return jnp.where(is_vertex, jnp.maximum(label, 1), jnp.uint32(0))

  label = valid(_mix(jnp.asarray(graph.op).astype(jnp.uint32) + salt))
  rounds = [label]
  for _ in range(depth):
    members = jnp.where(feeds, _mix(label + salt)[None, :], jnp.uint32(0))
    multiset = jnp.sum(members, axis=1, dtype=jnp.uint32)
    label = valid(_mix(3 * label + _mix(multiset + salt)))
    rounds.append(label)
  return jnp.stack(rounds)


def _matches(a, b, assignment):
  """Equal labels of all pairs of graphs, `f32[A, B, H + 1]`."""
  equal = a[:, None, :, :, None] == b[None, :, :, None, :]
  equal &= a[:, None, :, :, None] > 0
  if not assignment:
    return jnp.sum(equal, axis=(3, 4), dtype=jnp.float32)
  # A vertex finds a partner if b has more of its label than come before it.
  same = (a[..., :, None] == a[..., None, :]).astype(jnp.int32)
  rank = jnp.sum(jnp.tril(same, -1), axis=-1)
  found = jnp.sum(equal, axis=4) > rank[:, None]
  return jnp.sum(found, axis=3, dtype=jnp.float32)


def weisfeiler_lehman(
  graph: Callable[[Arch], Any],
  depths: Sequence[int] = (1, 2, 3),
  assignment: bool = False,
) -> Kernel:
  """Return the normalised subtree kernel `k(a, b) / sqrt(k(a, a) k(b, b))`.

  Args:
    graph: `(arch) -> graph`, see `labels`; all graphs have N places.
    depths: H, rounds of relabelling; the settings. NAS-BOWL chooses among
      1, 2 and 3.
    assignment: whether each vertex counts for one partner only: of n and m
      vertices of a label not n m pairs match, but min(n, m). NAS-BOWL does so
      on NAS-Bench-101.

  Returns:
    The kernel. Graphs that differ in the numbering of vertices only are equal.

  Raises:
    ValueError: if a depth is negative.

  References:
    Shervashidze et al., 2011, section 3.2; Kriege et al., 2016, section 4.2;
    Ru et al., 2021, section 3.
  """
  if not depths or min(depths) < 0:
    raise ValueError(f'depths are counts of rounds, at least 0, got {depths}.')
  deepest = max(depths)
  included = np.arange(deepest + 1)[None] <= np.asarray(depths)[:, None]

  def features(arch):
    return labels(graph(arch), deepest)

  def gram(weights, a, b):
    count = lambda x, y: _matches(x, y, assignment) @ weights
    own = lambda x: jax.vmap(lambda row: count(row[None], row[None])[0, 0])(x)
    return count(a, b) / jnp.sqrt(own(a)[:, None] * own(b)[None, :])

  return Kernel(features, gram, jnp.asarray(included, jnp.float32))
