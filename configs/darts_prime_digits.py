r"""DARTS-PRIME on handwritten digits, on a CPU, and its ablation.

Maile, Lecarpentier, Luga and Wilson, DARTS-PRIME, 2021, with its three
improvements, scaled down as in `darts_digits.py`: 8x8 images, 4 cells of 8
channels, 7 epochs. Here the first order, an alpha step in 1 + S updates with
S = 2 (paper: 10, of many more), and the 1,400 images divided by S to 1. Adam's
rate for alpha is such that alpha can go as far as in the paper (3e-4 for some
3,200 steps).

  python -m experiments.search --config=configs/darts_prime_digits.py \
      --workdir=runs/darts_prime_digits

Any of the improvements alone or together is an option, the parts joined by a
plus: `:clipped`, `:informed`, `:proximity`, `:adjusted_proximity`, `:admm`,
such as `:clipped+admm`; `:darts` has none of them and takes its alpha steps
every S updates. `sweep()` is the ablation, three seeds an arm. `:quick` has all
three, in the smallest setting of the same code path.
"""

import ml_collections

from configs import darts_digits

_REGULARIZERS = ('adjusted_proximity', 'admm', 'proximity')
_PARTS = ('clipped', 'informed', *_REGULARIZERS)
_PERIOD = 2
_ALL = 'clipped+informed+proximity'
_ARMS = ('darts', 'clipped', 'informed', 'proximity', 'clipped+admm', _ALL)


def _improvements(arg: str) -> dict:
  """Return the arguments of the search for parts joined by a plus."""
  parts = [] if arg == 'darts' else arg.split('+')
  for part in parts:
    if part not in _PARTS:
      raise ValueError(
        f'Unknown option {part!r}. Known: {", ".join(_PARTS)}, darts, quick.'
      )
  regularizers = [part for part in parts if part in _REGULARIZERS]
  if len(regularizers) > 1:
    raise ValueError(f'There can be one regularizer, got {arg!r}.')
  return dict(
    clipped='clipped' in parts,
    informed='informed' in parts,
    regularizer=regularizers[0] if regularizers else None,
  )


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '', 'quick', 'darts', or improvements joined by a plus.

  Returns:
    The config.
  """
  quick = arg == 'quick'
  improvements = _improvements(_ALL if arg in ('', 'quick') else arg)
  config = darts_digits.get_config('quick' if quick else '')
  num_train = 1400 * _PERIOD // (_PERIOD + 1)
  config.data.sizes = {'train': num_train, 'valid': 1400 - num_train}
  config.network.node_norm = improvements['clipped']
  search = config.search.to_dict()
  search.pop('hypergradient')
  epochs, batch_size = search['num_epochs'], config.batches.train.batch_size
  steps_per_epoch = num_train // batch_size
  config.num_steps = 4 if quick else epochs * steps_per_epoch
  config.search = search | dict(
    name='systems.darts_prime.darts_prime',
    steps_per_epoch=steps_per_epoch,
    arch_every=_PERIOD,
    arch_learning_rate=0.015,
    **improvements,
  )
  return config


def sweep() -> list[dict]:
  """Return the arms of the ablation, with three seeds each."""
  return [
    {'seed': seed, 'network.node_norm': arm['clipped']}
    | {f'search.{name}': value for name, value in arm.items()}
    for arm in map(_improvements, _ARMS)
    for seed in range(3)
  ]
