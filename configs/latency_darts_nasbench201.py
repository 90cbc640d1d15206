r"""LA-DARTS: accuracy and latency of NAS-Bench-201 cells, on digits.

Y. Xu et al., Latency-Aware Differentiable Neural Architecture Search, 2020. A
predictor is fitted to the latencies of random cells on a device, then DARTS,
first order, minimises validation loss + balance * (predicted latency / that of
a usual cell). What is found is looked up, beside random cells: test accuracy in
the table of digits that comes with nasjax, and the measured latency, which the
search has not seen. Small: one cell a stage of 4 channels, 30 epochs of 10
steps; Adam's rate for alpha times the number of steps is that of DARTS on
CIFAR-10.

  python -m experiments.search --config=configs/latency_darts_nasbench201.py \
      --workdir=runs/latency_darts_nasbench201

Options come after a colon, separated by commas:

  quick      two epochs, the device 'macs', which needs no file
  device     a column of the table of latencies under `$NASJAX_DATA_DIR`
             (default pixel3), 'cpu' for what `profile_nasbench201.py` measured
             on this machine, or 'macs'
  predictor  'mlp' (default), or 'table', the sum of a look-up table
  labels     measured cells that the predictor is fitted to (default 300)
  encoding   what of alpha it is asked about: derived, sampled, soft
  form       'add' (default), or 'multiply', the loss of ProxylessNAS
  none       leaves `none` among the operations; it is the fastest of all, and
             a small balance then already ends in cells without a path

The sweep is over the balance. `python -m experiments.latency` makes the study.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from configs import profile_nasbench201, radars_digits
from nasjax import estimators, spaces
from nasjax.data import latency as latency_tables
from nasjax.data import tabular
from nasjax.experiment import latencies, profiles
from nasjax.experiment.options import parse

PATH = f'{profile_nasbench201.WORKDIR}/{profiles.FILE}'
BALANCES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_PAPER_TRAVEL = 3e-4 * 50 * 391  # learning rate of alpha times steps
_SIZE = tabular.NUM_CELLS


def milliseconds(device: str, path: str = PATH) -> np.ndarray:
  """Return the latency of every cell of NAS-Bench-201, `f32[15625]`.

  Args:
    device: see the head of this file; 'macs' are millions of multiply-adds.
    path: of the file of the device 'cpu', which may lack cells (NaN).

  Returns:
    Milliseconds, in the order of the space.

  Raises:
    ValueError: for an unknown device, or a file that is not there.
  """
  if device == 'macs':
    space = spaces.nasbench201.nasbench201()
    archs = jax.vmap(space.index)(jnp.arange(_SIZE))
    return np.asarray(jax.vmap(spaces.nasbench201.macs)(archs)) / 1e6
  if device == 'cpu':
    where = latencies.known_setting(path, profile_nasbench201.NAME, 'switched')
    index_of = spaces.nasbench201.cell_index
    return latencies.column(path, where, index_of, _SIZE)
  table = latency_tables.load_nasbench201_latency()
  return tabular.values_by_index(table, device)


def mask(none: bool = False) -> dict:
  """Return the operations of the table of digits, with or without `none`."""
  allowed = radars_digits.mask()['op'].copy()
  allowed[:, spaces.nasbench201.OPERATIONS.index('none')] = none
  return {'op': allowed}


def usual(device: str, none: bool = False) -> float:
  """Return the median latency of the cells that are searched, in ms."""
  space = spaces.nasbench201.nasbench201(mask(none))
  rows = jax.vmap(lambda i: spaces.nasbench201.cell_index(space.index(i)))(
    jnp.arange(space.size)
  )
  return float(np.nanmedian(milliseconds(device)[np.asarray(rows)]))


def learned(
  device: str, predictor: str, num_labels: int, none: bool = False
) -> Callable[[dict], jax.Array]:
  """Return the predictor of a device, fitted to random cells."""
  space = spaces.nasbench201.nasbench201(mask(none))
  index_of = spaces.nasbench201.cell_index
  estimator = (
    estimators.latency_predictor.latency_predictor(space)
    if predictor == 'mlp'
    else estimators.ridge.ridge(space.encode, space.index(0), 1e-2)
  )
  return estimators.latency_predictor.fit(
    estimator,
    estimators.latency_predictor.labels(
      space, index_of, milliseconds(device), num_labels
    ),
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
  options = parse(
    arg,
    dict(
      device='pixel3',
      predictor='mlp',
      labels=300,
      none=False,
      encoding='derived',
      form='add',
    ),
    dict(device='macs', predictor='table', labels=50),
    dict(
      predictor=('mlp', 'table'),
      encoding=('derived', 'sampled', 'soft'),
      form=('add', 'multiply'),
    ),
  )
  quick = options['quick']
  batch_size, steps, epochs = (8, 2, 2) if quick else (64, 10, 30)
  here = 'configs.latency_darts_nasbench201'
  batches = lambda part: dict(
    name='data.streams.batches', dataset=part, batch_size=batch_size
  )
  column = dict(
    name='estimators.tabular.tabular',
    index_of=dict(function='spaces.nasbench201.cell_index'),
    values=dict(name=f'{here}:milliseconds', device=options['device']),
  )
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=1 if quick else 4,
      num_random=4 if quick else 100,
      num_steps=epochs,
      data=dict(name='data.arrays.digits'),
      batches=dict(
        name='data.streams.stack',
        num_steps=steps,
        batches=dict(
          name='data.streams.joint',
          train=batches('@data.train'),
          valid=batches('@data.valid'),
        ),
      ),
      space=dict(
        name='spaces.nasbench201.nasbench201',
        mask=dict(name=f'{here}:mask', none=options['none']),
      ),
      network=radars_digits.network(quick),
      search=dict(
        name='searches.run.epochs',
        search=dict(
          name='systems.latency_darts.latency_darts',
          latency=dict(
            name=f'{here}:learned',
            device=options['device'],
            predictor=options['predictor'],
            num_labels=options['labels'],
            none=options['none'],
          ),
          balance=0.2,
          target=dict(
            name=f'{here}:usual',
            device=options['device'],
            none=options['none'],
          ),
          encoding=options['encoding'],
          form=options['form'],
          derive=None,
          input_shape=(8, 8, 1),
          steps_per_epoch=steps,
          num_epochs=epochs,
          arch_learning_rate=_PAPER_TRAVEL / (steps * epochs),
          hypergradient=dict(name='searches.hypergradients.first_order'),
        ),
      ),
      describe=dict(
        test_accuracy=radars_digits.column('test'),
        latency=column,
        params=dict(function='spaces.nasbench201.num_params'),
      ),
    )
  )


def sweep() -> list[dict]:
  """Return the balances to compare."""
  return [{'search.search.balance': balance} for balance in BALANCES]
