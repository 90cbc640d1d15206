r"""GDAS on handwritten digits, on a CPU.

Dong and Yang, GDAS, 2019, in the setting of `configs/darts_digits.py`: 7 epochs
of 21 steps, not 250, so alpha moves ten times as fast as in the paper. A step
runs one operation of every edge, not eight. The cells found are trained from
scratch beside random ones.

  python -m experiments.search --config=configs/gdas_digits.py \
      --workdir=runs/gdas_digits

`:quick` searches for a few steps in the smallest setting of the same code path,
and trains nothing.
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
  return darts_digits.variant(
    arg, {}, name='systems.gdas.gdas', arch_learning_rate=3e-3
  )
