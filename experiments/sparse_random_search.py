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

from nasjax import experiment
from nasjax.data import arrays, fixed, streams
from nasjax.estimators import masked_training
from nasjax.experiment import folder, metrics, sparse_tables

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


def _sizes():
  return 64, _WIDTH.value, _WIDTH.value, 10


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


def compute(output: pathlib.Path) -> tuple[dict[str, Any], list[float]]:
  """Return the results of all parents, `[P, ...]`, and seconds of every block.

  Args:
    output: folder in which blocks that are done are kept.
  """
  data = problem(_EPOCHS.value)
  compare = functools.partial(
    masked_training.compare,
    sizes=_sizes(),
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
      metrics.write_arrays(path, flat)
      seconds.append(time.perf_counter() - before)
      print(f'{path.name}: {seconds[-1]:.1f} s', flush=True)
    with np.load(path, allow_pickle=False) as file:
      blocks.append({name: file[name] for name in file.files})
  joined = {
    n: np.concatenate([block[n] for block in blocks]) for n in blocks[0]
  }
  metrics.write_arrays(output / 'results.npz', joined)
  return joined, seconds


def main(argv: Sequence[str]) -> None:
  """Compute what is missing, write and print the report.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  del argv  # `launch.parse_flags` lets nothing through.
  output = pathlib.Path(_OUTPUT.value)
  options = (_PARENTS, _BLOCK, _WIDTH, _SAMPLES, _RANDOM, _EPOCHS, _SPARSITIES)
  # What other options have computed is refused, not continued.
  settings = {option.name: option.value for option in options}
  experiment.launch.set_up_jax()
  with experiment.launch.clear_refusals(), folder.work(output, settings):
    results, seconds = compute(output)
    sparsities = tuple(map(float, _SPARSITIES.value))
    report = sparse_tables.tables(results, sparsities, _sizes())
    if seconds:
      report += f'\n\nSeconds: {sum(seconds):.0f}, compilation included.'
    (output / 'report.md').write_text(report + '\n')
  print(report)


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
