"""What a comparison ends in: a row a method, and skip connections over time.

Of every group of networks mean and standard deviation of all columns, and the
difference of the methods' from the random ones with Welch's interval. From the
folder of every method: the share of skip connections in the weight of all
operations (`mixtures`, `cell_statistics.share`) at every snapshot, the
supernet's accuracy in the last eighth of the search, and what it took.
"""

from collections.abc import Mapping
import math
from typing import Any

from nasjax.experiment import (
  comparison_records,
  metrics,
  phases,
  results,
)


def _group(job, rows, name):
  """Mean and spread of a group, and its difference from its baseline."""
  of = [row for row in rows if row['name'] == name]
  baseline = job.config['baselines'].get(name)
  found = {'name': name, 'networks': len({row['seed'] for row in of})}
  for column in results.columns(of):
    if column in ('name', 'seed', 'repeat'):
      continue
    values = results.group_means(rows, column)
    mean, std = metrics.mean_and_std(values[name], ddof=1)
    found |= {column: mean, f'{column}_std': std}
    if baseline is not None and column.startswith('test'):
      found['baseline'] = baseline
      found |= results.difference(values[name], values[baseline])
  return found


def _curve_rows(records):
  return [
    {
      'method': name,
      'step': int(step),
      'kind': kind,
      'mean': float(values[i].mean()),
      'std': float(values[i].std()),
    }
    for name, record in records.items()
    for kind, values in record.shares.items()
    for i, step in enumerate(record.steps)
  ]


def write(
  job: phases.Job,
  rows: list[dict[str, Any]],
  records: Mapping[str, comparison_records.Record],
) -> dict[str, Any]:
  """Write results.csv, comparison.csv, curves.csv and results.json.

  Args:
    job: the study.
    rows: one a trained network, with 'name', 'seed', 'arch' and numbers.
    records: of the methods that found something.

  Returns:
    What results.json holds: 'methods', a row each and one a random group;
    'rows', the networks; 'missing', methods that found nothing; 'protocol'.
  """
  groups = [
    _group(job, rows, name) for name in [*records, *job.config['random']]
  ]
  for group in groups:
    if group['name'] in records:
      group |= records[group['name']].numbers
  outcome = {
    'protocol': _protocol(job.config),
    'methods': groups,
    'missing': [name for name in job.config['methods'] if name not in records],
    'rows': rows,
  }
  results.write_csv(job.workdir / 'results.csv', rows)
  results.write_csv(job.workdir / 'comparison.csv', groups)
  results.write_csv(job.workdir / 'curves.csv', _curve_rows(records))
  metrics.write_json(job.workdir / 'results.json', outcome)
  return outcome


def _protocol(config: Mapping[str, Any]) -> str:
  num_random = ', '.join(
    f'{section["num"]} of {name}' for name, section in config['random'].items()
  )
  return (
    f'{config["num_seeds"]} searches of each method; all networks, the random '
    f'ones too ({num_random}), are trained in one program on the same batches. '
    'Mean and standard deviation over networks; differences are from the '
    'random networks of the same space, with the 95 % interval of Welch. Skips '
    'and operations without parameters are counted over all cells. The share '
    'of skips is that of the weight of all operations but none.'
  )


def _spread(row, name):
  if name not in row:
    return ''
  return f'{results.show(row[name])} ± {results.show(row[f"{name}_std"])}'


def score(outcome: Mapping[str, Any]) -> str:
  """Return the column that methods are compared by; empty if untrained."""
  names = outcome['methods'][0]
  return next((name for name in names if name.startswith('test')), '')


def lines(outcome: Mapping[str, Any]) -> tuple[list, list]:
  """Return header and lines of the table of networks.

  Args:
    outcome: from `write`.

  Returns:
    Names of the columns, and a line a group.
  """
  compared = score(outcome)
  columns = [
    name
    for name in outcome['methods'][0]
    if f'{name}_std' in outcome['methods'][0]
    and not name.startswith(('supernet', 'test'))
  ]
  header = ['group', 'n', compared, 'minus random', '95 % interval', *columns]
  body = []
  for row in outcome['methods']:
    interval = ['', '']
    if math.isfinite(row.get('low', math.nan)):
      interval = [
        f'{row["difference"]:+.4f}',
        f'{row["low"]:+.4f} to {row["high"]:+.4f}',
      ]
    body.append(
      [row['name'], row['networks'], _spread(row, compared), *interval]
      + [_spread(row, name) for name in columns]
    )
  return header, body


def search_lines(outcome: Mapping[str, Any]) -> tuple[list, list]:
  """Return header and lines of the table of searches.

  Args:
    outcome: from `write`.

  Returns:
    Names of the columns, and a line a method.
  """
  names = {
    'skip_share_all': 'share of skips',
    'skip_share_normal': 'normal',
    'skip_share_reduce': 'reduce',
    'seconds': 'seconds',
    'first_step': 'to the first step',
  }
  rows = [row for row in outcome['methods'] if 'seconds' in row]
  accuracies = ('supernet_train_accuracy', 'supernet_valid_accuracy')
  return (
    ['method', 'supernet train', 'supernet valid', *names.values()],
    [
      [row['name']]
      + [_spread(row, name) for name in accuracies]
      + [row.get(name) for name in names]
      for row in rows
    ],
  )


def text(outcome: Mapping[str, Any]) -> str:
  """Return the outcome as tables for a terminal.

  Args:
    outcome: from `write`.

  Returns:
    Lines.
  """
  parts = [results.grid(*lines(outcome))]
  parts += [results.grid(*search_lines(outcome))]
  if outcome['missing']:
    parts.append(f'Nothing found by: {", ".join(outcome["missing"])}.')
  return '\n\n'.join([*parts, outcome['protocol']])
