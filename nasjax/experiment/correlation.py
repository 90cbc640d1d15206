"""How well scores rank architectures, with intervals.

Of every score against every measured accuracy:

  tau        Kendall's tau-b (The treatment of ties in ranking problems, 1945,
             https://doi.org/10.1093/biomet/33.3.239)
  rho        Spearman's rank correlation, ties sharing their mean rank
  precision  the share of the best k by score that are among the best k by
             accuracy, its expectation where ties are broken at random

A score that is not finite is a failure: it ranks below all others, with which
it ties, and is never left out. Intervals are percentiles of a bootstrap over
architectures; above `max_rows` of them m out of n are drawn and the deviations
scaled by sqrt(m / n) (Bickel, Götze and van Zwet, Resampling fewer than n
observations, 1997), which says what it does: tau takes N log N.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

MEASURES = ('tau', 'rho', 'precision')


class Options(NamedTuple):
  """How intervals are made, and how many are the best."""

  share: float = 0.1  # k is this share of the architectures, rounded up
  num_resamples: int = 200
  max_rows: int = 2000  # architectures in a resample
  level: float = 0.95  # of the intervals
  seed: int = 0


def finite_or_worst(values: np.ndarray) -> np.ndarray:
  """Return the values as f64 with those that are not finite set to -inf."""
  values = np.asarray(values, np.float64)
  return np.where(np.isfinite(values), values, -np.inf)


def _membership(values, k):
  """The probability that each is among the best k, ties broken at random."""
  threshold = np.partition(values, -k)[-k]
  above, tied = values > threshold, values == threshold
  return above + tied * ((k - above.sum()) / tied.sum())


def precision(scores: np.ndarray, values: np.ndarray, share: float) -> float:
  """Return the expected precision of the best `ceil(share N)`.

  Args:
    scores: `[N]`.
    values: the truth, `[N]`.
    share: of the architectures, in (0, 1].
  """
  k = int(np.ceil(share * len(scores) - 1e-9))
  scores, values = finite_or_worst(scores), finite_or_worst(values)
  return float(_membership(scores, k) @ _membership(values, k) / k)


def measure(
  scores: np.ndarray, values: np.ndarray, share: float = 0.1
) -> dict[str, float]:
  """Return the three measures of agreement.

  Args:
    scores: `[N]`, higher is better; failures are not finite.
    values: the truth, `[N]`.
    share: see `precision`.

  Returns:
    Dict of 'tau', 'rho' and 'precision'; NaN for the former two where all
    scores or all values are equal.
  """
  # Ranks, so that the last place is a number.
  ranks = [stats.rankdata(finite_or_worst(x)) for x in (scores, values)]
  if min(np.ptp(r) for r in ranks) == 0:
    tau = rho = np.nan
  else:
    tau = stats.kendalltau(*ranks, method='asymptotic').statistic
    rho = np.corrcoef(*ranks)[0, 1]
  return {
    'tau': float(tau),
    'rho': float(rho),
    'precision': precision(*ranks, share),
  }


def interval(
  scores: np.ndarray, values: np.ndarray, options: Options | None = None
) -> dict[str, tuple[float, float]]:
  """Return the bootstrap interval of each measure.

  Args:
    scores: as in `measure`.
    values: as in `measure`.
    options: how.

  Returns:
    Dict of (low, high); NaN where all resamples are without a value.
  """
  options = options or Options()
  num = len(scores)
  size = min(num, options.max_rows)
  scores, values = finite_or_worst(scores), finite_or_worst(values)
  whole = measure(scores, values, options.share)
  generator = np.random.default_rng(options.seed)
  draws = []
  for _ in range(options.num_resamples):
    rows = generator.integers(num, size=size)
    drawn = measure(scores[rows], values[rows], options.share)
    draws.append([drawn[name] for name in MEASURES])
  tails = (0.5 - options.level / 2, 0.5 + options.level / 2)
  bounds = {}
  for name, column in zip(MEASURES, np.array(draws).T):
    column = column[np.isfinite(column)]
    ends = np.quantile(column, tails) if len(column) else np.full(2, np.nan)
    ends = whole[name] + np.sqrt(size / num) * (ends - whole[name])
    bounds[name] = tuple(np.clip(ends, -1, 1).tolist())
  return bounds


def table(
  scores: Mapping[str, np.ndarray],
  accuracies: Mapping[str, np.ndarray],
  options: Options | None = None,
) -> list[dict[str, Any]]:
  """Return the agreement of every score with every accuracy.

  Args:
    scores: `[N]` by name, higher is better.
    accuracies: `[N]` by name. Architectures without one (NaN) are an error:
      the population would silently be another one.
    options: how.

  Returns:
    One row a pair: score, accuracy, num, failures and for each measure its
    value, low and high end (`tau`, `tau_low`, `tau_high`, ...).

  Raises:
    ValueError: if an accuracy is not finite, or lengths differ.
  """
  options = options or Options()
  rows = []
  for column, values in accuracies.items():
    if not np.isfinite(values).all():
      raise ValueError(
        f'{column} has no number for {np.sum(~np.isfinite(values))} '
        'architectures.'
      )
    for name, score in scores.items():
      if len(score) != len(values):
        raise ValueError(
          f'{name} has {len(score)} scores, {column} {len(values)} values.'
        )
      found = measure(score, values, options.share)
      ends = interval(score, values, options)
      row = {
        'score': name,
        'accuracy': column,
        'num': len(values),
        'failures': int(np.sum(~np.isfinite(score))),
      }
      for key in MEASURES:
        low, high = ends[key]
        row |= {key: found[key], f'{key}_low': low, f'{key}_high': high}
      rows.append(row)
  return rows


HEADER = ('score', 'accuracy', 'failures', 'tau', 'rho', 'precision')


def lines(rows: list[dict[str, Any]]) -> list[list[Any]]:
  """Return rows as the cells of a table with the columns of `HEADER`."""

  def cell(row, key):
    return f'{row[key]:.3f} [{row[f"{key}_low"]:.3f}, {row[f"{key}_high"]:.3f}]'

  return [
    [row['score'], row['accuracy'], row['failures']]
    + [cell(row, key) for key in MEASURES]
    for row in rows
  ]


def caption(num: int, population: str, options: Options | None = None) -> str:
  """Return what a table of correlations must say besides its numbers.

  Args:
    num: N architectures.
    population: which ones.
    options: how.

  Returns:
    One line.
  """
  options = options or Options()
  k = int(np.ceil(options.share * num - 1e-9))
  text = (
    f'Population: {population}. precision: of the best {k:,} '
    f'({options.share:.0%}). Failures rank last. In brackets: '
    f'{options.level:.0%} bootstrap intervals of {options.num_resamples} '
    'resamples'
  )
  if num > options.max_rows:
    text += f' of {options.max_rows:,} architectures each, scaled to {num:,}'
  return text + '.'
