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
  hypernetwork_tables,
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
_TUNE_STEPS, _TUNE_RATE = (0, 10, 30, 100), 1e-3


def splits(num_networks: int) -> dict[str, deepnets_splits.Split]:
  """Return the splits of small networks, each with so many."""
  return deepnets_splits.splits(
    ghn2_digits.layout(False),
    (10**6, num_networks, num_networks),
    deepnets_splits.Extremes(2, (5, 6), (2,), num_networks, None),
  )


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
  seconds = (time.perf_counter() - start) / max(num_steps - 1, 1)
  return state.weights, seconds


class _Method(NamedTuple):
  """The programs of a method."""

  init: Any
  update: Any
  predict: dict[str, Any]  # by split
  embed: Any


def programs(method: str, groups: dict, test: Any) -> _Method:
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
    test,
    **settings,
  )
  predict = {
    name: jax.jit(
      functools.partial(
        hypernetwork.predict,
        split.layout,
        model,
        normalise=settings['normalise'],
      )
    )
    for name, (split, _, _) in groups.items()
  }
  embed = functools.partial(hypernetwork.embed, layout, model)
  update = jax.jit(estimator.update)
  return _Method(estimator.init, update, predict, jax.jit(embed))


def _tune_some(archs, params, trainer, parts):
  """Return rows of networks trained from predicted and from random weights."""
  first = lambda tree: jax.tree.map(lambda x: x[: _TUNED.value], tree)
  some = first(archs)
  layout, data = ghn2_digits.layout(False), (parts['train'], parts['test'])
  random = deepnets_training.he_weights(layout, jax.random.key(1), some)
  starts = {'predicted': first(params), 'random': random}
  rows = []
  for start, params in starts.items():
    tuned = trainer(jax.random.key(0), params, some, *data, _TUNE_STEPS)
    name = f'trained from {start} weights'
    rows += [
      dict(method=name, seed=steps, accuracies=row.tolist())
      for steps, row in zip(_TUNE_STEPS, tuned)
    ]
  return rows


def _property(path, archs, trainer, parts):
  """Return the row of what is to be predicted: accuracies, and the sizes."""
  layout, data = ghn2_digits.layout(False), (parts['train'], parts['test'])
  row = dict(method=hypernetwork_tables.PROPERTY, seed=0)
  for split, some in archs.items():
    start = deepnets_training.he_weights(layout, jax.random.key(1), some)
    last = _TUNE_STEPS[-1:]
    (found,) = trainer(jax.random.key(0), start, some, *data, last)
    row[split] = found.tolist()
  count = jax.jit(jax.vmap(functools.partial(deepnets.num_params, layout)))
  row['params'] = count(archs['test']).tolist()
  _write(path, row)
  return row


def main(argv: Sequence[str]) -> None:
  del argv
  path = pathlib.Path(_WORKDIR.value) / 'results.jsonl'
  path.parent.mkdir(parents=True, exist_ok=True)
  lines = path.read_text().splitlines() if path.exists() else []
  rows = [json.loads(line) for line in lines]
  done = {(row['method'], row['seed']): row for row in rows}
  digits = arrays.digits()
  parts = {
    'train': streams.batches(digits['train'], _BATCH.value),
    'test': streams.evaluation_batches(digits['test'], _TEST_BATCH),
  }
  layout = ghn2_digits.layout(False)
  groups = {
    name: (
      split,
      deepnets_splits.networks(split),
      deepnets_training.scorer(split.layout),
    )
    for name, split in splits(_NUM.value).items()
    if name in _SPLITS
  }
  trainer = deepnets_training.trainer(layout, _TUNE_RATE)
  known = {
    name: deepnets_splits.networks(splits(_KNOWN.value)[name])
    for name in ('valid', 'test')
  }
  truth = done.get((hypernetwork_tables.PROPERTY, 0))
  truth = truth or _property(path, known, trainer, parts)
  if len(truth['valid']) != _KNOWN.value:
    raise app.UsageError(
      f'{path} knows {len(truth["valid"])} networks, --known={_KNOWN.value}.'
    )
  methods = {
    name: programs(name, groups, parts['test']) for name in ghn2_digits.METHODS
  }
  for seed in range(_SEEDS.value):
    for name, method in methods.items():
      if (name, seed) in done:
        continue
      print(f'{name}, seed {seed}', flush=True)
      weights, seconds = train(seed, method, parts['train'])
      rows = []
      for group, (_, archs, score) in groups.items():
        params = method.predict[group](weights, archs)
        found = score(params, archs, parts['test']).tolist()
        row = dict(method=name, seed=seed, split=group, accuracies=found)
        rows.append(row | dict(update_seconds=seconds))
        if (name, seed, group) == ('ghn2', 0, 'test'):
          rows += _tune_some(archs, params, trainer, parts)
      embedded = [method.embed(weights, known[s]) for s in ('valid', 'test')]
      percent = 100 * np.array(truth['valid'])
      found = properties.predict(embedded[0], percent, embedded[1]) / 100
      row = dict(method=name, seed=seed, split=hypernetwork_tables.EMBEDDED)
      _write(path, *rows, row | dict(accuracies=found.tolist()))
  rows = [json.loads(line) for line in path.read_text().splitlines()]
  print(hypernetwork_tables.splits(rows, ghn2_digits.METHODS, _SPLITS), '\n')
  print(hypernetwork_tables.training(rows), '\n')
  print(hypernetwork_tables.properties(rows, ghn2_digits.METHODS))


if __name__ == '__main__':
  app.run(main)
