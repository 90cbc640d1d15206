r"""What are the children of a supernet worth, from the smallest to the biggest?

  python -m experiments.bignas_digits --workdir=runs/bignas \
      --output=docs/studies/bignas_digits

Trains the supernet of `configs/bignas_digits.py` and those that leave out one
part of the method, then tests a ladder of children and the child that was
selected, with the weights that they share, with calibrated norm and with the
statistics of the test batch, and the same children trained alone; all for
several seeds. What was stopped is continued. Written are tables of means and
deviations, a row a child, a figure of accuracy on the test images against
multiply-adds, and what each part changes, with its 95 % interval.
"""

from collections.abc import Sequence
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
from nasjax.experiment import (
  build,
  folder,
  ladders,
  loop,
  phases,
  results,
)
from nasjax.spaces import mobile

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the runs.')
_OUTPUT = flags.DEFINE_string('output', None, 'Folder of table and figure.')
_OPTIONS = flags.DEFINE_string('options', '', "Of the config: 'cifar10'.")
_SEEDS = flags.DEFINE_integer('seeds', 3, 'Of weights and batches.')
_NUM = flags.DEFINE_integer('num_children', 9, 'Rungs of the ladder.')
_VARIANTS = flags.DEFINE_list(
  'variants', list(bignas_digits.VARIANTS), 'What to leave out, one by one.'
)
flags.mark_flags_as_required(['workdir', 'output'])


def ladder(
  layout: mobile.Layout, macs: Any, num_children: int
) -> dict[str, np.ndarray]:
  """Return the smallest child, random ones by rising cost, and the biggest.

  Args:
    layout: of the space.
    macs: `(arch) -> f32[]`, their cost.
    num_children: how many; of twenty for each that are drawn, those nearest to
      equal steps of the cost are taken.

  Returns:
    Architectures, pytree of `[num_children, ...]`.
  """
  space = mobile.mobile(layout)
  keys = jax.random.split(jax.random.key(0), 20 * num_children)
  drawn = jax.vmap(space.sample)(keys)
  costs = np.asarray(jax.vmap(macs)(drawn))
  ends = [mobile.smallest(layout), mobile.biggest(layout)]
  low, high = (float(macs(end)) for end in ends)
  steps = np.linspace(low, high, num_children)[1:-1]
  rows = [int(np.argmin(np.abs(costs - step))) for step in steps]
  archs = [
    ends[0],
    *(experiment.export.at(drawn, i) for i in rows),
    ends[1],
  ]
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *archs)


def supernet(variant: str, workdir: pathlib.Path, seed: int) -> phases.Job:
  """Return the job of a variant, without its evaluation.

  Args:
    variant: option of the config, or 'bignas' for the whole method.
    workdir: of the run.
    seed: of the run.
  """
  options = _OPTIONS.value + (variant != 'bignas') * f',{variant}'
  config = bignas_digits.get_config(options)
  config.seed, config.num_random = seed, 0
  return experiment.prepare(config, workdir)


def _train(job, name, search, batches, num_steps):
  """Return the state after the steps, of which those in the folder are done."""
  with folder.work(job.workdir, job.config):
    key = jax.random.key(job.config['seed'])
    return loop.loop(key, search, batches, num_steps, job.workdir / name)


def trained(job: phases.Job) -> Any:
  """Return the state of a supernet behind its selection, trained or read.

  Args:
    job: from `supernet`.
  """
  parts, num_steps = job.parts, job.config['num_steps']
  return _train(job, 'search', parts['search'], parts['batches'], num_steps)


def shared(job: phases.Job, archs: Any) -> dict[str, np.ndarray]:
  """Test children with the weights of a supernet.

  Args:
    job: from `supernet`.
    archs: of the children.

  Returns:
    Accuracies by the statistics that normalise: calibrated ones, and those of
    the test batch.
  """
  state = trained(job)
  data, network = job.parts['data'], job.parts['network']
  images = streams.evaluation_batches(data['train'], 100)['image']
  test = streams.evaluation_batches(data['test'], 100)
  tracked = network.clone(track=True, momentum=0.0)
  accuracy = calibration.calibrated_accuracy(tracked, images)

  def of_batch(params, arch):
    def hits(batch):
      logits = network.apply({'params': params}, arch, batch['image'])
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
  section = job.config['evaluation']
  search, final, batches = phases.build_evaluation(job, archs, [], section)
  state = _train(job, 'alone', search, batches, section['num_steps'])
  return np.asarray(jax.jit(final)(jax.random.key(0), state)['test_accuracy'])


def measure(workdir: pathlib.Path, seed: int) -> dict[str, Any]:
  """Train all networks of a seed, or read them.

  Args:
    workdir: of the study.
    seed: of weights and batches.

  Returns:
    Columns, `[num_children + 1]`, of the ladder and of the selected child:
    architectures, costs, and accuracies by name.
  """
  jobs = {
    name: supernet(name, workdir / f'{name}_{seed}', seed)
    for name in ('bignas', *_VARIANTS.value)
  }
  job = jobs['bignas']
  costs = job.parts['describe']
  layout = build.build(job.config['search']['layout'])
  rungs = ladder(layout, costs['macs'], _NUM.value)
  selected = job.parts['search'].best(jax.random.key(0), trained(job))
  join = lambda rungs, one: jnp.concatenate([rungs, jnp.asarray(one)[None]])
  archs = jax.tree.map(join, rungs, jax.device_get(selected))
  columns = {name: jax.vmap(cost)(archs) for name, cost in costs.items()}
  columns['alone'] = alone(job, archs)
  for name, one in jobs.items():
    for key, values in shared(one, archs).items():
      columns[name if key == 'calibrated' else f'{name}_{key}'] = values
  columns = {name: np.asarray(values) for name, values in columns.items()}
  children = [experiment.export.at(archs, i) for i in range(_NUM.value + 1)]
  return {'arch': list(map(choice.static, children))} | columns


def draw(rows: list[dict[str, Any]]) -> Any:
  """Draw accuracies against multiply-adds, a line for every way.

  Args:
    rows: from `ladders.table`; the last, the selected children, are a star.
  """
  *rungs, selected = rows
  axes = experiment.plots.new_axes('', 'multiply-adds', 'test accuracy, %')
  for name in ('alone', 'bignas', *_VARIANTS.value):
    axes.errorbar(
      [row['macs'] for row in rungs],
      [100 * row[name] for row in rungs],
      [100 * row[f'{name}_std'] for row in rungs],
      label=name,
      marker='.',
      linestyle='--' if name == 'alone' else '-',
      capsize=2,
    )
  chosen = selected['macs'], 100 * selected['bignas']
  axes.plot(*chosen, 'k*', markersize=9, label='selected')
  axes.legend(fontsize=8, frameon=False)
  return axes.figure


def main(argv: Sequence[str]) -> None:
  """Run all, write tables and figure.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  del argv  # `launch.parse_flags` lets nothing through.
  with experiment.launch.clear_errors():
    experiment.launch.set_up_jax()
    workdir, output = pathlib.Path(_WORKDIR.value), pathlib.Path(_OUTPUT.value)
    output.mkdir(parents=True, exist_ok=True)
    of_seeds = [measure(workdir, seed) for seed in range(_SEEDS.value)]
    rows = ladders.table(of_seeds)
    results.write_csv(output / 'ladder.csv', rows)
    (output / 'ladder.png').write_bytes(experiment.plots.png(draw(rows)))
    names = ('bignas', 'alone', 'bignas_batch', *_VARIANTS.value)
    lines = [[row[name] for name in ('macs', *names)] for row in rows]
    text = results.grid(('macs', *names), lines)
    header = ('minus bignas, %', 'smallest', 'biggest', 'mean', 'selected')
    differences = ladders.differences(of_seeds, names)
    text += '\n\n' + results.grid(header, differences)
    (output / 'ladder.txt').write_text(text + '\n')
    print(text)


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
