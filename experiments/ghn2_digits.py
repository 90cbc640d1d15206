r"""How good are the weights that a hypernetwork predicts for unseen networks?

  python -m experiments.ghn2_digits --workdir=runs/ghn2_splits

Trains the hypernetworks of `configs/ghn2_digits.py` on 700 digits, each with
some seeds, and tests networks of all splits with the weights that they predict,
on 397 other images in batches of 64. Some networks are then trained from
predicted weights and from random ones. Every result is a line of results.jsonl;
what is there is not done again, and tables of all are printed in the end.
"""

from collections.abc import Sequence
import functools
import json
import pathlib
import time
from typing import Any, NamedTuple

from absl import app, flags
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import stats

from configs import ghn2_digits
from nasjax import batching
from nasjax.data import arrays, streams
from nasjax.estimators import hypernetwork
from nasjax.experiment import build
from nasjax.networks import deepnets_weights
from nasjax.spaces import deepnets, deepnets_splits

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the results.')
_STEPS = flags.DEFINE_integer('steps', 2000, 'Updates of a hypernetwork.')
_SEEDS = flags.DEFINE_integer('seeds', 3, 'Hypernetworks of a method.')
_NUM = flags.DEFINE_integer('networks', 50, 'Of a split.')
_BATCH = flags.DEFINE_integer('batch_size', 32, 'Images of an update.')
_TUNED = flags.DEFINE_integer('tuned', 8, 'Networks that are trained.')
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


def _write(path, **row):
  with path.open('a') as file:
    file.write(json.dumps(row) + '\n')
  print(row, flush=True)


def accuracies(split: deepnets_splits.Split) -> Any:
  """Return `(params [B, ...], archs, batches) -> f32[B]`, compiled once."""

  def one(net, batches):
    accuracy = lambda batch: hypernetwork.measure(split.layout, *net, batch)[1]
    return jnp.mean(jax.lax.map(accuracy, batches))

  @jax.jit
  def all_networks(params, archs, batches):
    return batching.map_archs(one, (params, archs), shared=(batches,))

  return all_networks


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


def tune(
  split: deepnets_splits.Split, starts: dict[str, Any], archs: Any, data: Any
) -> dict[str, np.ndarray]:
  """Return test accuracies of networks trained from some weights.

  Args:
    split: of the networks.
    starts: name -> weights `[B, ...]` that they start from.
    archs: the networks `[B, ...]`.
    data: `(batches, test batches)`.

  Returns:
    Name -> `[steps, B]`, after the steps of `_TUNE_STEPS`.
  """
  batches, test = data
  optimizer = optax.adam(_TUNE_RATE)
  score = accuracies(split)

  @jax.jit
  def step(params, moments, archs, batch):
    def one(net, batch):
      params, moments, arch = net
      loss = lambda p: hypernetwork.measure(split.layout, p, arch, batch)[0]
      updates, moments = optimizer.update(jax.grad(loss)(params), moments)
      return optax.apply_updates(params, updates), moments

    nets = (params, moments, archs)
    return batching.map_archs(one, nets, shared=(batch,))

  found = {}
  for name, params in starts.items():
    moments, rows = jax.vmap(optimizer.init)(params), []
    for t in range(max(_TUNE_STEPS) + 1):
      if t in _TUNE_STEPS:
        rows.append(np.asarray(score(params, archs, test)))
      batch = batches(jax.random.key(0), t)
      params, moments = step(params, moments, archs, batch)
    found[name] = np.stack(rows)
  return found


class _Method(NamedTuple):
  """The programs of a method."""

  init: Any
  update: Any
  predict: dict[str, Any]  # by split


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
  return _Method(estimator.init, jax.jit(estimator.update), predict)


def _tune_some(path, group, params, parts):
  """Train some networks from predicted and from random weights."""
  split, archs, _ = group
  first = lambda tree: jax.tree.map(lambda x: x[: _TUNED.value], tree)
  some = first(archs)
  draw = lambda arch: deepnets_weights.draw(
    split.layout, jax.random.key(1), arch
  )
  starts = {'predicted': first(params), 'random': jax.vmap(draw)(some)}
  tuned = tune(split, starts, some, (parts['train'], parts['test']))
  for start, rows in tuned.items():
    for steps, row in zip(_TUNE_STEPS, rows):
      name = f'trained from {start} weights'
      _write(path, method=name, seed=steps, accuracies=row.tolist())


def tables(rows: Sequence[dict]) -> str:
  """Return the results as tables in markdown.

  Args:
    rows: lines of results.jsonl.

  Returns:
    Accuracies in percent, means of the seeds with 95 % intervals, and those of
    networks in training with their standard errors.
  """
  lines = ['| | seeds | ' + ' | '.join(_SPLITS) + ' |']
  lines.append('|---' * (len(_SPLITS) + 2) + '|')
  for method in ghn2_digits.METHODS:
    means = {split: [] for split in _SPLITS}
    for row in rows:
      if row['method'] == method:
        means[row['split']].append(100 * np.mean(row['accuracies']))
    cells = [_interval(values) for values in means.values()]
    lines.append(f'| {method} | {len(means["test"])} | {" | ".join(cells)} |')
  lines += ['', '| after steps | from | accuracy |', '|---|---|---|']
  for row in rows:
    if row['method'].startswith('trained from'):
      values = 100 * np.array(row['accuracies'])
      error = values.std(ddof=1) / len(values) ** 0.5
      start = row['method'].removeprefix('trained from ')
      lines.append(
        f'| {row["seed"]} | {start} | {values.mean():.1f} ± {error:.1f} |'
      )
  return '\n'.join(lines)


def _interval(values):
  """Return a mean and half of its 95 % interval, as Student has it."""
  if len(values) < 2:
    return f'{np.mean(values):.1f}' if values else ''
  half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
  return f'{np.mean(values):.1f} ± {half:.1f}'


def main(argv: Sequence[str]) -> None:
  del argv
  path = pathlib.Path(_WORKDIR.value) / 'results.jsonl'
  path.parent.mkdir(parents=True, exist_ok=True)
  lines = path.read_text().splitlines() if path.exists() else []
  done = {(row['method'], row['seed']) for row in map(json.loads, lines)}
  digits = arrays.digits()
  parts = {
    'train': streams.batches(digits['train'], _BATCH.value),
    'test': streams.evaluation_batches(digits['test'], _TEST_BATCH),
  }
  groups = {
    name: (split, deepnets_splits.networks(split), accuracies(split))
    for name, split in splits(_NUM.value).items()
    if name in _SPLITS
  }
  methods = {
    name: programs(name, groups, parts['test']) for name in ghn2_digits.METHODS
  }
  for seed in range(_SEEDS.value):
    for name, method in methods.items():
      if (name, seed) in done:
        continue
      print(f'{name}, seed {seed}', flush=True)
      weights, seconds = train(seed, method, parts['train'])
      for group, (_, archs, score) in groups.items():
        params = method.predict[group](weights, archs)
        found = score(params, archs, parts['test']).tolist()
        row = dict(method=name, seed=seed, split=group, accuracies=found)
        _write(path, **row, update_seconds=seconds)
        if (name, seed, group) == ('ghn2', 0, 'test'):
          _tune_some(path, groups[group], params, parts)
  lines = path.read_text().splitlines()
  print(tables([json.loads(line) for line in lines]))


if __name__ == '__main__':
  app.run(main)
