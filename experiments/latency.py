r"""Latency: how well it is predicted, and what accounting for it saves.

  python -m experiments.latency --part=predict --workdir=runs/latency \
      --output=docs/studies/latency
  python -m experiments.latency --part=front --device=pixel3 ...
  python -m experiments.latency --part=front --device=cpu ...

predict  error of predictors on cells without a label, by number of labels, on
         devices of the table under `$NASJAX_DATA_DIR`, and on 'cpu' where
         `experiments.profile` has measured it
front    `configs/latency_darts_nasbench201.py` for every balance of its sweep:
         test accuracy and latency of what is found, beside random cells

Both parts continue what was stopped; numbers and plots go to `--output`.
"""

from collections.abc import Callable, Sequence
import csv
import pathlib
from typing import Any

from absl import app, flags
import jax
import jax.numpy as jnp
import numpy as np

from configs import latency_darts_nasbench201 as settings
from configs import radars_digits
from nasjax import estimators, experiment, spaces
from nasjax.experiment import metrics, results

_PARTS = ('front', 'predict')
_PART = flags.DEFINE_enum('part', None, _PARTS, 'What to do.')
_WORKDIR = flags.DEFINE_string('workdir', 'runs/latency', 'Folder of results.')
_OUTPUT = flags.DEFINE_string('output', None, 'Folder of figures and numbers.')
_DEVICE = flags.DEFINE_string('device', 'pixel3', 'Of the front.')
_OPTIONS = flags.DEFINE_string('options', '', 'Of the config of the front.')
_SEEDS = flags.DEFINE_integer('seeds', 8, 'Searches for each balance.')
_DEVICES = ('1080ti_1', 'titan_rtx_256', 'silver_4114', 'pixel3', 'eyeriss')
_LABELS = (50, 100, 200, 400, 800, 1600)
_NUM_FITS = 5
_INDEX_OF = spaces.nasbench201.cell_index

Row = dict[str, Any]


def _summary(output: pathlib.Path, name: str, text: str) -> None:
  output.mkdir(parents=True, exist_ok=True)
  (output / f'{name}.txt').write_text(text + '\n')
  print(text)


def _draw(output: pathlib.Path, name: str, picture: Any) -> None:
  (output / f'{name}.png').write_bytes(
    experiment.plots.png(picture, dots_per_inch=90)
  )


# Predictors.


def _predictors(space):
  return {
    'network': estimators.latency_predictor.latency_predictor(space),
    'table': estimators.ridge.ridge(space.encode, space.index(0), 1e-2),
  }


def _fitter(
  space: Any, estimator: Any
) -> Callable[[jax.Array, Any], jax.Array]:
  """Return `(keys [S], archives [S]) -> latencies [S, cells]`."""
  cells = jax.vmap(space.index)(jnp.arange(space.size))

  def one(inputs):
    key, told = inputs
    state, _ = estimator.update(key, estimator.init(key), told)
    return jax.vmap(lambda arch: estimator.score(key, state, arch))(cells)

  return jax.jit(lambda keys, tolds: jax.lax.map(one, (keys, tolds)))


def predict(workdir: pathlib.Path) -> list[Row]:
  """Return one row of errors a device, predictor, number of labels and fit.

  Args:
    workdir: rows that its file has are not computed again.
  """
  path = workdir / 'predict.jsonl'
  rows = metrics.read(path)
  devices = list(_DEVICES)
  try:
    settings.milliseconds('cpu')
    devices.append('cpu')
  except ValueError as error:
    print(f'Without this CPU: {error}')
  done = {(row['device'], row['predictor'], row['labels']) for row in rows}
  whole = spaces.nasbench201.nasbench201()
  searched = whole.restrict(radars_digits.mask())
  for name, space in (('whole', whole), ('searched', searched)):
    cells = jax.vmap(space.index)(jnp.arange(space.size))
    index = np.asarray(jax.vmap(_INDEX_OF)(cells))
    for predictor, estimator in _predictors(space).items():
      fitted = _fitter(space, estimator)
      for device in devices:
        if (device == 'cpu') != (name == 'searched'):
          continue
        values = settings.milliseconds(device)
        for num in _LABELS:
          if (device, predictor, num) in done:
            continue
          if num > np.isfinite(values[index]).sum() // 2:
            continue
          new = _errors(space, fitted, values, index, num)
          new = [
            {'device': device, 'predictor': predictor, 'labels': num} | row
            for row in new
          ]
          metrics.append(path, new)
          rows += new
          mape = np.mean([row['mape'] for row in new])
          print(f'{device}, {predictor}, {num} labels: {mape:.4f}', flush=True)
  return rows


def _errors(space, fitted, values, index, num):
  """One row a fit, of the cells that it has not seen."""
  tolds = [
    estimators.latency_predictor.labels(space, _INDEX_OF, values, num, seed)
    for seed in range(_NUM_FITS)
  ]
  stacked = jax.tree.map(lambda *x: jnp.stack(x), *tolds)
  predicted = fitted(jax.random.split(jax.random.key(0), _NUM_FITS), stacked)
  rows = []
  for seed, told in enumerate(tolds):
    seen = np.asarray(jax.vmap(_INDEX_OF)(told.archs))
    held_out = ~np.isin(index, seen) & np.isfinite(values[index])
    rows.append(
      {'fit': seed}
      | estimators.latency.errors(
        np.asarray(predicted[seed])[held_out], values[index][held_out]
      )
    )
  return rows


def write_predict(output: pathlib.Path, rows: Sequence[Row]) -> None:
  """Write errors, their means as text, and a plot."""
  output.mkdir(parents=True, exist_ok=True)
  results.write_csv(output / 'predict.csv', rows)
  columns = ('mape', 'median_ape', 'rmse', 'r2', 'kendall')
  groups, panels = {}, {}
  for row in rows:
    key = row['device'], row['predictor'], row['labels']
    groups.setdefault(key, []).append(row)
  lines = [
    [*key]
    + [
      '{:.4g} +- {:.2g}'.format(
        *metrics.mean_and_std([row[name] for row in group], ddof=1)
      )
      for name in columns
    ]
    for key, group in groups.items()
  ]
  for (device, predictor, _), group in groups.items():
    panel = panels.setdefault(device, {}).setdefault(predictor, ([], []))
    panel[0].append(np.log2(group[0]['labels']))
    panel[1].append([100 * row['median_ape'] for row in group])
  text = results.grid(('device', 'predictor', 'labels', *columns), lines)
  _summary(output, 'predict', text)
  picture = experiment.plots.panels(
    panels, 'labels, logarithm to base 2', 'median absolute error, %'
  )
  _draw(output, 'predict', picture)


# The front.


def front(workdir: pathlib.Path, device: str) -> list[Row]:
  """Run or continue the searches of all balances.

  Args:
    workdir: every balance has a folder in it.
    device: as the option of the config.

  Returns:
    One row a cell, with its balance; of random cells NaN.
  """
  rows = []
  options = f'device={device}' + (_OPTIONS.value and f',{_OPTIONS.value}')
  for i, point in enumerate(settings.sweep()):
    config = settings.get_config(options)
    config.num_seeds = _SEEDS.value
    experiment.launch.apply_sweep(config, settings.sweep(), i)
    balance = point['search.search.balance']
    folder = workdir / f'{options}_{balance}'.replace(',', '_')
    if (folder / 'results.json').exists():
      experiment.prepare(config, folder)  # refuses the results of another one
      outcome = metrics.read_json(folder / 'results.json')
    else:
      print(f'{device}, balance {balance}', flush=True)
      outcome = experiment.run(config, folder)
    rows += [
      row | {'balance': balance if row['name'] == 'found' else np.nan}
      for row in outcome['rows']
      if row['name'] == 'found' or i == 0
    ]
  return rows


def write_front(output: pathlib.Path, device: str, rows: list[Row]) -> None:
  """Write cells, means with what is saved, and a plot."""
  output.mkdir(parents=True, exist_ok=True)
  column = lambda found, name: [row[name] for row in found]
  groups = {}
  for row in rows:
    key = 'random' if row['name'] == 'random' else row['balance']
    groups.setdefault(key, []).append(row)
  plain, lines = groups[0.0], []
  for key, found in groups.items():
    cells = {metrics.dumps(row['arch']) for row in found}
    change = results.difference(
      column(found, 'test_accuracy'), column(plain, 'test_accuracy')
    )
    saved = 1 - np.mean(column(found, 'latency')) / np.mean(
      column(plain, 'latency')
    )
    lines.append(
      [str(key), len(found), len(cells)]
      + [
        '{:.4g} +- {:.2g}'.format(
          *metrics.mean_and_std(column(found, name), ddof=1)
        )
        for name in ('test_accuracy', 'latency', 'params')
      ]
      + [
        '{difference:.2f} ({low:.2f} to {high:.2f})'.format(**change),
        f'{100 * saved:.1f}',
      ]
    )
  header = ('balance', 'n', 'cells', 'test accuracy, %', 'latency, ms')
  header += ('params', 'accuracy - that of balance 0', 'latency saved, %')
  options = _OPTIONS.value.replace(',', '_').replace('=', '')
  name = '_'.join(filter(None, ('front', device, options)))
  _summary(output, name, results.grid(header, lines))
  with open(output / f'{name}.csv', 'w', newline='') as file:
    writer = csv.writer(file)
    names = ('balance', 'seed', 'test_accuracy', 'latency', 'params')
    writer.writerow(('name', *names, 'cell'))
    for row in rows:
      cell = spaces.nasbench201.to_string(row['arch'])
      writer.writerow([row['name'], *(row[key] for key in names), cell])
  points = {
    f'{key}' if key == 'random' else f'balance {key}': (
      column(found, 'latency'),
      column(found, 'test_accuracy'),
    )
    for key, found in reversed(groups.items())
  }
  picture = experiment.plots.scatter(
    points, f'latency on {device}, ms', 'test accuracy (table), %'
  )
  _draw(output, name, picture)


def main(argv: Sequence[str]) -> None:
  """Do one part, then write its figures and numbers.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  del argv  # `launch.parse_flags` lets nothing through.
  workdir, output = pathlib.Path(_WORKDIR.value), pathlib.Path(_OUTPUT.value)
  workdir.mkdir(parents=True, exist_ok=True)
  with experiment.launch.clear_errors():
    experiment.launch.set_up_jax()
    if _PART.value == 'predict':
      write_predict(output, predict(workdir))
    else:
      rows = front(workdir, _DEVICE.value)
      write_front(output, _DEVICE.value, rows)


if __name__ == '__main__':
  flags.mark_flags_as_required(['part', 'output'])
  app.run(main, flags_parser=experiment.launch.parse_flags)
