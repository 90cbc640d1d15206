"""What is said of planted curves of sub-networks."""

import numpy as np
import pytest
from scipy import stats

from nasjax.experiment import sparse_tables

_PARENTS, _RANDOM, _MASKS = 8, 4, 20
_SPARSITIES = (0.5, 0.75)
_GAINS = {'found_loss': 0.02, 'found_accuracy': 0.001, 'pruned': -0.03}


def _planted():
  """Curves of three epochs whose ends and differences are known."""
  rng = np.random.RandomState(0)
  parent = 0.9 + 0.01 * rng.randn(_PARENTS)
  noise = 1e-4 * rng.randn(_PARENTS, len(_SPARSITIES))
  ends = parent[:, None] - np.array([0.1, 0.2])
  loss = np.array([2.0, 1.2, 0.9, 0.0])  # half is gone after two epochs
  # Random ones lie around their mean; the less they lose first, the better.
  spread = np.linspace(-0.01, 0.01, _RANDOM)
  ramp = np.array([0.0, 0.5, 1.0, 1.0])
  random = (ends[..., None] + spread)[..., None] * ramp
  losses = np.broadcast_to(loss, random.shape).copy()
  losses[..., 0] -= spread
  results = {
    'dense/test_accuracy': parent[:, None] * ramp,
    'random/test_accuracy': random,
    'random/train_loss': losses,
    'initial/loss': -np.tile(
      np.arange(_MASKS, dtype=float), (_PARENTS, len(_SPARSITIES), 1)
    ),
  }
  for name, gain in _GAINS.items():
    slow = loss if name != 'pruned' else np.array([2.0, 1.5, 1.4, 1.3])
    accuracy = (ends + gain + noise)[..., None] * ramp
    results[f'{name}/test_accuracy'] = accuracy
    results[f'{name}/train_loss'] = np.broadcast_to(slow, accuracy.shape)
  return results


def test_planted_differences_are_found():
  results = _planted()
  text = sparse_tables.tables(results, _SPARSITIES, (64, 8, 8, 10))
  first, _, _, final, _, area, _, epochs, told = text.split('\n\n')
  dense = 100 * results['dense/test_accuracy'][:, -1]
  assert first == (
    f'8 parents; test accuracy of the parents {dense.mean():.2f} %, standard '
    f'deviation {dense.std():.2f}.'
  )
  for i, row in enumerate(final.splitlines()[2:4]):
    cells = [cell.strip() for cell in row.strip('|').split('|')]
    assert cells[0] == str(_SPARSITIES[i])
    # A real gain, one that is equivalent to none, and a real loss.
    for cell, gain in zip(cells[1:], _GAINS.values()):
      assert float(cell.split()[0]) == pytest.approx(100 * gain, abs=0.02)
      assert cell.endswith(' =') == (gain == 0.001)
      assert 'p=0.0078' in cell  # of eight pairs of one sign
  # The mean of the three epochs: 5 / 6 of what it is in the end.
  cell = area.splitlines()[2].split('|')[2]
  assert float(cell.split()[0]) == pytest.approx(100 * 0.02 * 5 / 6, abs=0.02)
  # 2 epochs like random ones; never, which counts as 4.
  cells = [cell.split()[0] for cell in epochs.splitlines()[2].split('|')[2:5]]
  assert cells == ['0.00', '0.00', '2.00']
  # Rounding breaks ties between parents.
  assert all(float(line.split()[1]) < -0.95 for line in told.splitlines()[1:])


def test_random_sub_networks_are_seen_beside_their_parents():
  results = _planted()
  text = sparse_tables.tables(results, _SPARSITIES, (64, 8, 8, 10))
  rows = [
    [cell.strip() for cell in line.strip('|').split('|')]
    for line in text.splitlines()[4:6]
  ]
  parent = results['dense/test_accuracy'][:, -1]
  for row, s, nodes, lost in zip(rows, _SPARSITIES, (4, 2), (0.1, 0.2)):
    count = lambda n: 64 * n + n + n * n + n + n * 10 + 10  # with biases
    assert row[:2] == [str(s), str(nodes)]
    assert float(row[2]) == pytest.approx(1 - count(nodes) / count(8), abs=1e-4)
    assert float(row[3].split()[0]) == pytest.approx(
      100 * (parent - lost).mean(), abs=0.01
    )
    share = (1 - lost / parent).mean()
    assert float(row[4]) == pytest.approx(share, abs=1e-3)
    # Losses 0 to -19 in a row: what one, ten and all draws expect at least.
    found = [float(part) for part in row[5].split(', ')]
    np.testing.assert_allclose(found, [9.5, 21 * 1 / 11 - 1, 0], atol=2e-3)


def test_correlation_is_within_groups_and_permuted_within_them():
  rng = np.random.default_rng(1)
  x, means = rng.normal(size=(20, 5)), 10 * rng.normal(size=(20, 1))
  found, p = sparse_tables.correlation(x, means - x**3)
  centred = [v - v.mean(1, keepdims=True) for v in (x, means - x**3)]
  expected = stats.spearmanr(*(v.ravel() for v in centred)).statistic
  np.testing.assert_allclose(found, expected, rtol=1e-6)
  assert found < -0.8 and p == 1e-4
  # Means alone tell nothing; of noise, p is anything.
  values = [
    sparse_tables.correlation(rng.normal(size=(20, 5)) + means, x + means)[1]
    for _ in range(40)
  ]
  assert 0.3 < np.mean(values) < 0.7 and min(values) > 1e-3
