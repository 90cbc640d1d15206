r"""Scores of untrained NAS-Bench-201 networks against their accuracy.

X. Dong and Y. Yang, NAS-Bench-201, 2020; as in J. Mellor et al., Neural
Architecture Search without Training, 2021, figure 3, and M. Abdelfattah et al.,
Zero-Cost Proxies for Lightweight NAS, 2021: one batch of 128 CIFAR-10 training
images without augmentation, the benchmark's network, one draw of weights for
all cells. `naswot` and `linear_regions` get one output, as in the former.

  python -m experiments.score --config=configs/score_nasbench201.py \
      --workdir=runs/scores

Options come after a colon, separated by commas:

  quick       digits, a tiny network, 24 random cells, a planted accuracy; no
              file is read, half a minute
  population  'all' 15,625 cells (default); 'unique', one of each class of equal
              networks; 'random', as many as num says
  num         cells of a random population (default 1000)
  proxies     names in `nasjax.estimators.zero_cost`, joined by '+' (default
              naswot+synflow+jacov+snip+grad_norm); `az_nas` is its three
              parts and, with the multiply-adds, what it makes of them;
              `kernel_batch` and `kernel_frozen` are `kernel_scores` with either
              normalisation
  batch_size  images (default 128)
  kernel_size  images of `kernel_batch`, a backward pass of all of them for each
              (default 16)

such as `configs/score_nasbench201.py:population=random,proxies=naswot+grasp`.
Arguments of a proxy: `--config.proxies.naswot.count=official`. All but the
quick form need `$NASJAX_DATA_DIR`: the compact CIFAR-10 and the table.
"""

import ml_collections

from configs import random_search_nasbench201
from nasjax.experiment.options import parse

_OPTIONS = {
  'population': 'all',
  'num': 1000,
  'proxies': 'naswot+synflow+jacov+snip+grad_norm',
  'batch_size': 128,
  'kernel_size': 16,
}
_QUICK = {
  'population': 'random',
  'num': 24,
  'proxies': 'naswot+linear_regions',  # those that compile fast
  'batch_size': 8,
  'kernel_size': 4,
}
_ONE_OUTPUT = ('naswot', 'linear_regions')
_KERNELS = {'kernel_batch': 'batch', 'kernel_frozen': 'frozen'}
_ACCURACIES = {
  'e12_cifar10_valid': 'CIFAR-10, validation, 12 epochs, one training',
  'e200_cifar10_test': 'CIFAR-10, test, 200 epochs, mean of all trainings',
  'e200_cifar100_test_1run': 'CIFAR-100, test, 200 epochs, one training',
  'e200_imagenet16_test_1run': 'ImageNet16-120, test, 200 epochs, one training',
}


def _population(options: dict) -> dict:
  """Return the section of the population."""
  sections = {
    'all': dict(name='experiment.population.all_of'),
    'random': dict(name='experiment.population.random', num=options['num']),
    'unique': dict(
      name='experiment.population.unique',
      # Classes for every proxy: those that look into dead layers too.
      signature=dict(
        function='spaces.nasbench201_classes.signature', dead=True
      ),
    ),
  }
  if options['population'] not in sections:
    raise ValueError(
      f'Unknown population {options["population"]!r}. Known: '
      f'{", ".join(sorted(sections))}.'
    )
  return sections[options['population']]


def _column(name: str) -> dict:
  """Return the section of a column of the table."""
  section = random_search_nasbench201.table(name)
  section['values']['table'] = dict(name='data.tabular.load_nasbench201')
  return section


def _proxy(name: str, network: dict, options: dict) -> dict:
  """Return the section of a proxy."""
  if name in _KERNELS:
    section = dict(
      name='estimators.zero_cost.kernel_scores', norm=_KERNELS[name]
    )
    if name == 'kernel_batch':
      section['batch'] = dict(
        name='data.fixed.first',
        dataset='@data.train',
        num_images=options['kernel_size'],
      )
    return section
  section = dict(name=f'estimators.zero_cost.{name}')
  if name in _ONE_OUTPUT:
    # Forward passes are faster unrolled. Gradients gain nothing, and would take
    # twice as long to compile and, of second order, four times the memory.
    section['network'] = dict(
      network, num_classes=1, unroll=not options['quick']
    )
  return section


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see the head of this file.

  Returns:
    The config.

  Raises:
    ValueError: for an unknown option or value.
  """
  options = parse(arg, _OPTIONS, _QUICK)
  quick = options['quick']
  channels, cells = (4, 1) if quick else (16, 5)
  network = dict(
    name='networks.nasbench201.NasBench201',
    channels=channels,
    cells_per_stage=cells,
    num_classes=10,
  )
  size = dict(channels=channels, cells=cells)
  describe = dict(
    params=dict(function='spaces.nasbench201.num_params', **size),
    macs=dict(
      function='spaces.nasbench201.macs', image_size=8 if quick else 32, **size
    ),
  )
  if quick:
    describe['planted'] = dict(
      name='estimators.combine.stateless',
      score=dict(function='configs.random_search_nasbench201:planted'),
    )
    accuracies = {'planted': 'no accuracy, a planted score of cells'}
  else:
    accuracies = _ACCURACIES
    describe |= {name: _column(name) for name in accuracies}
  proxies = {
    name: _proxy(name, network, options)
    for name in options['proxies'].split('+')
  }
  assembled = {}
  if 'az_nas' in proxies:
    parts = ('expressivity', 'progressivity', 'trainability')
    assembled['az_nas_all'] = [*(f'az_nas_{part}' for part in parts), 'macs']
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      chunk_size=8 if quick else 64,
      arch_batch_size=None,
      fresh=False,
      share=0.1,
      num_resamples=200,
      checkpoint_every=1,
      keep_checkpoints=2,
      data=dict(
        name='data.arrays.digits' if quick else 'data.cifar10.load_cifar10'
      ),
      batch=dict(
        name='data.fixed.first',
        dataset='@data.train',
        num_images=options['batch_size'],
      ),
      space=dict(name='spaces.nasbench201.nasbench201'),
      network=network,
      population=_population(options),
      describe=describe,
      assembled=assembled,
      accuracies=dict(accuracies),
      proxies=proxies,
    )
  )
