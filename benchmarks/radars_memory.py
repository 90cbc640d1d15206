"""What RADARS takes where DARTS over the whole space is refused.

Z. Yan et al., RADARS, 2022 (https://arxiv.org/abs/2109.05691): single
architectures, drawn by a policy, prune the space until a differentiable search
fits the memory. Here cells of NAS-Bench-201 whose six edges have the eight
operations of DARTS, on digits:

  python -m benchmarks.radars_memory

prints the compiled peak of an update of every search, in MB: DARTS over all
options, single architectures in training for spaces of two, four and eight
options, and DARTS with so many options left to an edge. A line through the
first and the last predicts all between. Then, under a budget (`--max_mb`; by
default half of the way from four options to eight), DARTS is refused and RADARS
runs to its end.
"""

import argparse

import jax

from benchmarks import measure
from nasjax import data
from nasjax.distributions import categorical as categorical_policy
from nasjax.distributions import softmax, sparse
from nasjax.estimators import stand_alone, training
from nasjax.networks import nasbench201
from nasjax.searches import black_box, hypergradients, memory, run
from nasjax.spaces import categorical, genotypes
from nasjax.strategies import reinforce
from nasjax.systems import darts, radars

# The costliest first, so that spaces of the first few differ in number alone.
_OPERATIONS = (
  'sep_conv_5x5',
  *(name for name in genotypes.OPERATIONS if name != 'sep_conv_5x5'),
)
_SHAPE = (8, 8, 1)
_PARTS = ('train', 'valid')
_ROUNDS = 2
_EPISODES = 2  # architectures of an update of the policy


def _network(operations, channels, **settings):
  return nasbench201.NasBench201(
    channels=channels,
    cells_per_stage=1,
    num_stages=1,
    operations=operations,
    **settings,
  )


def _space(operations):
  return categorical.categorical({'op': (6, len(operations))})


def _descent(options, relaxation=softmax.softmax):
  return darts.darts(
    _space(_OPERATIONS),
    _network(_OPERATIONS, options.channels, affine=False),
    _SHAPE,
    700 // options.batch,
    hypergradient=hypergradients.first_order(),
    derive=None,
    relaxation=relaxation,
  )


def _few(num_options):
  """Return the relaxation of a subspace of so many options."""

  def relaxation(space, **settings):
    return sparse.sparse(softmax.softmax(space, **settings), num_options)

  return relaxation


def _children(options, operations):
  """Return the rewards: accuracies after short trainings from scratch."""
  parts = data.digits()
  trainer = training.train_child(
    _network(operations, options.channels), _SHAPE, options.child_steps
  )
  return stand_alone.stand_alone(
    trainer,
    data.batches(parts['train'], options.batch),
    data.evaluation_batches(parts['valid'], options.batch),
    options.child_steps,
  )


def _radars(options, num_options):
  return radars.radars(
    _space(_OPERATIONS),
    _children(options, _OPERATIONS),
    lambda relaxation: _descent(options, relaxation),
    num_options,
    num_rounds=_ROUNDS,
    steps_per_round=options.round_steps,
    batch_size=_EPISODES,
  )


def _policy(options, num_operations):
  """Return the policy's phase alone, in a space of so many options."""
  operations = _OPERATIONS[:num_operations]
  return black_box.black_box(
    reinforce.reinforce(
      categorical_policy.categorical(_space(operations)), batch_size=_EPISODES
    ),
    _children(options, operations),
  )


def _peaks(options, batch):
  """Compile every search; return rows, and the peaks by options left."""
  most, rows, left = len(_OPERATIONS), [], {}
  for k in (2, 4, most):
    peak = memory.peak_bytes(_policy(options, k), None)
    rows.append((f'policy, one path in a space of {k}', peak / 1e6, None))
  for k in (1, 2, 3, 4, most):
    search = _descent(options, softmax.softmax if k == most else _few(k))
    left[k] = memory.peak_bytes(search, batch)
  slope = (left[most] - left[1]) / (most - 1)
  for k, peak in left.items():
    predicted = None if k in (1, most) else (left[1] + slope * (k - 1)) / 1e6
    rows.append((f'descent among {k}', peak / 1e6, predicted))
  return rows, left


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--channels', type=int, default=16)
  parser.add_argument('--batch', type=int, default=256)
  parser.add_argument('--child_steps', type=int, default=4)
  parser.add_argument('--round_steps', type=int, default=5)
  parser.add_argument('--descent_steps', type=int, default=10)
  parser.add_argument('--num_options', type=int, default=2)
  parser.add_argument('--max_mb', type=float, help='the budget')
  options = parser.parse_args()
  parts = data.digits()
  batches = data.joint(
    **{name: data.batches(parts[name], options.batch) for name in _PARTS}
  )
  batch = batches(jax.random.key(0), 0)

  rows, left = _peaks(options, batch)
  print(measure.table(('an update of', 'peak MB', 'predicted MB'), rows))
  budget = (left[4] + left[len(_OPERATIONS)]) / 2
  if options.max_mb:
    budget = 1e6 * options.max_mb
  try:
    memory.check(_descent(options), batch, budget)
  except ValueError as error:
    print(f'\nDARTS over the whole space: {error}')
  search = memory.check(_radars(options, options.num_options), batch, budget)
  peak = memory.peak_bytes(search, batch)
  num_steps = _ROUNDS * options.round_steps + options.descent_steps
  _, metrics = jax.jit(lambda key: run.run(key, search, batches, num_steps))(
    jax.random.key(0)
  )
  num_left = metrics['num_left'][: -options.descent_steps].astype(int).tolist()
  losses = metrics['train_loss'][-options.descent_steps :]
  print(
    f'\nRADARS under {budget / 1e6:.1f} MB: {peak / 1e6:.1f} MB. Options of '
    f'{6 * len(_OPERATIONS)} that were left after each update of the policy: '
    f'{", ".join(map(str, num_left))}. Training loss of the descent: '
    f'{losses[0]:.2f}, after {options.descent_steps} updates {losses[-1]:.2f}.'
  )


if __name__ == '__main__':
  main()
