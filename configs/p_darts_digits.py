r"""P-DARTS on handwritten digits, on a CPU.

Chen et al., Progressive DARTS, 2019, in the setting of
`configs/darts_digits.py`: stages of 3, 4 and 5 cells instead of 5, 11 and 17,
of 4 epochs of 21 steps instead of 25, so alpha moves ten times as fast as in
the paper, and rests for 1 epoch of a stage, not 10. The cells found are trained
from scratch beside random ones.

  python -m experiments.search --config=configs/p_darts_digits.py \
      --workdir=runs/p_darts_digits

`:quick` searches for two steps a stage in the smallest setting of the same code
path, two stages of as many cells, and trains nothing.
"""

import ml_collections

from configs import darts_digits


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '' or 'quick'.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  quick = arg == 'quick'
  depths, epochs = ((2, 2), 1) if quick else ((3, 4, 5), 4)
  settings = (
    dict(num_options=(4, 2), drop_rates=(0.1, 0.4), skip=2) if quick else {}
  )
  # Compiling is all of a quick run, a network a stage: a cell of each kind.
  small = dict(num_nodes=1, reduction_cells=(1,)) if quick else {}
  config = darts_digits.in_stages(
    arg,
    [dict(num_cells=depth, drop_skips=True, **small) for depth in depths],
    epochs,
    name='systems.p_darts.p_darts',
    arch_learning_rate=6e-3,
    num_frozen_epochs=0 if quick else 1,
    **settings,
  )
  if quick:
    darts_digits.reshape(config, num_nodes=1)
  return config
