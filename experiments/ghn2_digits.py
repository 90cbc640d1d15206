r"""How good are the weights that a hypernetwork predicts for unseen networks?

  python -m experiments.ghn2_digits --workdir=runs/ghn2_splits

Trains the hypernetworks of `configs/ghn2_digits.py` on 700 digits, each with
some seeds, and tests networks of all splits with the weights that they predict,
on 397 other images in batches of 64. Some networks are then trained from
predicted weights and from random ones. And what the hypernetworks make of
networks tells how good they will be: accuracies after a short training from
random weights are predicted from embeddings. Every result is a line of
results.jsonl; what is there is not done again, and tables of all are printed in
the end.
"""

from collections.abc import Sequence
import functools
import itertools
import json
import pathlib
import time
from typing import Any, NamedTuple

from absl import app, flags
import jax
import numpy as np

from configs import ghn2_digits
from nasjax.data import arrays, streams
from nasjax.estimators import hypernetwork
from nasjax.experiment import (
  build,
  deepnets_training,
  folder,
  hypernetwork_tables,
  launch,
  properties,
)
from nasjax.spaces import deepnets, deepnets_splits

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the results.')
_STEPS = flags.DEFINE_integer('steps', 2000, 'Updates of a hypernetwork.')
_SEEDS = flags.DEFINE_integer('seeds', 3, 'Hypernetworks of a method.')
_NUM = flags.DEFINE_integer('networks', 50, 'Of a split.')
_BATCH = flags.DEFINE_integer('batch_size', 32, 'Images of an update.')
_TUNED = flags.DEFINE_integer('tuned', 8, 'Networks that are trained.')
_KNOWN = flags.DEFINE_integer(
  'known', 200, 'Networks whose accuracy others are predicted from, and others.'
)
flags.mark_flags_as_required(['workdir'])

_TEST_BATCH = 64
_SPLITS = ('test', 'wide', 'deep', 'norm_free')
_KNOWN_SPLITS = ('valid', 'test')  # whose accuracies predict, are predicted
_TUNE_STEPS, _TUNE_RATE = (0, 10, 30, 100), 1e-3


def splits(num_networks: int) -> dict[str, deepnets_splits.Split]:
  """Return the splits of small networks, each with so many."""
  return deepnets_splits.splits(
    ghn2_digits.layout(False),
    (10**6, num_networks, num_networks),
    deepnets_splits.Extremes(2, (5, 6), (2,), num_networks, None),
  )


def _read(path):
  """Return the rows of a file that need not exist."""
  lines = path.read_text().splitlines() if path.exists() else []
  return [json.loads(line) for line in lines]


def _write(path, *rows):
  """Append rows at once: what belongs together is there or not."""
  with path.open('a') as file:
    file.write(''.join(json.dumps(row) + '\n' for row in rows))
  for row in rows:
    print(row, flush=True)


def train(seed: int, method: Any, batches: Any) -> tuple[Any, float]:
  """Return a trained hypernetwork and the seconds of an update.

  Args:
    seed: of it and of all that is drawn.
    method: its programs.
    batches: `(key, t) -> batch`.

  Returns:
    The variables, and seconds without the first update.
  """
  init_key, batch_key, step_key = jax.random.split(jax.random.key(seed), 3)
  state, num_steps = method.init(init_key), _STEPS.value
  for t in range(num_steps):
    key = jax.random.fold_in(step_key, t)
    state, metrics = method.update(key, state, batches(batch_key, t))
    if t == 0:
      jax.block_until_ready(state)
      start = time.perf_counter()
    if t % 100 == 99:
      print(f'{t + 1} updates, loss {metrics["train_loss"]:.3f}', flush=True)
  jax.block_until_ready(state)
  seconds = (time.perf_counter() - start) / max(num_steps - 1, 1)
  return state.weights, seconds


class _Group(NamedTuple):
  """Networks of a split that are tested with predicted weights."""

  layout: Any
  archs: Any
  score: Any


class _Study(NamedTuple):
  """The networks of the study, and their images."""

  groups: dict[str, _Group]  # by split
  known: dict[str, Any]  # networks by split, whose accuracies are known
  trainer: Any
  batches: Any
  test: Any


def prepare() -> _Study:
  """Return the study that the flags ask for."""
  digits = arrays.digits()
  groups = {}
  for name in _SPLITS:
    split = splits(_NUM.value)[name]
    score = deepnets_training.scorer(split.layout)
    archs = deepnets_splits.networks(split)
    groups[name] = _Group(split.layout, archs, score)
  known = splits(_KNOWN.value)
  return _Study(
    groups,
    {name: deepnets_splits.networks(known[name]) for name in _KNOWN_SPLITS},
    deepnets_training.trainer(ghn2_digits.layout(False), _TUNE_RATE),
    streams.batches(digits['train'], _BATCH.value),
    streams.evaluation_batches(digits['test'], _TEST_BATCH),
  )


class _Method(NamedTuple):
  """The programs of a method."""

  init: Any
  update: Any
  predict: dict[str, Any]  # by split
  embed: Any


def programs(method: str, study: _Study) -> _Method:
  """Return the programs of a method of `ghn2_digits.METHODS`."""
  settings = build.build_values(ghn2_digits.training(method, False))
  optimizer = settings.pop('optimizer')
  model = build.build(ghn2_digits.model(method, False))
  layout = ghn2_digits.layout(False)
  estimator = hypernetwork.hypernetwork(
    deepnets.deepnets(layout),
    layout,
    model,
    optimizer(_STEPS.value),
    study.test,
    **settings,
  )

  def predict(layout):
    normalise = settings['normalise']
    predict = functools.partial(hypernetwork.predict, normalise=normalise)
    return jax.jit(functools.partial(predict, layout, model))

  return _Method(
    estimator.init,
    jax.jit(estimator.update),
    {name: predict(group.layout) for name, group in study.groups.items()},
    jax.jit(functools.partial(hypernetwork.embed, layout, model)),
  )


def tune(study: _Study, params: Any) -> list[dict[str, Any]]:
  """Return rows of networks trained from predicted and from random weights.

  Args:
    study: has the networks, the first of 'test'.
    params: what is predicted for all of 'test'.
  """
  first = lambda tree: jax.tree.map(lambda x: x[: _TUNED.value], tree)
  layout, archs, _ = study.groups['test']
  some = first(archs)
  random = deepnets_training.he_weights(layout, jax.random.key(1), some)
  rows = []
  for start, weights in {'predicted': first(params), 'random': random}.items():
    found = study.trainer(
      jax.random.key(0), weights, some, study.batches, study.test, _TUNE_STEPS
    )
    name = f'trained from {start} weights'
    rows += [
      dict(method=name, seed=steps, accuracies=row.tolist())
      for steps, row in zip(_TUNE_STEPS, found)
    ]
  return rows


def accuracies(study: _Study) -> dict[str, Any]:
  """Return the row of what is to be predicted: accuracies, and the sizes."""
  layout, steps = ghn2_digits.layout(False), _TUNE_STEPS[-1:]
  row = dict(method=hypernetwork_tables.PROPERTY, seed=0)
  for split, archs in study.known.items():
    start = deepnets_training.he_weights(layout, jax.random.key(1), archs)
    (found,) = study.trainer(
      jax.random.key(0), start, archs, study.batches, study.test, steps
    )
    row[split] = found.tolist()
  count = jax.jit(jax.vmap(functools.partial(deepnets.num_params, layout)))
  return row | dict(params=count(study.known['test']).tolist())


def measure(
  study: _Study, name: str, seed: int, method: _Method, truth: dict[str, Any]
) -> list[dict[str, Any]]:
  """Train a hypernetwork and return the rows of all that it is asked for.

  Args:
    study: networks and images.
    name: of the method.
    seed: of the hypernetwork.
    method: its programs.
    truth: from `accuracies`.
  """
  print(f'{name}, seed {seed}', flush=True)
  weights, seconds = train(seed, method, study.batches)
  rows, common = [], dict(method=name, seed=seed)
  for split, (_, archs, score) in study.groups.items():
    params = method.predict[split](weights, archs)
    found = score(params, archs, study.test).tolist()
    row = common | dict(split=split, accuracies=found, update_seconds=seconds)
    rows.append(row)
    if (name, seed, split) == ('ghn2', 0, 'test'):
      rows += tune(study, params)
  seen, unseen = (
    method.embed(weights, study.known[split]) for split in _KNOWN_SPLITS
  )
  percent = 100 * np.array(truth[_KNOWN_SPLITS[0]])
  found = (properties.predict(seen, percent, unseen) / 100).tolist()
  split = hypernetwork_tables.EMBEDDED
  return [*rows, common | dict(split=split, accuracies=found)]


def run(path: pathlib.Path) -> None:
  """Do what the file does not have, and print all.

  Args:
    path: of the results.
  """
  study, rows = prepare(), _read(path)
  done = {(row['method'], row['seed']): row for row in rows}
  truth = done.get((hypernetwork_tables.PROPERTY, 0))
  if truth is None:
    truth = accuracies(study)
    _write(path, truth)
  methods = {name: programs(name, study) for name in ghn2_digits.METHODS}
  for seed, name in itertools.product(range(_SEEDS.value), methods):
    if (name, seed) not in done:
      _write(path, *measure(study, name, seed, methods[name], truth))
  rows = _read(path)
  print(hypernetwork_tables.splits(rows, ghn2_digits.METHODS, _SPLITS), '\n')
  print(hypernetwork_tables.training(rows), '\n')
  print(hypernetwork_tables.properties(rows, ghn2_digits.METHODS))


def main(argv: Sequence[str]) -> None:
  """Run the study.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  del argv  # `launch.parse_flags` lets nothing through.
  launch.set_up_jax()
  workdir = pathlib.Path(_WORKDIR.value)
  # What other options have computed is refused, not continued.
  settings = {o.name: o.value for o in (_STEPS, _NUM, _BATCH, _TUNED, _KNOWN)}
  for name in ghn2_digits.METHODS:
    model = ghn2_digits.model(name, False)
    settings[name] = dict(model, **ghn2_digits.training(name, False))
  with launch.clear_refusals(), folder.work(workdir, settings):
    run(workdir / 'results.jsonl')


if __name__ == '__main__':
  app.run(main, flags_parser=launch.parse_flags)
