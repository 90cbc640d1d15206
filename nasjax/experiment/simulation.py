"""What searches would have found, read from scores and a table.

Once every architecture has a score, hundreds of searches that draw N random
ones and keep the best scored cost nothing: they are draws of rows. Beside them
stand what a search without a score finds (one random architecture), one that
sees the accuracy itself, and any other column as a score.
"""

from collections.abc import Mapping, Sequence

import numpy as np

Row = dict[str, str | int | float]


def best_of_random(
  scores: np.ndarray, num_samples: int, num_runs: int, seed: int = 0
) -> np.ndarray:
  """Return the row that each of many searches picks.

  Args:
    scores: of all architectures, `[A]`, higher is better; failures are -inf.
    num_samples: N, architectures drawn with replacement by a search.
    num_runs: searches.
    seed: of the draws.

  Returns:
    `int[num_runs]`; of equal scores the one that was drawn first.
  """
  generator = np.random.default_rng(seed)
  draws = generator.integers(len(scores), size=(num_runs, num_samples))
  scores = np.nan_to_num(scores, nan=-np.inf, posinf=-np.inf, neginf=-np.inf)
  winners = np.argmax(scores[draws], axis=1)
  return draws[np.arange(num_runs), winners]


def searches(
  scores: Mapping[str, np.ndarray],
  accuracies: Mapping[str, np.ndarray],
  sizes: Sequence[int] = (10, 100, 1000),
  num_runs: int = 500,
  seed: int = 0,
) -> list[Row]:
  """Return mean and spread of what searches by each score find.

  Args:
    scores: by name, `[A]`, higher is better.
    accuracies: by name, `[A]`; each of them is a score too, 'optimal', of which
      only its own column is meaningful.
    sizes: numbers of architectures drawn.
    num_runs: searches of each size.
    seed: of the draws, which are the same for all scores.

  Returns:
    One dict a score and size: 'score', 'samples', and for every accuracy its
    mean and, as 'name std', its standard deviation over the searches.
  """
  rows = []
  for size in sizes:
    for name, values in scores.items():
      picked = best_of_random(values, size, num_runs, seed)
      rows.append(
        _row(name, size, {k: v[picked] for k, v in accuracies.items()})
      )
    found = {
      name: values[best_of_random(values, size, num_runs, seed)]
      for name, values in accuracies.items()
    }
    rows.append(_row('optimal', size, found))
  first = next(iter(accuracies.values()))
  picked = best_of_random(np.zeros(len(first)), 1, num_runs, seed)
  return rows + [
    _row('random', 1, {k: v[picked] for k, v in accuracies.items()})
  ]


def _row(name, size, found):
  row = {'score': name, 'samples': size}
  for column, values in found.items():
    row |= {column: float(values.mean())}
    row |= {f'{column} std': float(values.std(ddof=1))}
  return row
