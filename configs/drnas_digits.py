r"""DrNAS on handwritten digits, on a CPU.

Chen et al., DrNAS, 2021, in the setting of `configs/darts_digits.py`: two
stages of 5 epochs of 21 steps, not of 25, so alpha moves ten times as fast as
in the paper, and rests for 2 epochs of a stage, not 10. First operations see a
quarter of the 8 channels, then half. The cells found are trained from scratch
beside random ones.

  python -m experiments.search --config=configs/drnas_digits.py \
      --workdir=runs/drnas_digits

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
  quick = arg == 'quick'
  parts, epochs = ((2, 1), 1) if quick else ((4, 2), 5)
  return darts_digits.in_stages(
    arg,
    [dict(parts=number) for number in parts],
    epochs,
    name='systems.drnas.drnas',
    arch_learning_rate=6e-3,
    num_options=(4, 2) if quick else (8, 4),
    num_frozen_epochs=0 if quick else 2,
  )
