r"""All differentiable searches of the family on digits, at one budget.

Sixteen methods search the DARTS space, scaled down: 8x8 images, 4 cells of 8
channels with three inner nodes (nine edges), six operations. Every seed of
every method takes 168 updates of weights (8 epochs) on batches of 32 of 700
training images; alpha is moved by as many batches of 700 validation images. How
methods that are more than one descent fit into this:

  p_darts   three stages of 56 updates, in networks of 3, 4 and 5 cells
  drnas     two stages of 84 updates
  r_darts   four searches of 42 updates
  darts_pt  102 updates of the supernet, then 22 decisions, 3 after each
  darts_es  stops when the curvature grows, measured every 7 updates
  radars    a policy rewarded by NASWOT, which trains nothing, leaves three
            operations an edge; then 168 updates among them
  snas, dsnas   one level: alpha is moved by the training images

Rates of the weights are the papers', but 0.025 where theirs is smaller
(fair_darts, d_darts: 0.005 for some ten thousand updates). Adam's rate for
alpha times the number of its steps is that of DARTS on CIFAR-10 (3e-4 for
19,550), or of the paper where alpha goes less far (darts_prime, p_darts,
pc_darts, drnas); r_darts has the rate of darts. Where weights have to reach a
bar of 0.85 (fair_darts, d_darts) the rate is that of `d_darts_digits.py`. Alpha
rests for the paper's share of a search. All methods see the same halves of the
images: darts_prime does not divide them 10 to 1. d_darts leaves out its
ablation loss, which has no gradient.

What is found is trained from scratch on all 1,400 images (15 epochs, batches of
64), beside random cells of the same space, in one program and on the same
batches, and tested on the 397 images that nothing else sees. D-DARTS, whose
cells share nothing, is compared with random cells that share nothing.

  python -m experiments.compare --config=configs/compare_digits.py \
      --workdir=runs/compare_digits

Options come after a colon, separated by commas:

  quick     two methods in the smallest setting of the same code path
  cifar10   darts, darts_prime, d_darts and pc_darts, seeds 0 to 2, on CIFAR-10
            averaged to 16x16, from `$NASJAX_DATA_DIR`: 1,344 images of each
            half, as many updates, 630 of the final training, 1,000 test images
  methods   some of them, joined by a plus
  seeds     searches of each method, and half of the random cells of each space
  epochs    of 21 updates (default 8; a multiple of 4); all numbers above scale,
            but the decisions of darts_pt and the policy of radars
"""

from typing import Any

import ml_collections

from nasjax.experiment import names, options

OPERATIONS = (
  'none',
  'max_pool_3x3',
  'avg_pool_3x3',
  'skip_connect',
  'sep_conv_3x3',
  'dil_conv_3x3',
)
_QUICK_OPERATIONS = ('none', 'skip_connect', 'sep_conv_3x3')
_TRAVEL = 3e-4 * 50 * 391  # rate of alpha times its steps, DARTS on CIFAR-10
_CIFAR10 = 'darts+darts_prime+d_darts+pc_darts'
_SNAPSHOT = 'experiment.mixtures.snapshot'
_FIRST = dict(name='searches.hypergradients.first_order')
_DERIVE = dict(function='spaces.darts_cell.derive')


def _batches(dataset: Any, batch_size: int) -> dict:
  return dict(
    name='data.streams.batches', dataset=dataset, batch_size=batch_size
  )


def _search(system: str, **settings: Any) -> dict:
  return dict(search=dict(name=f'systems.{system}.{system}', **settings))


def _methods(sizes: dict) -> dict[str, dict]:
  """Return the sections of every method that are its own.

  Args:
    sizes: settings of the network, `space`, `epochs`, `steps` in each,
      `batches` and `input_shape`.
  """
  network, batches = sizes['network'], sizes['batches']
  epochs, steps = sizes['epochs'], sizes['steps']
  updates = epochs * steps
  shape = dict(input_shape=sizes['input_shape'])
  length = shape | dict(steps_per_epoch=steps, num_epochs=epochs)
  rate = dict(arch_learning_rate=_TRAVEL / updates)
  # An epoch of searches that act on epochs is a third of one of the others.
  short, third = 3 * epochs, steps // 3
  stacked = dict(name='data.streams.stack', num_steps=third, batches=batches)
  in_epochs = dict(batches=stacked, eval_every=1)
  sigmoid = dict(snapshot=dict(name=_SNAPSHOT, activation='sigmoid'))
  at_bar = dict(learning_rate=0.025, arch_learning_rate=0.06 * 147 / updates)
  num_cells, num_options = network['num_cells'], len(network['operations'])
  frozen = max(1, epochs // 4)  # of pc_darts: 15 of 50
  nodes = network['num_nodes']
  # Of darts_pt, for two kinds of cell: edges, and nodes with too many inputs.
  num_decisions = 2 * (nodes * (nodes + 3) // 2 + nodes - 1)

  def wiring(distribution, level, **settings):
    return dict(
      distribution=dict(
        name=f'distributions.{distribution}.{distribution}',
        derive=_DERIVE,
        **settings.pop('sampler', {}),
      )
    ) | _search('wiring', level=level, **length, **rate, **settings)

  return dict(
    darts=_search('darts', hypergradient=_FIRST, **length, **rate),
    darts_second=_search(
      'darts',
      hypergradient=dict(name='searches.hypergradients.exact'),
      **length,
      **rate,
    ),
    darts_prime=dict(network=network | dict(node_norm=True))
    | _search(
      'darts_prime',
      arch_every=2,
      arch_learning_rate=3e-4 * 3200 * 3 / updates,
      **length,
    ),
    d_darts=sigmoid
    | dict(
      space=sizes['space'] | dict(num_cells=num_cells),
      network=network | dict(cells=tuple(range(num_cells))),
    )
    | _search(
      'd_darts',
      ablation='off',
      final_arch_learning_rate=at_bar['arch_learning_rate'] / 3,
      **length,
      **at_bar,
    ),
    fair_darts=sigmoid | _search('fair_darts', **length, **at_bar),
    pc_darts=dict(network=network | dict(parts=4))
    | _search(
      'pc_darts',
      num_frozen_epochs=frozen,
      arch_learning_rate=6e-4 * 35 * 98 / (updates - frozen * steps),
      **length,
    ),
    gdas=_search('gdas', **length, **rate),
    drnas=dict(snapshot=dict(name=_SNAPSHOT, activation='dirichlet'))
    | _search(
      'drnas',
      networks=[network | dict(parts=parts) for parts in (4, 2)],
      num_options=(num_options, num_options // 2),
      num_frozen_epochs=max(1, epochs // 4),
      arch_learning_rate=6e-4 * 15 * 391 / (updates / 4),
      **shape,
      steps_per_epoch=steps,
      num_epochs=epochs // 2,
    ),
    darts_es=in_epochs
    | dict(num_steps=short)
    | _search(
      'darts_es',
      hypergradient=_FIRST,
      valid_batches=batches['valid'],
      num_products=6,
      first_epoch=short // 5,
      **shape,
      steps_per_epoch=third,
      num_epochs=short,
      **rate,
    ),
    r_darts=in_epochs
    | dict(num_steps=max(1, short // 4))
    | _search(
      'r_darts',
      hypergradient=_FIRST,
      **shape,
      steps_per_epoch=third,
      num_epochs=max(1, short // 4),
      **rate,
    ),
    darts_pt=_search(
      'darts_pt',
      valid=dict(
        name='configs.darts_pt_digits:first',
        dataset='@data.valid',
        num_images=256,
        batch_size=64,
      ),
      tune_epochs=1,
      **shape,
      steps_per_epoch=3,
      num_epochs=max(1, updates // 3 - num_decisions),
      arch_learning_rate=_TRAVEL / updates,
    ),
    p_darts=_search(
      'p_darts',
      networks=[
        network | dict(num_cells=num_cells + i, drop_skips=True)
        for i in (-1, 0, 1)
      ],
      num_options=tuple(max(1, num_options - n) for n in (0, 2, 3)),
      skip=network['operations'].index('skip_connect'),
      num_frozen_epochs=3 * epochs // 8,
      arch_learning_rate=6e-4 * 15 * 260 / (updates / 3 * 5 / 8),
      **shape,
      steps_per_epoch=third,
      num_epochs=epochs,
    ),
    radars=dict(num_steps=50 + updates)
    | _search(
      'radars',
      estimator=dict(
        name='estimators.zero_cost.oriented',
        proxy=dict(
          name='estimators.zero_cost.naswot',
          batch=dict(
            name='data.fixed.first', dataset='@data.train', num_images=32
          ),
        ),
      ),
      inner=dict(
        function='systems.darts.darts',
        space=sizes['space'],
        network=network,
        hypergradient=_FIRST,
        **length,
        **rate,
      ),
      num_options=num_options // 2,
      num_rounds=2,
      steps_per_round=25,
    ),
    snas=wiring('gumbel', 'single', final_temperature=0.03),
    dsnas=wiring('one_hot', 'single', sampler=dict(max_cost=5.0)),
    proxylessnas=wiring('one_hot', 'bilevel', sampler=dict(gradient='softmax')),
  )


def _chosen(methods: dict[str, dict], wanted: str) -> dict[str, dict]:
  """Return the methods that are named, joined by a plus."""
  for name in wanted.split('+'):
    if name not in methods:
      raise names.unknown('method', name, methods)
  return {name: methods[name] for name in wanted.split('+')}


def _evaluation(network: dict, input_shape: tuple, num_images: int) -> dict:
  """Return the training of all networks, and how they are described."""
  quick = num_images < 1400
  counted = dict(network=network, input_shape=input_shape)
  operations = network['operations']
  epoch = max(1, num_images // 64)
  everything = dict(
    name='data.arrays.merge', datasets=['@data.train', '@data.valid']
  )
  return dict(
    describe=dict(
      params=dict(name='networks.cost.darts_params', **counted),
      macs=dict(name='networks.cost.darts_macs', **counted),
      skips=dict(
        name='spaces.cell_statistics.num_chosen',
        names=('skip_connect',),
        operations=operations,
      ),
      parameter_free=dict(
        name='spaces.cell_statistics.num_parameter_free', operations=operations
      ),
    ),
    evaluation=dict(
      name='estimators.stand_alone.population',
      num_steps=3 if quick else 15 * epoch,
      batches=_batches(everything, 16 if quick else 64),
      trainer=dict(
        name='estimators.training.train_child',
        steps_per_epoch=epoch,
        drop_path=0.0 if quick else 0.1,
        **counted,
      ),
      test=dict(
        name='data.streams.evaluation_batches',
        dataset='@data.test',
        batch_size=100,
      ),
    ),
  )


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see above.

  Returns:
    The config.

  Raises:
    ValueError: for an option or a method that does not exist.
  """
  given = options.parse(
    arg,
    dict(cifar10=False, methods='', seeds=0, epochs=8),
    dict(methods='darts+d_darts', seeds=2, epochs=2),
  )
  quick, images = given['quick'], given['cifar10']
  num_seeds = given['seeds'] or (3 if images else 5)
  epochs = given['epochs']
  steps, batch_size = (3, 8) if quick else (21, 32)
  if not quick and (epochs < 4 or epochs % 4):
    raise ValueError(f'Option epochs must be a multiple of 4, got {epochs}.')
  network = dict(
    name='networks.darts.Darts',
    channels=4 if quick else 8,
    num_cells=3 if quick else 4,
    num_nodes=1 if quick else 3,
    operations=_QUICK_OPERATIONS if quick else OPERATIONS,
  )
  space = dict(
    name='spaces.darts_cell.darts_cell',
    num_nodes=network['num_nodes'],
    operations=network['operations'],
  )
  separate = space | dict(num_cells=network['num_cells'])
  batches = dict(
    name='data.streams.joint',
    train=_batches('@data.train', batch_size),
    valid=_batches('@data.valid', batch_size),
  )
  input_shape = (16, 16, 3) if images else (8, 8, 1)
  methods = _methods(
    dict(
      network=network,
      space=space,
      batches=batches,
      epochs=epochs,
      steps=steps,
      input_shape=input_shape,
    )
  )
  wanted = given['methods'] or (_CIFAR10 if images else '+'.join(methods))
  chosen = _chosen(methods, wanted)
  num_random = 2 if quick else 2 * num_seeds
  random = dict(random=dict(num=num_random))
  baselines = {}
  if 'd_darts' in chosen:
    random['random_separate'] = dict(num=num_random, space=separate)
    baselines['d_darts'] = 'random_separate'
  evaluated = network | dict(
    cells=tuple(range(network['num_cells'])),
    affine=True,
    pool_norm=False,
    track=True,
  )
  digits = dict(name='data.arrays.digits')
  cifar10 = dict(
    name='configs.darts_nasbench201:small_cifar10', num_images=1344
  )
  num_images = 100 if quick else 2688 if images else 1400
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=num_seeds,
      num_steps=epochs * steps,
      eval_every=1 if quick else 7,
      data=cifar10 if images else digits,
      batches=batches,
      space=space,
      network=network,
      snapshot=dict(name=_SNAPSHOT),
      methods=chosen,
      random=random,
      baselines=baselines,
      reference='darts' if 'darts' in chosen else next(iter(chosen)),
      form=dict(
        name='spaces.separate_cells.unshared', num_cells=network['num_cells']
      ),
      **_evaluation(evaluated, input_shape, num_images),
    )
  )
