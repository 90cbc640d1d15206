"""What paired differences say: intervals, a test of ranks, equivalence.

F. Wilcoxon, Individual Comparisons by Ranking Methods, 1945; D. J. Schuirmann,
A comparison of the two one-sided tests procedure and the power approach for
assessing the equivalence of average bioavailability, 1987: with a margin d, two
means are equivalent at 5 % if the 90 % interval of their difference, that of
Student's t, lies inside (-d, d).
"""

from typing import Any

import numpy as np
from scipy import stats


def paired(
  a: np.ndarray,
  b: np.ndarray,
  margin: float,
  num_resamples: int = 10_000,
  seed: int = 0,
) -> dict[str, Any]:
  """Return what the pairs say of `a - b`.

  Args:
    a: one value a pair, `[N]`.
    b: the other one, `[N]`.
    margin: differences below it count as none.
    num_resamples: of the bootstrap.
    seed: of the bootstrap.

  Returns:
    `mean`; `low` and `high`, the 95 % percentile interval of a bootstrap over
    pairs; `p`, Wilcoxon's, 1 where all pairs are equal; `equivalent`, whether
    both one-sided tests reject at 5 %.

  Raises:
    ValueError: if there are not two pairs.
  """
  differences = np.asarray(a, np.float64) - np.asarray(b, np.float64)
  if differences.ndim != 1 or len(differences) < 2:
    raise ValueError(
      f'Expected two pairs or more, got shape {differences.shape}.'
    )
  mean, size = differences.mean(), len(differences)
  rows = np.random.default_rng(seed).integers(0, size, (num_resamples, size))
  low, high = np.percentile(differences[rows].mean(1), [2.5, 97.5])
  error = differences.std(ddof=1) / np.sqrt(size)
  reach = stats.t.ppf(0.95, size - 1) * error
  p = stats.wilcoxon(differences).pvalue if differences.any() else 1.0
  return {
    'mean': mean,
    'low': low,
    'high': high,
    'p': float(p),
    'equivalent': bool(abs(mean) + reach < margin),
  }
