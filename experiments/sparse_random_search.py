r"""Are sub-networks that were searched better than those that were drawn?

  python -m experiments.sparse_random_search --output=runs/sparse

The protocol of `estimators.masked_training.compare` on handwritten digits: 20
parents, each a perceptron with more than ten weights for every training image,
at six sparsities; all sub-networks of some parents are trained in one program.
Written are `results.npz`, with all curves, and `report.md`, with the statistics
over parents: what is left of the parent's accuracy, and the paired difference
of what was found, and of the control, from random sub-networks of the same
parent. What was computed is kept: the same command continues.
"""

from collections.abc import Sequence
import functools
import pathlib
import time
from typing import Any

from absl import app, flags
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import stats

from nasjax import experiment, ranking
from nasjax.data import arrays, fixed, streams
from nasjax.estimators import masked_training
from nasjax.experiment import folder, paired
from nasjax.spaces import node_masks

_OUTPUT = flags.DEFINE_string('output', None, 'Folder of the results.')
_PARENTS = flags.DEFINE_integer('parents', 20, 'Seeds of parents.')
_BLOCK = flags.DEFINE_integer('block', 4, 'Parents in one program.')
_WIDTH = flags.DEFINE_integer('width', 96, 'Nodes of both hidden layers.')
_SAMPLES = flags.DEFINE_integer('samples', 100, 'Masks that a search draws.')
_RANDOM = flags.DEFINE_integer('random', 5, 'Random masks a sparsity.')
_EPOCHS = flags.DEFINE_integer('epochs', 20, 'Of every training.')
_SPARSITIES = flags.DEFINE_list(
  'sparsities', ['0.25', '0.5', '0.75', '0.9', '0.95', '0.98'], 'Of nodes.'
)
flags.mark_flags_as_required(['output'])

_IMAGES, _BATCH, _RATE = 800, 64, 1e-3
_MARGIN = 0.005  # of accuracies, in which two are equivalent
_HEAD = (
  'sparsity',
  'nodes a layer',
  'weights removed',
  'random, %',
  'of the parent',
  'least initial loss of 1, 10 and T masks',
)
_CONDITIONS = ('found_loss', 'found_accuracy', 'pruned')


def problem(num_epochs: int) -> dict[str, Any]:
  """Return the arguments of `compare` that are data.

  Args:
    num_epochs: of training.
  """
  data = arrays.digits({'train': _IMAGES, 'rest': 600})
  held_out = arrays.merge([data['rest'], data['test']])
  whole = lambda part: fixed.first(part, len(part.labels))
  batches = streams.batches(data['train'], _BATCH)
  steps = _IMAGES // _BATCH
  epochs = jax.vmap(
    functools.partial(streams.stack(batches, steps), jax.random.key(0))
  )
  return {
    'splits': {'train': whole(data['train']), 'test': whole(held_out)},
    'batches': epochs(jnp.arange(num_epochs)),
  }


def measures(curves: dict[str, np.ndarray], reached: np.ndarray) -> dict:
  """Return what is compared of curves `[..., E + 1]`.

  Args:
    curves: by name.
    reached: training loss whose epoch is counted, `[...]`.

  Returns:
    `final` test accuracy, `area`, its mean over the epochs, and `epochs` until
    the training loss is reached; E + 1 if it never is.
  """
  accuracy, loss = curves['test_accuracy'], curves['train_loss']
  below = loss <= reached[..., None]
  first = np.where(below.any(-1), below.argmax(-1), loss.shape[-1])
  return {
    'final': accuracy[..., -1],
    'area': accuracy[..., 1:].mean(-1),
    'epochs': first.astype(float),
  }


def compute(output: pathlib.Path) -> tuple[dict[str, Any], list[float]]:
  """Return the results of all parents, `[P, ...]`, and seconds of every block.

  Args:
    output: folder in which blocks that are done are kept.
  """
  data = problem(_EPOCHS.value)
  width = _WIDTH.value
  compare = functools.partial(
    masked_training.compare,
    sizes=(64, width, width, 10),
    sparsities=tuple(map(float, _SPARSITIES.value)),
    optimizer=optax.adam(_RATE),
    num_samples=_SAMPLES.value,
    num_random=_RANDOM.value,
  )
  program = jax.jit(
    lambda keys, data: jax.vmap(lambda key: compare(key, **data))(keys)
  )
  keys = jax.random.split(jax.random.key(1), _PARENTS.value)
  blocks, seconds = [], []
  for start in range(0, len(keys), _BLOCK.value):
    path = output / f'block_{start}.npz'
    before = time.perf_counter()
    if not path.exists():
      results = jax.device_get(
        program(keys[start : start + _BLOCK.value], data)
      )
      flat = {
        f'{condition}/{name}': value
        for condition, values in results.items()
        for name, value in values.items()
      }
      np.savez(path, **flat)
      seconds.append(time.perf_counter() - before)
      print(f'{path.name}: {seconds[-1]:.1f} s', flush=True)
    with np.load(path, allow_pickle=False) as file:
      blocks.append({name: file[name] for name in file.files})
  joined = {
    n: np.concatenate([block[n] for block in blocks]) for n in blocks[0]
  }
  np.savez(output / 'results.npz', **joined)
  return joined, seconds


def _of(results, condition):
  start = f'{condition}/'
  return {
    name.removeprefix(start): value
    for name, value in results.items()
    if name.startswith(start)
  }


def _percent(row, scale):
  star = ' =' if row['equivalent'] else ''
  return (
    f'{scale * row["mean"]:.2f} [{scale * row["low"]:.2f}, '
    f'{scale * row["high"]:.2f}] p={row["p"]:.2g}{star}'
  )


def tables(
  results: dict[str, Any], sparsities: Sequence[float], width: int
) -> str:
  """Return the report in markdown.

  Args:
    results: from `compute`.
    sparsities: of the nodes.
    width: of the hidden layers.
  """
  random = _of(results, 'random')
  # Half of what random sub-networks still lose at the end is gone: an event
  # that comes at every sparsity.
  start, end = (random['train_loss'][..., i].mean(2) for i in (0, -1))
  reached = (start + end) / 2
  base = {
    name: value.mean(2)
    for name, value in measures(
      random,
      np.broadcast_to(reached[..., None], random['train_loss'].shape[:3]),
    ).items()
  }
  dense = _of(results, 'dense')['test_accuracy'][:, -1]
  others = {c: measures(_of(results, c), reached) for c in _CONDITIONS}
  lines = [
    (
      f'{len(dense)} parents; test accuracy of the parents '
      f'{100 * dense.mean():.2f} %, standard deviation {100 * dense.std():.2f}.'
    ),
    '',
    f'| {" | ".join(_HEAD)} |',
    '|' + ' --- |' * len(_HEAD),
  ]
  scores = results['initial/loss']
  for i, s in enumerate(sparsities):
    counts = node_masks.kept((width, width), s)
    removed = node_masks.weight_sparsity((64, width, width, 10), counts)
    final = base['final'][:, i]
    drawn = scores.shape[-1]
    losses = [
      -np.mean([ranking.expected_maximum(row, n) for row in scores[:, i]])
      for n in (1, min(10, drawn), drawn)
    ]
    lines.append(
      f'| {s} | {counts[0]} | {removed:.4f} | {100 * final.mean():.2f} ± '
      f'{100 * final.std():.2f} | {(final / dense).mean():.3f} | '
      f'{", ".join(f"{loss:.3f}" for loss in losses)} |'
    )
  for name, scale, margin in (
    ('final', 100, _MARGIN),
    ('area', 100, _MARGIN),
    ('epochs', 1, 0.5),
  ):
    lines += ['', f'`{name}`, difference from random', '']
    lines += ['| sparsity | ' + ' | '.join(_CONDITIONS) + ' |']
    lines += ['|' + ' --- |' * (1 + len(_CONDITIONS))]
    for i, s in enumerate(sparsities):
      cells = [
        _percent(
          paired.paired(others[c][name][:, i], base[name][:, i], margin), scale
        )
        for c in _CONDITIONS
      ]
      lines.append(f'| {s} | ' + ' | '.join(cells) + ' |')
  lines += ['', 'Spearman, initial loss and final accuracy of random masks:']
  for i, s in enumerate(sparsities):
    centred = [
      (value - value.mean(1, keepdims=True)).ravel()
      for value in (
        random['train_loss'][:, i, :, 0],
        random['test_accuracy'][:, i, :, -1],
      )
    ]
    correlation = stats.spearmanr(*centred)
    lines.append(
      f'{s}: {correlation.statistic:.2f} (p={correlation.pvalue:.2g})'
    )
  return '\n'.join(lines)


def main(argv: Sequence[str]) -> None:
  """Compute what is missing, write and print the report.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  if len(argv) > 1:
    raise app.UsageError(f'Unexpected arguments: {" ".join(argv[1:])}.')
  output = pathlib.Path(_OUTPUT.value)
  options = (_PARENTS, _BLOCK, _WIDTH, _SAMPLES, _RANDOM, _EPOCHS, _SPARSITIES)
  # What other options have computed is refused, not continued.
  settings = {option.name: option.value for option in options}
  experiment.launch.set_up_jax()
  with experiment.launch.clear_refusals(), folder.work(output, settings):
    results, seconds = compute(output)
    sparsities = tuple(map(float, _SPARSITIES.value))
    report = tables(results, sparsities, _WIDTH.value)
    if seconds:
      report += f'\n\nSeconds: {sum(seconds):.0f}, compilation included.'
    (output / 'report.md').write_text(report + '\n')
  print(report)


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
