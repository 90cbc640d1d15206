r"""DARTS with the exact second order on handwritten digits, on a CPU.

Liu, Simonyan and Yang, DARTS, 2019, tables 1 and 4, scaled down: 8x8 images
instead of 32x32, 4 cells of 8 channels (both reductions) instead of 8 of 16,
batches of 32 of 700 training and 700 validation images, 7 epochs instead of 50;
alpha moves ten times as fast (3e-3), since it takes 147 steps and not 19,550.
All eight operations. The cells found by `num_seeds` searches are trained from
scratch on all 1,400 images (15 epochs, batches of 64), beside random cells of
the same space and size, on the same batches, and tested on the 397 images that
nothing else sees.

  python -m experiments.search --config=configs/darts_digits.py \
      --workdir=runs/darts_digits

`make search` is this command. `:quick` searches and trains for a few steps in
the smallest setting of the same code path, four operations and two nodes;
`:first` takes the first order.
"""

import ml_collections

_OPTIONS = ('', 'quick', 'first')
_QUICK_OPERATIONS = ('none', 'max_pool_3x3', 'skip_connect', 'sep_conv_3x3')


def _network(channels: int, num_cells: int, **settings) -> dict:
  return dict(
    name='networks.darts.Darts',
    channels=channels,
    num_cells=num_cells,
    **settings,
  )


def _batches(dataset, batch_size: int) -> dict:
  return dict(
    name='data.streams.batches', dataset=dataset, batch_size=batch_size
  )


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '', 'quick' or 'first'.

  Returns:
    The config.
  """
  if arg not in _OPTIONS:
    raise ValueError(f'Unknown option {arg!r}. Known: quick, first.')
  quick = arg == 'quick'
  batch_size, epochs = (16, 1) if quick else (32, 7)
  channels, num_cells = (4, 3) if quick else (8, 4)
  # Compiling is nearly all of a quick run: fewer nodes, fewer operations.
  nodes = dict(num_nodes=2, operations=_QUICK_OPERATIONS) if quick else {}
  input_shape = (8, 8, 1)
  evaluated = _network(
    channels, num_cells, affine=True, pool_norm=False, track=True, **nodes
  )

  config = ml_collections.ConfigDict(
    dict(seed=0, num_seeds=1 if quick else 3, num_random=1 if quick else 5)
  )
  config.num_steps = 4 if quick else epochs * (700 // batch_size)
  config.data = dict(name='data.arrays.digits')
  config.batches = dict(
    name='data.streams.joint',
    train=_batches('@data.train', batch_size),
    valid=_batches('@data.valid', batch_size),
  )
  config.space = dict(name='spaces.darts_cell.darts_cell', **nodes)
  config.network = _network(channels, num_cells, **nodes)
  config.search = dict(
    name='systems.darts.darts',
    input_shape=input_shape,
    steps_per_epoch=700 // batch_size,
    num_epochs=epochs,
    arch_learning_rate=3e-3,
    hypergradient=dict(
      name='searches.hypergradients.'
      + ('first_order' if quick or arg == 'first' else 'exact')
    ),
  )
  config.describe = dict(
    params=dict(
      name='networks.cost.darts_params',
      network=evaluated,
      input_shape=input_shape,
    ),
    macs=dict(
      name='networks.cost.darts_macs',
      network=evaluated,
      input_shape=input_shape,
    ),
  )
  everything = dict(
    name='data.arrays.merge', datasets=['@data.train', '@data.valid']
  )
  config.evaluation = dict(
    name='estimators.stand_alone.population',
    num_steps=4 if quick else 15 * (1400 // 64),
    batches=_batches(everything, 16 if quick else 64),
    trainer=dict(
      name='estimators.training.train_child',
      network=evaluated,
      input_shape=input_shape,
      steps_per_epoch=1400 // 64,
      drop_path=0.0 if quick else 0.1,
    ),
    test=dict(
      name='data.streams.evaluation_batches',
      dataset='@data.test',
      batch_size=100,
    ),
  )
  return config


def variant(arg: str, network: dict, **search) -> ml_collections.ConfigDict:
  """Return the config with another method in the place of DARTS.

  Its quick form searches, but trains none of the cells: that is the same code.

  Args:
    arg: '' or 'quick'.
    network: settings of the supernet that differ.
    **search: name and settings of the method; what the images and the schedule
      are stays.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  if arg not in ('', 'quick'):
    raise ValueError(f'Unknown option {arg!r}. Known: quick.')
  config = get_config(arg)
  if arg == 'quick':
    del config.evaluation
  for name in ('hypergradient', 'arch_learning_rate'):
    del config.search[name]
  config.search.update(search)
  config.network.update(network)
  return config


def reshape(config: ml_collections.ConfigDict, **cell) -> None:
  """Give the space and all networks other cells, in place.

  Args:
    config: from `variant` or `in_stages`.
    **cell: `num_nodes` or `operations`.
  """
  sections = [config.space, *(c.network for c in config.describe.values())]
  if 'network' in config:
    sections.append(config.network)
  for section in sections:
    section.update(cell)


def in_stages(
  arg: str, networks: list[dict], num_epochs: int, **search
) -> ml_collections.ConfigDict:
  """Return the config of a method with a supernet for each of its stages.

  Args:
    arg: '' or 'quick', two steps a stage.
    networks: settings of each supernet that differ.
    num_epochs: of a stage.
    **search: name and settings of the method.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  config = variant(arg, {}, **search)
  network = config.network.to_dict()
  del config.network
  config.search.networks = [network | settings for settings in networks]
  config.search.num_epochs = num_epochs
  if arg == 'quick':
    config.search.steps_per_epoch = 2
  config.num_steps = len(networks) * num_epochs * config.search.steps_per_epoch
  return config


def sweep() -> list[dict]:
  """Return the seeds of three independent studies."""
  return [{'seed': seed} for seed in range(3)]
