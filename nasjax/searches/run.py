"""Whole searches as one program, and searches made of searches.

The keys of a run are `split(key, 3)`: one for `init`, one for the batches,
`batches(key, t)`, and one that is folded with t for step t. So a run may be cut
anywhere and continued with the same result, and a `vmap` of `run` over keys is
hundreds of seeds in one program.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from nasjax import batching
from nasjax.estimators import combine
from nasjax.types import Arch, Batch, Estimator, Key, Metrics, Search, State

Batches = Callable[[Key, jax.Array], Batch]
Observe = Callable[[Key, State], Metrics]


def run(
  key: Key,
  search: Search,
  batches: Batches | None,
  num_steps: int,
  state: State | None = None,
  start: int | jax.Array = 0,
) -> tuple[State, Metrics]:
  """Run a search from step `start` for a number of steps.

  Example:
    `jax.vmap(lambda key: run(key, search, None, 300))(keys)` runs one seed a
    key. `batching.map_archs` in the place of `jax.vmap` spreads the seeds over
    the local devices, a block of `batch_size` seeds on each.

  Args:
    key: the key of the run, the same for all of its parts.
    search: the search.
    batches: `(key, t) -> batch`, or None for a search without data.
    num_steps: T, number of updates.
    state: where to continue; None to begin with `search.init`.
    start: t of the first update.

  Returns:
    The final state, and the metrics stacked over steps, `[T, ...]`.
  """
  init_key, batch_key, step_key = jax.random.split(key, 3)
  steps = start + jnp.arange(num_steps)
  # All keys are drawn at once: a loop would draw them one by one.
  step_keys = jax.vmap(jax.random.fold_in, (None, 0))(step_key, steps)

  def step(state, inputs):
    t, key = inputs
    batch = None
    if batches is not None:
      batch = batches(batch_key, t)
    return search.update(key, state, batch)

  return jax.lax.scan(
    step, search.init(init_key) if state is None else state, (steps, step_keys)
  )


def from_search(
  search: Callable[[Arch], Search],
  num_steps: int,
  value: Callable[[Metrics], jax.Array],
  batches: Batches | None = None,
) -> Estimator:
  """Return the estimator that scores by running a search.

  What is scored is whatever `search` is a function of: a mask, whose score is
  what a short search inside its subspace reaches.

  Args:
    search: `(arch) -> Search`; it is traced, so it takes arrays.
    num_steps: T, length of the search.
    value: `(metrics [T, ...]) -> f32[]`, higher is better.
    batches: `(key, t) -> batch`, or None.

  Returns:
    The estimator, without state.
  """

  def score(key, arch):
    return value(run(key, search(arch), batches, num_steps)[1])

  return combine.stateless(score)


def replicate(
  search: Search, num_seeds: int, batch_size: int | None = None
) -> Search:
  """Return the search that runs several seeds of a search side by side.

  Seed s uses `fold_in(key, s)` wherever the search uses `key`. All seeds see
  the same batch, so that differences between them are those of the search.

  Args:
    search: the search.
    num_seeds: S.
    batch_size: seeds that one `vmap` takes, see `batching.map_archs`: all of
      them for searches over tables, None for searches that train networks.

  Returns:
    The search. States, metrics and best architectures have a leading axis S.

  Raises:
    ValueError: if there are no seeds.
  """
  if num_seeds < 1:
    raise ValueError(f'num_seeds must be positive, got {num_seeds}.')

  def keys(key):
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(num_seeds))

  def init(key):
    return batching.map_archs(search.init, keys(key), batch_size)

  def update(key, state, batch):
    return batching.map_archs(
      lambda seed, batch: search.update(*seed, batch),
      (keys(key), state),
      batch_size,
      (batch,),
    )

  def best(key, state):
    return batching.map_archs(
      lambda seed: search.best(*seed), (keys(key), state), batch_size
    )

  return Search(init, update, best)


def epochs(search: Search, observe: Observe | None = None) -> Search:
  """Return the search whose update is all steps of an epoch.

  What is worth measuring once an epoch is then part of the same program. Step t
  uses `fold_in(k, t)` for the first key `k` of `split(key)`, the observation
  the second one.

  Args:
    search: the search.
    observe: `(key, state) -> metrics` after each epoch, such as
      `monitors.curvature`, or None.

  Returns:
    The search. Its batches hold those of all steps, `[T, ...]`, as
    `data.streams.stack` makes them; its metrics are means over the steps,
    joined by what was observed.
  """

  def update(key, state, batch):
    num_steps = jax.tree.leaves(batch)[0].shape[0]
    step_key, observe_key = jax.random.split(key)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(
      step_key, jnp.arange(num_steps)
    )
    state, metrics = jax.lax.scan(
      lambda state, step: search.update(step[0], state, step[1]),
      state,
      (keys, batch),
    )
    metrics = jax.tree.map(lambda x: jnp.mean(x, axis=0), metrics)
    if observe is not None:
      metrics = metrics | observe(observe_key, state)
    return state, metrics

  return search._replace(update=update)
