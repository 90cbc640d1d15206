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
  count: jax.Array  # i32[] queries so far
  num_asked: jax.Array  # i32[] architectures asked for, of any fidelity


def nothing_seen(num_rows: int) -> jax.Array:
  """Return the empty set of rows of a table of N, a bit for each: `u32[W]`."""
  return jnp.zeros(-(-num_rows // 32), jnp.uint32)


def is_seen(seen: jax.Array, rows: jax.Array) -> jax.Array:
  """Return which rows are in the set, `bool[B]`."""
  bits = (rows % 32).astype(jnp.uint32)
  return (seen[rows // 32] >> bits) % 2 == 1


def add_seen(seen: jax.Array, rows: jax.Array, which: jax.Array) -> jax.Array:
  """Return the set with some of B rows, distinct and not in it yet."""
  bits = jnp.uint32(1) << (rows % 32).astype(jnp.uint32)
  # New bits of a word do not overlap: their sum is their union.
  return seen.at[rows // 32].add(jnp.where(which, bits, 0))


def create(num_queries: int) -> Ledger:
  """Return the empty ledger of a budget of Q queries."""
  return Ledger(
    jnp.full(num_queries, -1, jnp.int32),
    jnp.full(num_queries, -jnp.inf),
    jnp.full(num_queries, jnp.inf),
    jnp.int32(0),
    jnp.int32(0),
  )


def record(
  ledger: Ledger,
  rows: jax.Array,
  values: jax.Array,
  counts: jax.Array,
  time: jax.Array,
) -> tuple[Ledger, jax.Array]:
  """Enter B results in their order.

  Args:
    ledger: the ledger.
    rows: of the table, `i32[B]`.
    values: `f32[B]`.
    counts: which of them are queries, `bool[B]`.
    time: of the clock, `f32[]`.

  Returns:
    The ledger, and which results the budget allows, `bool[B]`.
  """
  # Slots beyond the budget do not exist: what is written there is dropped.
  capacity = ledger.rows.shape[0]
  slots = ledger.count + jnp.cumsum(counts) - 1
  allowed = ~counts | (slots < capacity)
  slots = jnp.where(counts, slots, capacity)
  write = lambda column, entry: column.at[slots].set(entry, mode='drop')
  return Ledger(
    write(ledger.rows, rows),
    write(ledger.values, values),
    write(ledger.finished, time),
    jnp.minimum(ledger.count + jnp.sum(counts), capacity),
    ledger.num_asked + len(rows),
  ), allowed


def _new(seen, rows, in_full):
  """Which of B results are new rows, each once, and the set with them."""
  batch = len(rows)
  before = jnp.tril(jnp.ones((batch, batch), bool), -1)
  repeats = (rows[:, None] == rows[None, :]) & in_full[None, :] & before
  is_new = in_full & ~is_seen(seen, rows) & ~jnp.any(repeats, 1)
  return is_new, add_seen(seen, rows, is_new)


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

  `vmap` over keys runs hundreds of seeds.

  Args:
    key: of the run.
    strategy: one objective; B is that of its proposals.
    estimator: without state; its score is what the strategy sees. Where it
      takes no keyword `fidelity`, every evaluation is one in full.
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

  takes_fidelity = combine.takes_fidelity(estimator.score)

  def score(key, arch, fidelity):
    options = {'fidelity': fidelity} if takes_fidelity else {}
    return estimator.score(key, (), arch, **options)

  def evaluate(ask_key, score_key, state):
    proposal, state = strategy.ask(ask_key, state)
    keys = jax.random.split(score_key, len(proposal.fidelity))
    values = jax.vmap(score)(keys, *proposal)
    seconds = jnp.ones(1) if cost is None else jax.vmap(cost)(*proposal)
    return state, _Work(proposal, values, jnp.max(seconds))

  def ask(ask_key, score_key, state, worker, now, work):
    state, new = evaluate(ask_key, score_key, state)
    new = new._replace(finished=now + new.finished)
    new = jax.tree.map(lambda x: x[None], new)
    if num_workers == 1:
      return state, new
    work = jax.tree.map(lambda old, x: old.at[worker].set(x[0]), work, new)
    return state, work

  def step(carry, t):
    state, idle, now, work, ledger, seen = carry
    *keys, tell_key = jax.random.split(jax.random.fold_in(key, t), 3)
    state, work = ask(*keys, state, idle, now, work)
    idle = jnp.argmin(work.finished) if num_workers > 1 else 0
    proposal, values, now = jax.tree.map(lambda leaf: leaf[idle], work)
    rows = jax.vmap(index_of)(proposal.archs)
    counts = (proposal.fidelity >= 1) | (not takes_fidelity)
    if not count_duplicates:
      counts, seen = _new(seen, rows, counts)
    ledger, allowed = record(ledger, rows, values, counts, now)
    values = jnp.where(allowed, values, -jnp.inf)
    state, _ = strategy.tell(tell_key, state, proposal, values)
    return (state, jnp.int32(idle), now, work, ledger, seen), None

  init_key, *keys = jax.random.split(
    jax.random.fold_in(key, max_steps), 2 * num_workers - 1
  )
  state, start = strategy.init(init_key), jnp.float32(0)
  work = _idle(jax.eval_shape(evaluate, key, key, state)[1], num_workers)
  for worker in range(num_workers - 1):
    pair = keys[2 * worker : 2 * worker + 2]
    state, work = ask(*pair, state, worker, start, work)
  ledger, seen = create(num_queries), nothing_seen(num_rows)
  carry = (state, jnp.int32(num_workers - 1), start, work, ledger, seen)
  if count_duplicates and not takes_fidelity:
    # Every result counts: how many steps it takes is known. A loop that may
    # end earlier for one seed than for another copies all states in each step.
    num_steps = -(-num_queries // work.values.shape[1])
    steps = jnp.arange(min(num_steps, max_steps))
    return jax.lax.scan(step, carry, steps)[0][-2]
  return _while_budget_lasts(step, carry, num_queries, max_steps)


def _idle(work, num_workers):
  """Workers that have nothing to do yet."""
  return jax.tree.map(
    lambda leaf: jnp.zeros((num_workers, *leaf.shape), leaf.dtype), work
  )


def _while_budget_lasts(step, carry, num_queries, max_steps):
  """Take steps until the ledger has as many queries, or as many steps."""

  def unfinished(loop):
    t, (*_, ledger, _) = loop
    return (ledger.count < num_queries) & (t < max_steps)

  def body(loop):
    t, carry = loop
    return t + 1, step(carry, t)[0]

  _, carry = jax.lax.while_loop(unfinished, body, (jnp.int32(0), carry))
  return carry[-2]


def incumbents(ledger: Ledger) -> jax.Array:
  """Return the row of the best value after each query, `i32[Q]`.

  Of equal values the first one; before the first finite value the first row.
  """

  def better(a, b):
    return jax.tree.map(lambda x, y: jnp.where(b[0] > a[0], y, x), a, b)

  values = jnp.where(jnp.isnan(ledger.values), -jnp.inf, ledger.values)
  return jax.lax.associative_scan(better, (values, ledger.rows))[1]
