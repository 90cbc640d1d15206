"""TE-NAS: prune a supernet by trainability and expressivity, without training.

Chen, Gong, Wang, Neural Architecture Search on ImageNet in Four GPU Hours,
2021, https://arxiv.org/abs/2102.11535, algorithm 1 and section 3.3. For every
operation left on an edge with others, at `num_repeats` draws of the weights,

  dN = (N(supernet) - N(without it)) / N(supernet),   N the condition number
  dR = (R(supernet) - R(without it)) / R(supernet),   R the number of regions

Operations are ranked by dN, highest first, and by dR, lowest first; on every
edge the `prune_number` with the lowest sums of ranks go. When every edge has
one operation left, edges of each group in `groups` are pruned to `num_kept` by
the same ranking, one group an update.

Deviations
  * All candidates of an update see the same draws of the weights, so the
    supernet is measured once a draw; the authors draw anew for each candidate.
  * Equal sums of ranks are decided by position, not by the rank of dN.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from nasjax import batching
from nasjax.estimators.zero_cost import proxy as proxies
from nasjax.searches import pruning
from nasjax.types import Mask, Search, Space


class Pruning(NamedTuple):
  """What is left of the supernet."""

  mask: Mask  # of bool[D, K]


def te_nas(
  space: Space,
  trainability: proxies.Proxy,
  expressivity: proxies.Proxy,
  *,
  none: int | None = 0,
  prune_number: int = 1,
  num_repeats: int = 3,
  groups: Sequence[tuple[int, int]] = (),
  num_kept: int = 2,
  digits: int = 3,
) -> Search:
  """Prune operations until one is left on every edge.

  Args:
    space: the space; all its decisions have the same options.
    trainability: lower is better; the condition number of a thick network.
    expressivity: higher is better; the linear regions of a thin network.
    none: the option for no connection, pruned before all; None without one.
    prune_number: options pruned on every edge in an update (authors: 1 on
      NAS-Bench-201; on DARTS cells 3 for CIFAR-10, 2 for ImageNet).
    num_repeats: draws of the weights (authors: 3).
    groups: `(start, stop)` of edges, of all leaves one after another; for DARTS
      cells (2, 5), (5, 9), (9, 14) and the same 14 further.
    num_kept: edges kept of a group (authors: 2).
    digits: to which changes are rounded (authors: 3).

  Returns:
    The search, without batches. `best` has the first option left of every
    decision, `none` where all went.

  References:
    Chen et al., TE-NAS, 2021, https://arxiv.org/abs/2102.11535, algorithm 1.
  """
  leaves, treedef = jax.tree.flatten(space.mask)
  cuts = np.cumsum([len(leaf) for leaf in leaves])[:-1]
  flat = lambda mask: jnp.concatenate(jax.tree.leaves(mask))
  unflat = lambda rows: jax.tree.unflatten(treedef, jnp.split(rows, cuts))

  def init(key):
    del key
    left = flat(jax.tree.map(jnp.asarray, space.mask))
    if none is not None:
      only = jnp.sum(left, axis=1) == 1
      left = left.at[:, none].set(left[:, none] & only)
    return batching.place(Pruning(unflat(left)), left.size + 1)

  def measure(key, left):
    """Changes of N and R by every candidate at one draw, `f32[2, E, K]`."""
    proxy_key, *keys = jax.random.split(key, 3)
    eligible = pruning.may_go(left, groups, num_kept)

    arch = jax.tree.map(lambda rows: rows / rows.shape[1], space.mask)
    weights = trainability.init(keys[0], arch), expressivity.init(keys[1], arch)

    def values(rest, weights, key):
      count = jnp.maximum(jnp.sum(rest, axis=1, keepdims=True), 1)
      arch = unflat(rest / count.astype(jnp.float32))
      both = zip((trainability, expressivity), weights)
      return jnp.stack([p.raw(key, w, arch) for p, w in both])

    def without(candidate, left, weights, key):
      i, is_eligible = candidate
      others = (np.arange(left.size) != i).reshape(left.shape)
      return lax.cond(
        is_eligible,
        lambda: values(left & others, weights, key),
        lambda: jnp.zeros(2),
      )

    # The first one goes without nothing: the supernet.
    is_measured = jnp.concatenate([jnp.ones(1, bool), eligible.ravel()])
    candidates = jnp.arange(-1, left.size), is_measured
    measured = batching.map_archs(
      without, candidates, shared=(left, weights, proxy_key)
    )
    whole = measured[0]
    changes = (whole[None] - measured[1:]) / whole[None]
    changes = jnp.round(jnp.nan_to_num(changes), digits)
    return changes.T.reshape(2, *left.shape), whole

  def update(key, state, batch):
    del batch
    left = flat(state.mask)
    keys = jax.random.split(key, num_repeats)
    changes, whole = lax.map(lambda key: measure(key, left), keys)
    by_condition, by_regions = jnp.mean(changes, axis=0)
    eligible = pruning.may_go(left, groups, num_kept)
    sums = pruning.dense_ranks(-by_condition, eligible)
    sums += pruning.dense_ranks(by_regions, eligible)
    left = pruning.prune(left, sums, prune_number, groups, num_kept)
    condition, regions = jnp.mean(whole, axis=0)
    return Pruning(unflat(left)), {
      'condition_number': condition,
      'linear_regions': regions,
      'num_left': jnp.sum(left),
    }

  def best(key, state):
    del key
    other = 0 if none is None else none

    def first(left):
      index = jnp.argmax(left, axis=1).astype(jnp.int32)
      return jnp.where(jnp.any(left, axis=1), index, other)

    return jax.tree.map(first, state.mask)

  return Search(init, update, best)
