r"""What are the children of a supernet worth, from the smallest to the biggest?

  python -m experiments.bignas_digits --workdir=runs/bignas \
      --output=docs/studies/bignas_digits

Trains the supernet of `configs/bignas_digits.py` and those that leave out one
part of the method, then tests a ladder of children with the weights that they
share, with calibrated norm and with the statistics of the test batch, and the
same children trained alone. What was stopped is continued. Written are a table
and a figure: accuracy on the test images against multiply-adds.
"""

from collections.abc import Sequence
import csv
import pathlib
from typing import Any

from absl import app, flags
import jax
import jax.numpy as jnp
import numpy as np

from configs import bignas_digits
from nasjax import batching, choice, experiment
from nasjax.data import streams
from nasjax.estimators import calibration
from nasjax.experiment import build, loop, phases
from nasjax.networks import mobile_cost
from nasjax.spaces import mobile

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the runs.')
_OUTPUT = flags.DEFINE_string('output', None, 'Folder of table and figure.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of weights, batches and children.')
_NUM = flags.DEFINE_integer('num_children', 9, 'Rungs of the ladder.')
flags.mark_flags_as_required(['workdir', 'output'])

_VARIANTS = (
  '',
  'no_distillation',
  'no_sandwich',
  'no_ending',
  'no_zero',
  'regularize_all',
)


def ladder(
  layout: mobile.Layout, network: Any, num_children: int, seed: int
) -> dict[str, np.ndarray]:
  """Return the smallest child, random ones by rising cost, and the biggest.

  Args:
    layout: of the space.
    network: says what children cost.
    num_children: how many.
    seed: of the draw, of twenty for each; those nearest to equal steps of the
      cost are taken.

  Returns:
    Architectures, pytree of `[num_children, ...]`.
  """
  space = mobile.mobile(layout)
  keys = jax.random.split(jax.random.key(seed), 20 * num_children)
  drawn = jax.vmap(space.sample)(keys)
  costs = np.asarray(jax.vmap(mobile_cost.mobile_macs(network, 1))(drawn))
  ends = [mobile.smallest(layout), mobile.biggest(layout)]
  low, high = (float(mobile_cost.mobile_macs(network, 1)(end)) for end in ends)
  steps = np.linspace(low, high, num_children)[1:-1]
  rows = [int(np.argmin(np.abs(costs - step))) for step in steps]
  archs = [
    ends[0],
    *(jax.tree.map(lambda leaf, i=i: leaf[i], drawn) for i in rows),
    ends[1],
  ]
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *archs)


def supernet(variant: str, workdir: pathlib.Path, seed: int) -> phases.Job:
  """Return the job of a variant, without its evaluation.

  Args:
    variant: option of the config.
    workdir: of the run.
    seed: of the run.
  """
  config = bignas_digits.get_config(variant)
  config.seed, config.num_random = seed, 0
  return experiment.prepare(config, workdir)


def shared(job: phases.Job, archs: Any) -> dict[str, np.ndarray]:
  """Train a supernet, or read it, and test children with its weights.

  Args:
    job: from `supernet`.
    archs: of the children.

  Returns:
    Accuracies by the statistics that normalise: calibrated ones, and those of
    the test batch.
  """
  state = loop.loop(
    jax.random.key(job.config['seed']),
    job.parts['search'],
    job.parts['batches'],
    job.config['num_steps'],
    job.workdir / 'search',
  )
  data, network = job.parts['data'], job.parts['network'].clone(track=True)
  images = streams.evaluation_batches(data['train'], 100)['image']
  test = streams.evaluation_batches(data['test'], 100)
  accuracy = calibration.calibrated_accuracy(network, images)

  def of_batch(params, arch):
    def hits(batch):
      logits = job.parts['network'].apply(
        {'params': params}, arch, batch['image']
      )
      return logits.argmax(-1) == batch['label']

    return streams.weighted_mean(hits, test)

  def both(arch, params):
    return accuracy(params, arch, test), of_batch(params, arch)

  measured = jax.jit(
    lambda archs, params: batching.map_archs(both, archs, shared=(params,))
  )(archs, state.first.weights)
  return dict(zip(('calibrated', 'batch'), map(np.asarray, measured)))


def alone(job: phases.Job, archs: Any) -> np.ndarray:
  """Train every child from scratch, or continue, and test it.

  Args:
    job: of any variant.
    archs: of the children.

  Returns:
    Accuracies.
  """
  search, final, batches = phases.build_evaluation(job, archs, [])
  state = loop.loop(
    jax.random.key(job.config['seed']),
    search,
    batches,
    job.config['evaluation']['num_steps'],
    job.workdir / 'alone',
  )
  return np.asarray(jax.jit(final)(jax.random.key(0), state)['test_accuracy'])


def draw(rows: list[dict[str, Any]], path: pathlib.Path) -> None:
  """Draw accuracies against multiply-adds, a line for every column."""
  from matplotlib import figure

  axes = (page := figure.Figure(figsize=(7, 4.5))).subplots()
  macs = [row['macs'] for row in rows]
  for name in rows[0]:
    if name.endswith('calibrated') or name == 'alone':
      values = [100 * row[name] for row in rows]
      axes.plot(macs, values, marker='o', label=name)
  axes.set(xlabel='multiply-adds', ylabel='test accuracy (%)')
  axes.legend()
  page.savefig(path, dpi=150, bbox_inches='tight')


def main(argv: Sequence[str]) -> None:
  """Run all, write table and figure."""
  del argv
  experiment.launch.set_up_jax()
  workdir = pathlib.Path(_WORKDIR.value) / str(_SEED.value)
  output = pathlib.Path(_OUTPUT.value)
  output.mkdir(parents=True, exist_ok=True)
  layout = build.build(bignas_digits.layout())
  job = supernet('', workdir / 'bignas', _SEED.value)
  network = job.parts['network']
  archs = ladder(layout, network, _NUM.value, _SEED.value)
  costs = jax.vmap(mobile_cost.mobile_cost(network, 1))(archs)
  columns = {'params': costs.params, 'macs': costs.macs}
  columns['alone'] = alone(job, archs)
  for variant in _VARIANTS:
    name = variant or 'bignas'
    one = supernet(variant, workdir / name, _SEED.value)
    found = shared(one, archs)
    columns |= {f'{name}_{key}': value for key, value in found.items()}
  rows = [
    {name: float(values[i]) for name, values in columns.items()}
    for i in range(_NUM.value)
  ]
  path = output / f'ladder_{_SEED.value}.csv'
  with path.open('w', newline='') as file:
    writer = csv.DictWriter(file, list(columns) + ['arch'])
    writer.writeheader()
    for i, row in enumerate(rows):
      arch = jax.tree.map(lambda leaf, i=i: leaf[i], archs)
      writer.writerow(row | {'arch': choice.static(arch)})
  draw(rows, output / f'ladder_{_SEED.value}.png')
  print(path.read_text())


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
