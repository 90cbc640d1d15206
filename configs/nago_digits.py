r"""NAGO on handwritten digits: which generator of networks is the best.

B. Ru, P. Esperanca and F. Carlucci, NAGO, 2020, scaled down from CIFAR-10 with
up to 1,000 operations and four million weights: graphs of up to five nodes at
every level, of which cells may have a single one, and 4, 8 and 16 channels. A
full training has 40 steps of 32 images (120 epochs in the paper). All
strategies may train as many steps as 16 full trainings need; what they find is
trained twice as long, two networks drawn from each, beside random generators.
The paper's numbers are for other data: none is expected here.

  python -m experiments.search --config=configs/nago_digits.py \
      --workdir=runs/nago

Options come after a colon, separated by commas:

  quick     two nodes more or less, three evaluations of two steps
  method    'bohb' (default), fidelities 1/4, 1/2 and 1 as in the paper;
            'random', full trainings; 'parego', 'nsga2' or 'random2', which are
            told accuracy and cost, and whose fronts are not trained again
  cost      of those three: 'params' (default) or 'memory'
  data      'digits' (default), or 'fashion', five classes of Fashion-MNIST at
            7x7 pixels, which need `fashion_mnist_partial.npz` under
            `$NASJAX_DATA_DIR`
  seeds     of the search, 3

[What came out](../docs/studies/nago.md).
"""

import ml_collections
import numpy as np

from nasjax.data import arrays, tables
from nasjax.experiment.options import parse

_FULL_TRAININGS = 16
_STEPS, _BATCH = 40, 32


def fashion(
  size: int = 7, data_dir: str | None = None
) -> dict[str, arrays.Dataset]:
  """Return five classes of Fashion-MNIST, images averaged to few pixels.

  Args:
    size: of the images, a divisor of 28.
    data_dir: folder of the file.

  Returns:
    Parts 'train', 'valid' (1,000 images each) and 'test' (3,000).
  """
  path = tables.find(
    'fashion_mnist_partial.npz', data_dir, 'It holds 5,000 images of the set.'
  )
  table = tables.read(path)
  _, labels = np.unique(table['labels'], return_inverse=True)
  blocks = table['images'].reshape(-1, size, 28 // size, size, 28 // size)
  images = blocks.astype(np.float32).mean((2, 4))
  whole = arrays.from_numpy(images.round().astype(np.uint8), labels)
  return arrays.split(whole, {'train': 1000, 'valid': 1000, 'test': 3000})


def _strategy(method: str, levels: dict, quick: bool) -> tuple[dict, int]:
  """Return the section of a strategy, and updates for the budget."""
  full = 3 if quick else _FULL_TRAININGS
  if method == 'bohb':
    # A bracket of 4, 2 and 1 costs three full trainings.
    bohb = dict(
      name='strategies.bohb.bohb',
      fidelities=(0.25, 0.5, 1.0),
      eta=2,
      brackets=(2,),
      capacity=64,
    )
    return bohb, full * 7 // 3
  if method == 'parego':
    parego = dict(
      name='strategies.parego.parego',
      features=dict(name='spaces.generators.coordinates', levels=levels),
      num_initial=1 if quick else 6,
      capacity=64,
    )
    return parego, full
  if method == 'nsga2':
    return dict(name='strategies.nsga2.nsga2', population=8, batch_size=1), full
  return dict(name='strategies.random_search.random_search'), full


def _batches(part: str, batch_size: int, factory: str) -> dict:
  return dict(
    name=f'data.streams.{factory}',
    dataset=f'@data.{part}',
    batch_size=batch_size,
  )


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see the head of this file.

  Returns:
    The config.

  Raises:
    ValueError: for an unknown option or value.
  """
  methods = ('bohb', 'random', 'parego', 'nsga2', 'random2')
  options = parse(
    arg,
    dict(method='bohb', cost='params', data='digits', seeds=3),
    dict(seeds=1),
    dict(method=methods, cost=('params', 'memory'), data=('digits', 'fashion')),
  )
  quick, on_digits = options['quick'], options['data'] == 'digits'
  shape = (8, 8, 1) if on_digits else (7, 7, 1)
  levels = dict(
    name='spaces.generators.nago_levels',
    max_nodes=3 if quick else 5,
    min_middle=1,
  )
  network = dict(
    name='networks.nago.Nago',
    num_classes=10 if on_digits else 5,
    channels=2 if quick else 4,
    head=8 if quick else 64,
  )
  if quick:
    network |= dict(channel_ratios=(1,), stage_ratios=(1.0,))

  def trainer(num_steps, track):
    return dict(
      name='estimators.training.train_child',
      network=dict(network, track=track),
      input_shape=shape,
      num_steps=num_steps,
      learning_rate=0.1,
      weight_decay=1e-4,
    )

  cost = lambda what: dict(
    name='networks.nago_cost.expected',
    network=network,
    levels=levels,
    input_shape=shape,
    what=what,
  )
  strategy, num_steps = _strategy(options['method'], levels, quick)
  search = dict(
    name='systems.nago.nago',
    levels=levels,
    accuracy=dict(
      name='estimators.stand_alone.stand_alone',
      # Running statistics lag behind in trainings of ten steps.
      trainer=trainer(2 if quick else _STEPS, False),
      batches=_batches('train', _BATCH, 'batches'),
      valid=_batches('valid', 200, 'evaluation_batches'),
      num_steps=2 if quick else _STEPS,
    ),
  )
  if options['method'] in ('parego', 'nsga2', 'random2'):
    # Above what the largest networks take.
    worst = 2e5 if options['cost'] == 'params' else 3e4
    search |= dict(cost=cost(options['cost']), reference=(0.0, -worst))
  config = ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=options['seeds'],
      num_steps=num_steps,
      eval_every=1,
      num_random=2 if quick else 6,
      data=dict(name='data.arrays.digits')
      if on_digits
      else dict(name='configs.nago_digits:fashion'),
      space=dict(name='spaces.generators.generator', levels=levels),
      strategy=strategy,
      search=search,
      describe={
        name: cost(name)
        for name in ('params', 'memory', 'depth')[: 1 if quick else 3]
      },
    )
  )
  final_steps = 2 if quick else 2 * _STEPS
  if 'cost' not in search:
    config.evaluation = dict(
      name='estimators.stand_alone.population',
      num_steps=final_steps,
      num_repeats=1 if quick else 2,
      trainer=trainer(final_steps, True),
      archs=dict(
        name='spaces.generators.realise_all', levels=levels, archs='@archs'
      ),
      batches=_batches('train', _BATCH, 'batches'),
      test=_batches('test', 200, 'evaluation_batches'),
    )
  return config
