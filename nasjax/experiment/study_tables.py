"""What a study ends in: who found what after how many queries, or seconds.

What a search would hand over is the best by what it has seen; what is reported
is any column of the table at that row (the signal itself among them), never the
best of that column. Differences from the baseline come with Welch's interval
and the p-value of the Mann-Whitney test, which needs no normal distribution:

  H. B. Mann and D. R. Whitney, On a test of whether one of two random variables
  is stochastically larger than the other, 1947,
  https://doi.org/10.1214/aoms/1177730491
"""

from typing import Any
import warnings

import numpy as np
from scipy import stats

from nasjax import ranking
from nasjax.experiment import (
  metrics,
  phases,
  results,
  study_columns,
  study_report,
  study_settings,
)

EXACT = 'random search, exact'
WHOLE = 'the whole table'


def found(
  ledgers: dict[str, np.ndarray], columns: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
  """Return every column at what was the best so far, `f32[S, Q]` by name."""
  best = study_columns.incumbents(ledgers['values'])
  rows = np.take_along_axis(ledgers['rows'], best, axis=1)
  return {name: values[rows] for name, values in columns.items()}


def _at(job, ledgers, curves):
  """(unit, amount, {column: [S]}) for every budget and time of the study."""
  for budget in job.config['budgets']:
    yield 'queries', budget, {k: v[:, budget - 1] for k, v in curves.items()}
  for seconds in job.config['times']:
    done = np.sum(ledgers['finished'] <= seconds, axis=1)
    last = np.maximum(done - 1, 0)[:, None]
    yield (
      'seconds',
      seconds,
      {
        # A search that has not finished anything has found nothing.
        k: np.where(done > 0, np.take_along_axis(v, last, axis=1)[:, 0], np.nan)
        for k, v in curves.items()
      },
    )


def _compare(values, others):
  if others is values or not np.all(np.isfinite([*values, *others])):
    return {}
  with warnings.catch_warnings():
    # Searches that nearly all end at the optimum: tiny spreads are no mistake.
    warnings.simplefilter('ignore', RuntimeWarning)
    row = results.difference(values, others)
    if np.ptp([*values, *others]) > 0:
      row['p'] = float(stats.mannwhitneyu(values, others).pvalue)
  return row


def _row(strategy, unit, amount, column, values, others):
  mean, std = metrics.mean_and_std(values, ddof=1)
  return {
    'strategy': strategy,
    'unit': unit,
    'amount': amount,
    'column': column,
    'mean': mean,
    'std': std,
    'seeds': len(values),
    **dict.fromkeys(('difference', 'low', 'high', 'p'), np.nan),
    **_compare(values, others),
  }


def _rows(job, ledgers, curves):
  of = {name: list(_at(job, ledgers[name], curves[name])) for name in ledgers}
  baseline = of[job.config['baseline']]
  return (
    [
      _row(name, unit, amount, column, values, others[column])
      for name, at in of.items()
      for (unit, amount, here), (_, _, others) in zip(at, baseline)
      for column, values in here.items()
    ]
    + [
      {
        'strategy': EXACT,
        'unit': 'queries',
        'amount': budget,
        'column': 'signal',
        'mean': ranking.expected_maximum(job.parts['signal'], budget),
      }
      for budget in job.config['budgets']
      if budget <= len(job.parts['signal'])
      and np.all(np.isfinite(job.parts['signal']))
    ]
    + _whole(job)
  )


def _whole(job):
  """What a search of all rows would report, beside the last budget."""
  columns = {'signal': job.parts['signal']} | job.parts['columns']
  return [
    {
      'strategy': WHOLE,
      'unit': 'queries',
      'amount': job.config['budgets'][-1],
      'column': name,
      'mean': value,
    }
    for name, value in study_columns.whole_table(job.config, columns).items()
  ]


def _took(job, name, ledgers):
  """What a strategy asked for, and what running it took over all starts."""
  events = [
    event
    for event in metrics.read(job.workdir / 'events.jsonl')
    if event['event'] == 'ran' and event['phase'] == name
  ]
  total = lambda key: float(sum(event[key] for event in events))
  own = study_settings.own(job.config, name)
  return {
    'strategy': name,
    'seeds': len(ledgers['rows']),
    'queries': float(np.mean(ledgers['count'])),
    'asked': float(np.mean(ledgers['num_asked'])),
    'duplicates_count': own['count_duplicates'],
    'workers': own['num_workers'],
    'seconds': total('seconds'),
    'compile_seconds': total('compile_seconds'),
    'seconds_per_seed': total('seconds') / max(total('num_seeds'), 1),
  }


def write(
  job: phases.Job, ledgers: dict[str, dict[str, np.ndarray]]
) -> dict[str, Any]:
  """Write study.csv, curves.csv, results.json and the report.

  Args:
    job: the study.
    ledgers: of each strategy, `[S, ...]` by field.

  Returns:
    What results.json holds: 'rows', one a strategy, amount and column; 'took',
    one a strategy; 'protocol', what the numbers are.
  """
  columns = {'signal': job.parts['signal']} | job.parts['columns']
  curves = {
    name: found(of, columns) | study_columns.derived(job.config, of, columns)
    for name, of in ledgers.items()
  }
  rows = _rows(job, ledgers, curves)
  outcome = {
    'protocol': _protocol(job),
    'rows': rows,
    'took': [_took(job, name, of) for name, of in ledgers.items()],
  }
  results.write_csv(job.workdir / 'study.csv', rows)
  results.write_csv(
    job.workdir / 'curves.csv',
    [
      {
        'strategy': name,
        'column': column,
        'query': query + 1,
        'mean': float(of[:, query].mean()),
        'std': float(of[:, query].std()),
      }
      for name, by_column in curves.items()
      for column, of in by_column.items()
      for query in range(of.shape[1])
    ],
  )
  metrics.write_json(job.workdir / 'results.json', outcome)
  study_report.write(job.workdir, job.config, outcome, curves)
  return outcome


def _protocol(job):
  return (
    'Queries are distinct architectures; where duplicates count, evaluations. '
    'Reported is each column at the best by the signal, mean and standard '
    f'deviation over seeds; differences are from {job.config["baseline"]}, '
    'with the 95 % interval of Welch and the p-value of Mann and Whitney.'
    + ''.join(f' {line}' for line in study_columns.describe(job.config))
  )


def text(outcome: dict[str, Any]) -> str:
  """Return the outcome as tables for a terminal.

  Args:
    outcome: from `write`.

  Returns:
    Lines; + and - mark intervals that leave out no difference.
  """
  names = list(dict.fromkeys(row['column'] for row in outcome['rows']))
  parts = [results.grid(*study_report.lines(outcome, name)) for name in names]
  header = list(outcome['took'][0])
  took = [[row[key] for key in header] for row in outcome['took']]
  return '\n\n'.join([*parts, outcome['protocol'], results.grid(header, took)])
