r"""Scores of a sample of untrained networks of the DARTS space.

H. Liu et al., DARTS, 2019, section 3: 100 pairs of cells drawn at random, with
one batch of 64 CIFAR-10 training images without augmentation, in the network of
the search (16 channels, 8 cells). No table has their accuracies; numbers of
weights and multiply-adds stand beside the scores.

  python -m experiments.score --config=configs/score_darts.py \
      --workdir=runs/scores_darts

Needs the compact CIFAR-10 under `$NASJAX_DATA_DIR`; `:quick` scores digits with
three tiny cells.
"""

import ml_collections

_QUICK_OPERATIONS = ('none', 'skip_connect', 'max_pool_3x3')
_PROXIES = ('naswot', 'synflow', 'grad_norm')


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '' or 'quick'.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  if arg not in ('', 'quick'):
    raise ValueError(f'Unknown option {arg!r}. Known: quick.')
  quick = arg == 'quick'
  nodes = dict(num_nodes=2, operations=_QUICK_OPERATIONS) if quick else {}
  network = dict(
    name='networks.darts.Darts',
    channels=4 if quick else 16,
    num_cells=3 if quick else 8,
    **nodes,
  )
  counted = dict(
    network=network,
    input_shape=(8, 8, 1) if quick else (32, 32, 3),
  )
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      chunk_size=2 if quick else 10,
      data=dict(
        name='data.arrays.digits' if quick else 'data.cifar10.load_cifar10'
      ),
      batch=dict(
        name='data.fixed.first',
        dataset='@data.train',
        num_images=8 if quick else 64,
      ),
      space=dict(name='spaces.darts_cell.darts_cell', **nodes),
      network=network,
      population=dict(
        name='experiment.population.random', num=4 if quick else 100
      ),
      describe=dict(
        params=dict(name='networks.cost.darts_params', **counted),
        macs=dict(name='networks.cost.darts_macs', **counted),
      ),
      proxies={
        name: dict(name=f'estimators.zero_cost.{name}')
        for name in (_PROXIES[:1] if quick else _PROXIES)
      },
    )
  )
