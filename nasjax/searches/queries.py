"""The ledger of a search over a benchmark: what it asked for, and when.

A strategy runs against a table as it would against a cluster: proposals take
time on workers, results come back when they are finished, and architectures
that were trained in full are queries that a budget limits. What is left of a
run is the ledger: its queries in order. Incumbents, curves and reported
accuracies are read from it afterwards (`experiment.study`), so a strategy
never sees more than the values that it asked for.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax.estimators import combine
from nasjax.types import Arch, Estimator, Key, Strategy

IndexOf = Callable[[Arch], jax.Array]
Cost = Callable[[Arch, jax.Array], jax.Array]


class Ledger(NamedTuple):
  """The queries of a search; what lies beyond the count was not used."""

  rows: jax.Array  # i32[Q] row of the table, -1 where unused
  values: jax.Array  # f32[Q] what the search was told, -inf where unused
  finished: jax.Array  # f32[Q] when, on the simulated clock
  seen: jax.Array  # bool[N] rows that were queried
  count: jax.Array  # i32[] queries so far
  num_asked: jax.Array  # i32[] architectures asked for, of any fidelity


def create(num_queries: int, num_rows: int) -> Ledger:
  """Return the empty ledger of a budget of Q queries of a table of N rows."""
  return Ledger(
    jnp.full(num_queries, -1, jnp.int32),
    jnp.full(num_queries, -jnp.inf),
    jnp.full(num_queries, jnp.inf),
    jnp.zeros(num_rows, bool),
    jnp.int32(0),
    jnp.int32(0),
  )


def record(
  ledger: Ledger,
  rows: jax.Array,
  values: jax.Array,
  in_full: jax.Array,
  time: jax.Array,
  count_duplicates: bool = False,
) -> tuple[Ledger, jax.Array]:
  """Enter B results in their order.

  Args:
    ledger: the ledger.
    rows: of the table, `i32[B]`.
    values: `f32[B]`.
    in_full: which were trained in full, `bool[B]`; others are no queries.
    time: of the clock, `f32[]`.
    count_duplicates: whether a row is a query each time it comes.

  Returns:
    The ledger, and which results the budget allows, `bool[B]`.
  """
  batch = len(rows)
  if count_duplicates:
    is_new = in_full
  else:
    before = jnp.tril(jnp.ones((batch, batch), bool), -1)
    repeated = (rows[:, None] == rows[None, :]) & in_full[None, :] & before
    is_new = in_full & ~ledger.seen[rows] & ~jnp.any(repeated, 1)
  # Slots beyond the budget do not exist: what is written there is dropped.
  slots = ledger.count + jnp.cumsum(is_new) - 1
  capacity = ledger.rows.shape[0]
  allowed = ~is_new | (slots < capacity)
  slots = jnp.where(is_new, slots, capacity)
  write = lambda column, entry: column.at[slots].set(entry, mode='drop')
  return Ledger(
    write(ledger.rows, rows),
    write(ledger.values, values),
    write(ledger.finished, time),
    ledger.seen.at[jnp.where(is_new & allowed, rows, len(ledger.seen))].set(
      True, mode='drop'
    ),
    jnp.minimum(ledger.count + jnp.sum(is_new), capacity),
    ledger.num_asked + batch,
  ), allowed


class _Work(NamedTuple):
  """Proposals on W workers."""

  proposal: NamedTuple  # [W, B, ...]
  values: jax.Array  # f32[W, B] that their workers will report
  finished: jax.Array  # f32[W]


def spend(
  key: Key,
  strategy: Strategy,
  estimator: Estimator,
  index_of: IndexOf,
  num_rows: int,
  num_queries: int,
  cost: Cost | None = None,
  num_workers: int = 1,
  count_duplicates: bool = False,
  max_steps: int | None = None,
) -> Ledger:
  """Run a strategy until it has spent its queries.

  Each of W workers evaluates one proposal at a time, with one machine for each
  of its B architectures: the proposal takes as long as the slowest. Who is
  finished first is told first, and asks for the next. W = 1 is the ordinary
  loop, with B > 1 the synchronous one of a batch, W > 1 with B = 1 the
  asynchronous one.

  Step t uses `fold_in(key, t)`. `vmap` over keys runs hundreds of seeds.

  Args:
    key: of the run.
    strategy: one objective; B is that of its proposals.
    estimator: without state; its score is what the strategy sees. Where the
      strategy asks for fidelities, it takes the keyword `fidelity`.
    index_of: `(arch) -> i32[]`, the row of an architecture; architectures of
      one row are one query.
    num_rows: N, of the table.
    num_queries: Q, evaluations in full; those after are told as -inf.
    cost: `(arch, fidelity) -> f32[]`, seconds of an evaluation; 1 by default.
    num_workers: W.
    count_duplicates: whether to ask for an architecture again is a query too,
      as in regularised evolution's published runs.
    max_steps: proposals at most, by default 100 Q: a strategy that only
      repeats itself comes to an end.

  Returns:
    The ledger.
  """
  if max_steps is None:
    max_steps = 100 * num_queries

  def evaluate(key, state):
    ask_key, score_key = jax.random.split(key)
    proposal, state = strategy.ask(ask_key, state)

    def score(key, arch, fidelity):
      if combine.takes_fidelity(estimator.score):
        return estimator.score(key, (), arch, fidelity=fidelity)
      return estimator.score(key, (), arch)

    keys = jax.random.split(score_key, len(proposal.fidelity))
    values = jax.vmap(score)(keys, *proposal)
    seconds = (
      jnp.ones(()) if cost is None else jnp.max(jax.vmap(cost)(*proposal))
    )
    return state, _Work(proposal, values, seconds)

  def ask(key, state, worker, now, work):
    state, new = evaluate(key, state)
    new = new._replace(finished=now + new.finished)
    work = jax.tree.map(lambda old, x: old.at[worker].set(x), work, new)
    return state, work

  def step(carry):
    t, state, idle, now, work, ledger = carry
    ask_key, tell_key = jax.random.split(jax.random.fold_in(key, t))
    state, work = ask(ask_key, state, idle, now, work)
    idle = jnp.argmin(work.finished)
    proposal, values, now = jax.tree.map(lambda leaf: leaf[idle], work)
    ledger, allowed = record(
      ledger,
      jax.vmap(index_of)(proposal.archs),
      values,
      proposal.fidelity >= 1,
      now,
      count_duplicates,
    )
    values = jnp.where(allowed, values, -jnp.inf)
    state, _ = strategy.tell(tell_key, state, proposal, values)
    return t + 1, state, idle, now, work, ledger

  def unfinished(carry):
    return (carry[-1].count < num_queries) & (carry[0] < max_steps)

  init_key, *keys = jax.random.split(
    jax.random.fold_in(key, max_steps), num_workers
  )
  state = strategy.init(init_key)
  work = jax.eval_shape(evaluate, key, state)[1]
  work = jax.tree.map(
    lambda leaf: jnp.zeros((num_workers, *leaf.shape), leaf.dtype), work
  )
  start = jnp.float32(0)
  for worker, ask_key in enumerate(keys):
    state, work = ask(ask_key, state, worker, start, work)
  ledger = create(num_queries, num_rows)
  carry = (jnp.int32(0), state, jnp.int32(num_workers - 1), start, work, ledger)
  return jax.lax.while_loop(unfinished, step, carry)[-1]


def incumbents(ledger: Ledger) -> jax.Array:
  """Return the row of the best value after each query, `i32[Q]`.

  Of equal values the first one; before the first finite value the first row.
  """

  def better(a, b):
    wins = b[0] > a[0]
    return jnp.where(wins, b[0], a[0]), jnp.where(wins, b[1], a[1])

  values = jnp.where(jnp.isnan(ledger.values), -jnp.inf, ledger.values)
  return jax.lax.associative_scan(better, (values, ledger.rows))[1]
