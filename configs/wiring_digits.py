r"""Which edges do differentiable searches keep, and why? On digits.

S. Xie et al., Understanding the wiring evolution in differentiable neural
architecture search, 2021, scaled down: 8x8 images, 4 normal cells of 8 channels
and two nodes (5 edges) instead of 8 of 16, four operations instead of eight,
100 epochs of batches of 32 with 30 times the rate of alpha, so that it can
travel as far as in 150 epochs of 50,000 images, and 4 times that of the
weights. No edge is kept by rule: where `none` is the strongest choice there is
none.

  python -m experiments.search --config=configs/wiring_digits.py \
      --workdir=runs/wiring_dsnas

A step of `num_steps` is an epoch. The report has, over epochs, the active mass
A(t) (of all, input and intermediate edges, and its lowest value), p_none and
the cost of every edge, and L - H of training and validation images beside the
sum of costs that equals it. The table has the epochs after which every edge was
dropped and recovered. Three patterns were published; look for them at

  growing  most edges are dropped first and recovered later: the default
  width    those recovered leave an input, not a node: the default
  failure  no edge is left: `:sampler=darts,images=64,epochs=400`, where alpha
           is moved by validation images and few are trained on

`--config.search.search.search.arch_learning_rate=0.0` measures the costs of
uniformly drawn cells.

Options come after a colon, separated by commas:

  quick    a tiny network and two epochs
  sampler  dsnas (default), snas, darts, proxyless, two_path
  level    single or bilevel; by default that of the sampler's paper
  images   for training, and as many for validation (default 700)
  epochs   (default 100)
  nodes    of a cell, 2 (default) or 4
  seeds    (default 3)
"""

import ml_collections

from nasjax.experiment import options

OPERATIONS = ('none', 'skip_connect', 'avg_pool_3x3', 'sep_conv_3x3')
# Distribution, and how many architectures are drawn to watch its costs.
SAMPLERS = {
  'dsnas': (dict(name='distributions.one_hot.one_hot', max_cost=5.0), 2),
  'snas': (dict(name='distributions.gumbel.gumbel'), 2),
  'darts': (dict(name='distributions.softmax.softmax'), 1),
  'proxyless': (
    dict(name='distributions.one_hot.one_hot', gradient='softmax'),
    2,
  ),
  'two_path': (dict(name='distributions.two_path.two_path'), 2),
}
_SETTINGS = {
  'snas': dict(final_temperature=0.03),
  'two_path': dict(keep_share=True),
}
_SINGLE = ('dsnas', 'snas')
_DEFAULTS = dict(
  sampler='dsnas', level='paper', images=700, epochs=100, nodes=2, seeds=3
)
_CHOICES = dict(sampler=tuple(SAMPLERS), level=('paper', 'single', 'bilevel'))


def _batches(batch_size: int) -> dict:
  """Return batches of both parts."""
  parts = {
    part: dict(
      name='data.streams.batches',
      dataset=f'@data.{part}',
      batch_size=batch_size,
    )
    for part in ('train', 'valid')
  }
  return dict(name='data.streams.joint', **parts)


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see above.

  Returns:
    The config.

  Raises:
    ValueError: for an option that does not exist.
  """
  given = options.parse(
    arg, _DEFAULTS, dict(images=64, epochs=2, seeds=1), _CHOICES
  )
  quick, sampler, level = given['quick'], given['sampler'], given['level']
  if level == 'paper':
    level = 'single' if sampler in _SINGLE else 'bilevel'
  distribution, num_samples = SAMPLERS[sampler]
  batch_size = 8 if quick else 32
  steps = 2 if quick else given['images'] // batch_size
  num_edges = given['nodes'] * (given['nodes'] + 3) // 2

  config = ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=given['seeds'],
      num_steps=given['epochs'],
      num_random=1,
      data=dict(
        name='data.arrays.digits',
        sizes=dict(train=given['images'], valid=given['images']),
      ),
      space=dict(
        name='spaces.categorical.categorical',
        mask=dict(normal=(num_edges, len(OPERATIONS))),
      ),
      network=dict(
        name='networks.darts.Darts',
        channels=4 if quick else 8,
        num_cells=2 if quick else 4,
        num_nodes=given['nodes'],
        reduction_cells=(),
        classifier_bias=False,
        operations=OPERATIONS,
      ),
      distribution=distribution,
    )
  )
  config.batches = dict(
    name='data.streams.stack', num_steps=steps, batches=_batches(batch_size)
  )
  config.search = dict(
    name='searches.wiring.traced',
    search=dict(
      name='searches.run.epochs',
      search=dict(
        name='systems.wiring.wiring',
        input_shape=(8, 8, 1),
        steps_per_epoch=steps,
        num_epochs=given['epochs'],
        level=level,
        learning_rate=0.1,
        arch_learning_rate=1e-2,
        **_SETTINGS.get(sampler, {}),
      ),
      observe=dict(
        name='searches.wiring.costs',
        batches=_batches(min(given['images'], 32 if quick else 256)),
        steering='train' if level == 'single' else 'valid',
        num_samples=1 if quick else num_samples,
      ),
    ),
  )
  config.snapshot = dict(name='searches.wiring.probabilities')
  return config


def sweep() -> list[dict]:
  """Return the two levels."""
  return [
    {
      'search.search.search.level': level,
      'search.search.observe.steering': steering,
    }
    for level, steering in (('single', 'train'), ('bilevel', 'valid'))
  ]
