r"""MnasNet on NAS-Bench-201: accuracy weighted by the latency of a device.

M. Tan et al., MnasNet: Platform-Aware Neural Architecture Search for Mobile,
CVPR 2019. The accuracy is the validation accuracy after 12 epochs; the test
accuracy after 200 is only reported. With the reward 'soft' (w = -0.07) the
target changes nothing, with 'hard' (0 and -1) it is what the search turns
around. What is returned is the best within the target (`where`): the hard
reward alone may exceed it. `configs/study_mnasnet_nasbench201.py` compares it
with other searches. Needs `nb201_table.npz` and `nb201_latency.npz` under
`$NASJAX_DATA_DIR`.

  python -m experiments.search --config=configs/mnasnet_nasbench201.py \
      --workdir=runs/mnasnet

Options come after a colon, separated by commas:

  quick   the table of digits that comes with nasjax, with thousands of weights
          as latency
  device  pixel3 (default), gold_6226 or 1080ti_1
  reward  hard (default) or soft
"""

import ml_collections

from configs import study_mnasnet_nasbench201 as study
from nasjax.estimators import combine
from nasjax.experiment.options import parse

_REWARDS = {'hard': combine.HARD, 'soft': combine.SOFT}


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
    {'device': 'pixel3', 'reward': 'hard'},
    {},
    {'device': tuple(study.DEVICES), 'reward': tuple(_REWARDS)},
  )
  quick = options['quick']
  target, _ = study.DIGITS if quick else study.DEVICES[options['device']]
  table = study.table(None if quick else options['device'], target)
  columns = {
    name: dict(
      name='estimators.tabular.tabular',
      index_of=table['index_of'],
      values=f'@data.{name}',
    )
    for name in ('valid', 'test', 'latency')
  }
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=4 if quick else 50,
      seed_batch_size=4 if quick else 50,
      num_steps=20 if quick else 100,
      eval_every=10,
      num_random=4 if quick else 50,
      where=f'latency <= {target}',
      data=table['data'],
      space=table['space'],
      # Ours: a learning rate for a thousand samples instead of many.
      strategy=study.ppo(
        'distributions.controller.controller', 0.01, features=32, num_layers=1
      ),
      search=dict(
        name='systems.mnasnet.mnasnet',
        accuracy=columns['valid'],
        latency=columns['latency'],
        target=target,
        w=_REWARDS[options['reward']],
        archive_size=100,
      ),
      describe=columns,
    )
  )
