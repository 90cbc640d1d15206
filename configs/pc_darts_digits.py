r"""PC-DARTS on handwritten digits, on a CPU.

Xu et al., PC-DARTS, 2020, in the setting of `configs/darts_digits.py`: an
eighth of the steps, so alpha and beta move ten times as fast as in the paper,
and rest for 2 epochs of 7, not 15 of 50. Operations see a quarter of the
channels. The cells found are trained from scratch beside random ones.

  python -m experiments.search --config=configs/pc_darts_digits.py \
      --workdir=runs/pc_darts_digits

`:quick` searches for a few steps in the smallest setting of the same code path,
on half of the channels, and trains nothing.
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
  return darts_digits.variant(
    arg,
    dict(parts=2 if quick else 4),
    name='systems.pc_darts.pc_darts',
    arch_learning_rate=6e-3,
    num_frozen_epochs=0 if quick else 2,
  )
