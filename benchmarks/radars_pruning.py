"""What the policy of RADARS is worth, on the table of digits.

Z. Yan et al., RADARS, 2022 (https://arxiv.org/abs/2109.05691), with hundreds of
seeds in one program: rewards are looked up (one training's validation
accuracy), and the descent in the subspace is on the expectation of the same
column under the mixture, a supernet without error. So what differs is what the
pruning keeps:

  python -m benchmarks.radars_pruning

  RADARS           two rounds of the policy, then descent
  random pruning   to as many options, then descent: the control
  no pruning       descent in the whole space, which RADARS cannot afford
  REINFORCE        as many evaluations in the whole space; the best seen

The table has what is found: its validation accuracy in the column that steers,
and its test accuracy, the mean of three trainings; the mean test accuracy of
all cells that are left; and standard errors over seeds.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import measure
from nasjax import choice
from nasjax.data import digits_table
from nasjax.distributions import categorical as categorical_policy
from nasjax.distributions import softmax
from nasjax.estimators import tabular
from nasjax.searches import bilevel, black_box, run
from nasjax.spaces import categorical, nasbench201
from nasjax.strategies import reinforce
from nasjax.systems import radars

_MASK = digits_table.MASK  # the first four operations of all six edges
_SPACE = nasbench201.nasbench201(_MASK)
_NUMBER = categorical.numbering(_MASK)
_CELLS = jax.vmap(_SPACE.index)(jnp.arange(digits_table.NUM_CELLS))['op']
_ROUNDS, _EPISODES, _DESCENT = 2, 4, 100


def _descent(values, relaxation=softmax.softmax):
  """Return descent on the expected value of the cells under a mixture."""

  def loss(weights, arch, key, batch):
    del key, batch
    expected = values.reshape((4,) * 6)
    for weight in choice.one_hot(arch, _MASK)['op'][:, :4]:
      expected = jnp.tensordot(weight, expected, 1)
    return jnp.sum(weights**2) - expected, {}

  return bilevel.bilevel(
    loss,
    lambda key: jnp.zeros(1),
    relaxation(_SPACE),
    weight_optimizer=optax.sgd(0.1),
    arch_optimizer=optax.adam(0.1),
  )


def _arms(values, counts, round_steps):
  """Return searches by name and options, and the number of their updates."""
  estimator = tabular.tabular(_NUMBER, values)

  def pruned(num_options, optimizer):
    return radars.radars(
      _SPACE,
      estimator,
      lambda relaxation: _descent(values, relaxation),
      num_options,
      num_rounds=_ROUNDS,
      steps_per_round=round_steps,
      batch_size=_EPISODES,
      optimizer=optimizer,
    )

  policy = categorical_policy.categorical(_SPACE)
  alone = reinforce.reinforce(policy, optax.adam(0.1), _EPISODES)
  steps = _ROUNDS * round_steps
  arms = {}
  for count in counts:
    length = steps + _DESCENT
    arms['RADARS', count] = pruned(count, None), length
    arms['random pruning', count] = pruned(count, optax.set_to_zero()), length
  arms['no pruning', 4] = _descent(values), _DESCENT
  arms['REINFORCE', 4] = black_box.black_box(alone, estimator), steps
  return arms


def _measure(search, num_steps, columns, num_seeds):
  """Return both accuracies of what is found, and the mean left: f32[S]."""
  valid, test = columns

  def batches(key, t):
    del key, t
    return dict.fromkeys(('train', 'valid'), jnp.zeros(()))

  def one(key):
    state, _ = run.run(key, search, batches, num_steps)
    row = _NUMBER(search.best(key, state))
    left = jnp.ones(len(test))
    if hasattr(state, 'first'):
      left = jnp.all(state.first.mask['op'][jnp.arange(6), _CELLS], axis=-1)
    return valid[row], test[row], jnp.sum(left * test) / jnp.sum(left)

  keys = jax.random.split(jax.random.key(0), num_seeds)
  return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(keys))


def _with_error(values):
  error = np.std(values) / np.sqrt(len(values))
  return f'{np.mean(values):.2f} +- {error:.2f}'


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--num_seeds', type=int, default=200)
  parser.add_argument('--round_steps', type=int, default=50, help='updates')
  options = parser.parse_args()
  table = digits_table.load()
  columns = [
    jnp.asarray(digits_table.values(table, *which))
    for which in (('valid', 36, 0), ('test',))
  ]
  arms = _arms(columns[0], (2, 3), options.round_steps)
  rows = []
  for (name, count), (search, num_steps) in arms.items():
    values = _measure(search, num_steps, columns, options.num_seeds)
    rows.append((name, count, *map(_with_error, values)))
  evaluations = _ROUNDS * options.round_steps * _EPISODES
  head = ('search', 'options', 'validation', 'test', 'test of all that is left')
  print(f'{options.num_seeds} seeds, {evaluations} evaluations\n')
  print(measure.table(head, rows))


if __name__ == '__main__':
  main()
