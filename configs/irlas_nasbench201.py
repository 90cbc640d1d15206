r"""IRLAS on NAS-Bench-201: Q-learning on accuracy and likeness to an expert.

M. Guo et al., IRLAS: Inverse Reinforcement Learning for Architecture Search,
CVPR 2019, our reconstruction: the expert is a residual block, the reward the
validation accuracy after 12 epochs, as a fraction, and lambda times the mirror
stimuli function. The test accuracy after 200 epochs and the latency of a
Pixel 3 are only reported. Needs `nb201_table.npz` and `nb201_latency.npz` under
`$NASJAX_DATA_DIR`. `configs/study_irlas_nasbench201.py` compares lambdas.

  python -m experiments.search --config=configs/irlas_nasbench201.py \
      --workdir=runs/irlas

Options come after a colon, separated by commas:

  quick    the table of digits that comes with nasjax, with thousands of weights
           as latency
  agent    q_learning (default) or reinforce
  percent  lambda times 100 (default 30)
"""

import ml_collections

from configs import study_irlas_nasbench201 as study
from configs import study_mnasnet_nasbench201 as tables
from nasjax.experiment.options import parse


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see the head of this file.

  Returns:
    The config.

  Raises:
    ValueError: for an unknown option or value.
  """
  options = parse(
    arg,
    {'agent': 'q_learning', 'percent': 30},
    {},
    {'agent': ('q_learning', 'reinforce')},
  )
  quick = options['quick']
  device = None if quick else 'pixel3'
  table = tables.table(device, 1.0)
  column = lambda which: dict(
    name='estimators.tabular.tabular',
    index_of=table['index_of'],
    values=f'@data.{which}',
  )
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=4 if quick else 50,
      seed_batch_size=4 if quick else 50,
      num_steps=10 if quick else 50,
      eval_every=10,
      num_random=4 if quick else 50,
      data=dict(name=f'{study.__name__}:columns', device=device),
      space=table['space'],
      strategy=study.agent(options['agent'], 100 if quick else 500),
      search=dict(
        name='systems.irlas.irlas',
        # lambda_0 is the accuracy as a fraction.
        estimator=column('lambda_0'),
        stimulus=dict(
          name='estimators.mirror.stimulus',
          mirror='@data.mirror',
          features=dict(function='spaces.topology.nasbench201'),
        ),
        weight=options['percent'] / 100,
      ),
      describe={
        name: column(name)
        for name in ('valid', 'test', 'latency', 'stimulus', 'distance')
      },
    )
  )
