"""What a search does to the wiring of its cells, while it runs.

S. Xie, S. Hu, X. Wang, C. Liu, J. Shi, X. Liu and D. Lin, Understanding the
wiring evolution in differentiable neural architecture search, AISTATS 2021,
https://arxiv.org/abs/2009.01272. Its three patterns are read from the metrics:

  growing   `active_mass` falls, then rises: `lowest_mass` is below both ends
  width     edges from inputs are recovered, intermediate ones later or never:
            `edge*_recovered`
  failure   every edge ends at `none`: `active_mass` near 0, `num_active` 0

and so is the reason, the sign of `*_excess`, see `estimators.edge_costs`.
"""

from collections.abc import Callable
import functools
from typing import Any, NamedTuple

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np
import optax

from nasjax.distributions import logits as logits_lib
from nasjax.estimators import edge_costs
from nasjax.networks import loss as losses
from nasjax.searches import run
from nasjax.spaces import separate_cells
from nasjax.spaces import wiring as wiring_lib
from nasjax.types import Arch, Distribution, Search, Space, State


class Traced(NamedTuple):
  """A search, and what became of its edges; an update number of 0 is never."""

  search: State
  updates: jax.Array  # i32[] done
  lowest_mass: jax.Array  # f32[] of `WiringStats.active_mass`
  dropped: jax.Array  # i32[E] first update after which `none` was strongest
  recovered: jax.Array  # i32[E] first update after that, after which it was not


def probabilities(space: Space) -> Callable[[Traced], Arch]:
  """Return `(state) -> weights of all choices`, for snapshots of `traced`.

  Args:
    space: of the search.
  """
  return lambda state: logits_lib.probabilities(
    state.search.arch_params, space.mask
  )


def _of_edges(name, values):
  return {f'edge{e}_{name}': value for e, value in enumerate(values)}


def traced(
  search: Search, space: Space, kind: str = 'normal', none: int = 0
) -> Search:
  """Follow the edges of a kind of cell through a search.

  Args:
    search: one whose states have `arch_params` that are logits, `run.epochs` of
      a `systems.wiring` say.
    space: of the search.
    kind: leaf of the architecture.
    none: the choice that drops an edge.

  Returns:
    The search, with states `Traced`. Its metrics also hold the numbers of
    `wiring_stats` and, for every edge, p_none and the numbers of the updates
    after which it was dropped and recovered (NaN for never).
  """

  def stats(state):
    weights = logits_lib.probabilities(state.arch_params, space.mask)[kind]
    return wiring_lib.wiring_stats(weights, none=none), weights

  def init(key):
    state = search.init(key)
    found, weights = stats(state)
    dropped = jnp.zeros(len(weights), jnp.int32)
    return Traced(
      state, jnp.zeros((), jnp.int32), found.active_mass, dropped, dropped
    )

  def update(key, state, batch):
    inner, metrics = search.update(key, state.search, batch)
    found, weights = stats(inner)
    active = jnp.argmax(weights, axis=-1) != none
    now = state.updates + 1
    first = lambda seen, event: jnp.where((seen == 0) & event, now, seen)
    recovered = first(state.recovered, active & (state.dropped > 0))
    dropped = first(state.dropped, ~active)
    lowest = jnp.minimum(state.lowest_mass, found.active_mass)
    numbers = found._asdict()
    metrics = dict(
      metrics,
      lowest_mass=lowest,
      num_active=jnp.sum(active),
      mean_entropy=jnp.mean(numbers.pop('entropy')),
      **_of_edges('none', numbers.pop('none')),
      **_of_edges('dropped', _or_never(dropped)),
      **_of_edges('recovered', _or_never(recovered)),
      **numbers,
    )
    return Traced(inner, now, lowest, dropped, recovered), metrics

  def best(key, state):
    return search.best(key, state.search)

  return Search(init, update, best)


def _or_never(update):
  return jnp.where(update > 0, update, jnp.nan)


def _unnormalised(network):
  """Return where an operation passes the scale of a node on: `f32[E, K]`."""
  names = np.array(network.operations)
  passes = names == 'skip_connect'
  if not network.pool_norm:
    passes |= np.char.endswith(names, 'pool_3x3')
  inner = np.array([source >= 2 for source, _ in network.edges])
  return (inner[:, None] & passes).astype(np.float32)


def costs(
  network: Any,
  distribution: Distribution,
  batches: run.Batches,
  steering: str = 'train',
  num_samples: int = 1,
  kind: str = 'normal',
) -> run.Observe:
  """Return the measurement of edge costs and of their reason, on fixed batches.

  For `run.epochs`. Per part of the batches: `*_excess`, the mean of L - H, and
  `*_costs_excess`, which is the same by the identity of the last cell (see
  `estimators.edge_costs`): all costs of its edges but those of unnormalised
  operations between nodes. Of the part that steers the search: the cost of
  every edge, added up over cells, and `*_fidelity`, how well costs tell what
  the loss owes to edges.

  Args:
    network: a `Darts` network whose last cell takes the leaf.
    distribution: that of the search.
    batches: `(key, t) -> dict of parts`, each `dict(image, label)` of the same
      size; the first is taken.
    steering: the part whose loss the architecture descends.
    num_samples: architectures drawn, the same for all parts.
    kind: leaf of the architecture.

  Returns:
    `(key, state) -> metrics` of states with `weights` and `arch_params`.

  Raises:
    ValueError: if there is no such part, or the last cell is of another kind.

  References:
    Xie et al., 2021.
  """
  parts = batches(jax.random.key(0), 0)
  names = list(parts)
  if steering not in parts:
    raise ValueError(
      f'Unknown part {steering!r} of the batches. Known: '
      f'{", ".join(sorted(parts))}.'
    )
  if network.kinds[-1] != kind:
    raise ValueError(
      f'The last cell takes {network.kinds[-1]!r}, not {kind!r}.'
    )
  of_kind = np.array(network.kinds) == kind
  unnormalised = _unnormalised(network)
  untied = network.clone(cells=tuple(range(network.num_cells)))

  def loss(weights, arch, key, batch):
    del key
    logits = untied.apply({'params': weights}, arch, batch['image'])
    value = optax.losses.softmax_cross_entropy_with_integer_labels(
      logits, batch['label']
    )
    excess = losses.excess(logits, batch['label'])
    return jnp.mean(value), {'excess': jnp.mean(excess)}

  measure = edge_costs.edge_costs(loss)
  left_out = edge_costs.leave_one_out(loss)

  def of_sample(state, key):
    arch = distribution.sample(key, state.arch_params)
    arch = separate_cells.untie(arch, network.kinds)
    found, metrics = lax.map(  # one program for all parts
      lambda batch: measure(state.weights, arch, None, batch),
      jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts.values()),
    )
    last = found['cells'][:, -1]  # [parts, E, K]
    summed = jnp.tensordot(last, 1 - unnormalised, 2)
    steered = jax.tree.map(lambda leaf: leaf[names.index(steering)], found)
    owed = left_out(state.weights, arch, None, parts[steering])
    return {
      **dict(zip([f'{name}_excess' for name in names], metrics['excess'])),
      **dict(zip([f'{name}_costs_excess' for name in names], summed)),
      f'{steering}_fidelity': edge_costs.fidelity(steered, owed),
      **_of_edges('cost', steered['cells'][of_kind].sum((0, 2))),
    }

  def observe(key, state):
    drawn = lax.map(
      functools.partial(of_sample, state), jax.random.split(key, num_samples)
    )
    return jax.tree.map(lambda x: jnp.mean(x, axis=0), drawn)

  return observe
