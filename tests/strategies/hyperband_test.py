"""Tests for Hyperband: its arithmetic, and runs against a loop of brackets."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from nasjax import archive
from nasjax.estimators import tabular
from nasjax.searches import queries
from nasjax.spaces import categorical
from nasjax.strategies import asha, bohb, hyperband, random_search, rungs

_SPACE = categorical.categorical({'op': (3, 4), 'width': (1, 3)})
_FIDELITIES = (1 / 27, 1 / 9, 1 / 3, 1)
_NUM_PROPOSALS = 69  # of a cycle: 40 + 17 + 8 + 4


def _row(arch):
  return (*np.asarray(arch['op']).tolist(), *np.asarray(arch['width']).tolist())


def _rows(archs):
  """Returns the architectures `[P, B, ...]` of a run, one after another."""
  op, width = (np.asarray(archs[name]) for name in ('op', 'width'))
  rows = np.concatenate([op, width], axis=2).reshape(-1, 4)
  return [tuple(row) for row in rows.tolist()]


def _table(seed=0):
  """Values of all architectures at all fidelities, with ties and failures."""
  values = np.random.default_rng(seed).normal(size=(4, 4, 4, 3, 4)).round(1)
  values[2, 1] = np.nan
  return values


def test_the_arithmetic_is_that_of_the_paper():
  # r = 4, R = 108, eta = 3: s_max = 3.
  levels = rungs.geometric(4, 108, 3)
  np.testing.assert_allclose(np.array(levels) * 108, [4, 12, 36, 108])
  assert levels[-1] == 1
  brackets = rungs.sizes(len(levels), 3)
  assert brackets == ((27, 9, 3, 1), (12, 4, 1), (6, 2), (4,))
  # Table 1 of the paper: R = 81, eta = 3 (n = 81, 34, 15, 8, 5).
  assert len(rungs.geometric(1, 81, 3)) == 5
  assert [sizes[0] for sizes in rungs.sizes(5, 3)] == [81, 34, 15, 8, 5]
  assert rungs.sizes(5, 3)[1] == (34, 11, 3, 1)
  # Budgets that are no power of eta apart: the smallest is at least r.
  np.testing.assert_allclose(rungs.geometric(2, 108, 3)[0] * 108, 4)
  np.testing.assert_allclose(rungs.geometric(12, 200, 200 / 12), [0.06, 1])


def _oracle(draw, keys, table):
  """Yields (row, level) as Hyperband asks, from one key a proposal."""
  keys, s = iter(keys), 4
  while True:
    s = (s - 1) % 4
    n, rung = -(-4 * 3**s // (s + 1)), []
    for i in range(s + 1):
      level = 3 - s + i
      if i > 0:
        values = [float(table[(*row, level - 1)]) for row in rung]
        values = [v if np.isfinite(v) else -np.inf for v in values]
        best = sorted(range(len(rung)), key=lambda j: -values[j])
        rung = [rung[j] for j in best[: n // 3**i]]
      for j in range(n // 3**i):
        key = next(keys)
        if i == 0:
          rung.append(_row(draw(key)))
        yield rung[j], level


def _asked(strategy, table, num_asks):
  """Returns the proposals of a run, and the keys that they were asked with."""
  keys = jax.random.split(jax.random.key(1), num_asks)
  table = jnp.asarray(table, jnp.float32)

  def step(state, key):
    proposal, state = strategy.ask(key, state)
    level = jax.vmap(lambda f: rungs.level_of(f, np.array(_FIDELITIES)))
    op, width = proposal.archs['op'], proposal.archs['width']
    values = table[*op.T, *width.T, level(proposal.fidelity)]
    state, metrics = strategy.tell(key, state, proposal, values)
    return state, (proposal, metrics)

  state = strategy.init(jax.random.key(0))
  return keys, *jax.jit(lambda state: jax.lax.scan(step, state, keys))(state)[1]


def test_a_run_is_that_of_a_loop_over_brackets():
  num_asks = 2 * _NUM_PROPOSALS + 30
  strategy = hyperband.hyperband(_SPACE, _FIDELITIES)
  keys, proposals, _ = _asked(strategy, _table(), num_asks)
  draw = jax.jit(lambda key: _SPACE.sample(jax.random.split(key, 1)[0]))
  expected = list(itertools.islice(_oracle(draw, keys, _table()), num_asks))
  assert _rows(proposals.archs) == [row for row, _ in expected]
  budgets = [_FIDELITIES[level] for _, level in expected]
  np.testing.assert_allclose(proposals.fidelity[:, 0], budgets)


def test_one_bracket_is_successive_halving():
  strategy = hyperband.hyperband(_SPACE, _FIDELITIES, brackets=(2,))
  _, proposals, _ = _asked(strategy, _table(), 34)
  budgets = np.rint(np.asarray(proposals.fidelity)[:, 0] * 108).tolist()
  assert budgets == 2 * (12 * [12] + 4 * [36] + [108])


def test_a_rung_is_filled_up_to_whole_proposals():
  strategy = hyperband.hyperband(_SPACE, _FIDELITIES, batch_size=2)
  _, proposals, _ = _asked(strategy, _table(), 22)
  budgets = np.rint(np.asarray(proposals.fidelity)[:, 0] * 108).tolist()
  assert budgets == 14 * [4] + 5 * [12] + 2 * [36] + [108]
  # Within a batch too: the best of the rung below, in their order.
  values = _table()[..., 1]
  rows = _rows(proposals.archs)
  rank = lambda row: -np.nan_to_num(values[row], nan=-9)
  assert rows[38:42] == sorted(rows[28:38], key=rank)[:4]


def test_results_that_are_late_come_last():
  strategy = hyperband.hyperband(_SPACE, (1 / 3, 1), brackets=(1,))
  ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
  state, asked = strategy.init(jax.random.key(0)), []
  for key in jax.random.split(jax.random.key(1), 3):  # the first rung: n = 3
    proposal, state = ask(key, state)
    asked.append(proposal)
  assert len({str(p.archs['op']) for p in asked}) == 3
  for i, value in [(2, 0.5), (1, 1.0)]:  # out of order; 0 is late
    state, _ = tell(jax.random.key(2), state, asked[i], jnp.array([value]))
  top, state = ask(jax.random.key(3), state)
  np.testing.assert_array_equal(top.archs['op'], asked[1].archs['op'])
  assert top.fidelity[0] == 1
  # It is none of this rung: what it says changes nothing.
  late, _ = tell(jax.random.key(2), state, asked[0], jnp.array([9.0]))
  jax.tree.map(np.testing.assert_array_equal, late, state)


def test_what_starts_comes_from_the_hook_and_it_sees_what_was_told():
  def sample(key, told):
    del key
    # The number of results at the lower and at the full fidelity.
    low, full = jnp.sum(jnp.isfinite(told.values), axis=0)
    return {'op': jnp.stack([low, full, 0]), 'width': jnp.zeros(1, jnp.int32)}

  space = categorical.categorical({'op': (3, 9), 'width': (1, 3)})
  strategy = hyperband.hyperband(
    space, (1 / 3, 1), brackets=(1,), sample=sample, capacity=50
  )
  ask, tell = jax.jit(strategy.ask), jax.jit(strategy.tell)
  state = strategy.init(jax.random.key(0))
  for low, full in [(0, 0), (1, 0), (2, 0), (None, None), (3, 1), (4, 1)]:
    proposal, state = ask(jax.random.key(1), state)
    if low is not None:
      assert proposal.archs['op'].tolist() == [[low, full, 0]]
    state, _ = tell(jax.random.key(1), state, proposal, jnp.ones(1))
  assert int(archive.num_filled(state.told)) == 6


@pytest.mark.parametrize('method', [hyperband.hyperband, bohb.bohb, asha.asha])
def test_no_fidelity_is_asked_for_that_is_not_offered(method):
  offered, num_late = np.array([0.06, 0.5, 1], np.float32), 5
  strategy = method(_SPACE, offered, 2, capacity=64)
  keys = jax.random.split(jax.random.key(3), 60)
  state = strategy.init(jax.random.key(0))
  first, _ = strategy.ask(jax.random.key(0), state)
  late = jax.tree.map(lambda x: jnp.stack([x] * (num_late + 1)), first)

  def step(carry, key):
    state, late = carry
    proposal, state = strategy.ask(key, state)
    late = jax.tree.map(
      lambda old, new: jnp.roll(old, 1, 0).at[0].set(new), late, proposal
    )
    oldest = jax.tree.map(lambda x: x[-1], late)
    state, _ = strategy.tell(key, state, oldest, jax.random.normal(key, (1,)))
    return (state, late), proposal.fidelity

  run = jax.jit(lambda carry: jax.lax.scan(step, carry, keys))
  asked = np.unique(run((state, late))[1])
  np.testing.assert_array_equal(asked, offered)  # and all of them


def test_what_cannot_be_is_refused():
  for levels in [(), (0.5,), (0.0, 1.0), (0.5, 0.5, 1.0), (1.0, 0.5)]:
    with pytest.raises(ValueError, match=r'lie in \(0, 1\], increase'):
      hyperband.hyperband(_SPACE, levels)
  with pytest.raises(ValueError, match='eta > 1, got 1'):
    hyperband.hyperband(_SPACE, eta=1)
  with pytest.raises(ValueError, match=r'brackets \(3, 2, 1, 0\)'):
    hyperband.hyperband(_SPACE, brackets=(4,))
  with pytest.raises(ValueError, match='at least one architecture'):
    hyperband.hyperband(_SPACE, batch_size=0)
  with pytest.raises(ValueError, match='0 < min_budget <= max_budget'):
    rungs.geometric(108, 4)


def _best_of_random_orders(values, seconds, budget, num_runs):
  """Returns the best value within a budget of random search, by its loop."""
  rng, best = np.random.default_rng(0), []
  for _ in range(num_runs):
    order = rng.permutation(len(values))[:500]
    in_time = np.cumsum(seconds[order]) <= budget
    assert not in_time.all()
    best.append(values[order][in_time].max())
  return np.array(best)


@pytest.mark.data
@pytest.mark.parametrize(
  'budget, num_full, num_random, margin',
  [
    (1e5, 40, 80, 0.06),
    pytest.param(5e5, 165, 330, 0.03, marks=pytest.mark.slow),
  ],
)
def test_hyperband_beats_random_search_in_the_same_time(
  data_dir, budget, num_full, num_random, margin
):
  # NAS-Bench-101: accuracies after 4, 12, 36 and 108 epochs; every rung is
  # trained from scratch.
  with np.load(data_dir / 'nb101_20k.npz', allow_pickle=False) as file:
    values = 100 * file['val_acc'].astype(np.float32)
    seconds = file['train_time_s_108']
  fidelities = tuple(np.array([4, 12, 36, 108]) / 108)
  space = categorical.categorical({'row': (1, len(values))})
  row = lambda arch: arch['row'][0]

  def best(key, strategy, num_queries):
    ledger = queries.spend(
      key,
      strategy,
      tabular.tabular(row, values, fidelities),
      row,
      len(values),
      num_queries,
      tabular.training_time(row, seconds),
    )
    used = ledger.finished <= budget
    last = jnp.max(jnp.where(jnp.isfinite(ledger.finished), ledger.finished, 0))
    return jnp.max(jnp.where(used, ledger.values, -jnp.inf)), last

  def seeds(*args):
    keys = jax.random.split(jax.random.key(0), 200)
    values, last = jax.jit(
      lambda keys: jax.lax.map(lambda key: best(key, *args), keys)
    )(keys)
    assert jnp.min(last) > budget
    return np.asarray(values)

  found = seeds(hyperband.hyperband(space, fidelities), num_full)
  random = seeds(random_search.random_search(space), num_random)
  expected = _best_of_random_orders(values[:, 3], seconds, budget, 1000)
  error = np.std(expected) / np.sqrt(200)
  assert abs(np.mean(random) - np.mean(expected)) < 4 * error
  # Means of 200 seeds: 94.38 and 94.65; random search 94.29 and 94.59.
  assert np.mean(found) > np.mean(expected) + margin
  test = stats.mannwhitneyu(found, expected, alternative='greater')
  assert test.pvalue < 1e-4
