r"""RADARS on NAS-Bench-201 cells and handwritten digits.

Z. Yan et al., RADARS, 2022. The policy's rewards are looked up in the table of
digits that comes with nasjax (validation accuracy of one training), so an
episode costs nothing; DARTS, first order, then searches among the two options
of every edge that are left, with images. Settings of the policy are ours.

  python -m experiments.search --config=configs/radars_digits.py \
      --workdir=runs/radars_digits

What is found is looked up as well, test accuracy and mean of three trainings,
beside random cells. `:random` prunes at random: the control of what the policy
is worth. `:quick` takes few steps of a tiny network.
"""

import ml_collections

from nasjax.data import digits_table

_EPOCHS = 20


def column(split: str, **which) -> dict:
  """Return a column of the table, as a score of architectures."""
  table = dict(name='data.digits_table.load')
  return dict(
    name='estimators.tabular.tabular',
    index_of=dict(
      name='spaces.categorical.numbering',
      mask=dict(name='configs.radars_digits:mask'),
    ),
    values=dict(
      name='data.digits_table.values', table=table, split=split, **which
    ),
  )


def mask() -> dict:
  """Return the options of the table: all but average pooling."""
  return digits_table.load().mask


def network(quick: bool) -> dict:
  """Return the section of the networks that these cells are searched in."""
  return dict(
    name='networks.nasbench201.NasBench201',
    channels=2 if quick else 4,
    cells_per_stage=1,
    num_stages=1 if quick else 3,
    affine=False,
  )


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '', 'random' or 'quick'.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  if arg not in ('', 'quick', 'random'):
    raise ValueError(f'Unknown option {arg!r}. Known: quick, random.')
  quick = arg == 'quick'
  batch_size, rounds, round_length = (8, 1, 2) if quick else (64, 2, 50)
  steps_per_epoch = 2 if quick else 700 // batch_size
  descent = 2 if quick else _EPOCHS * steps_per_epoch
  batches = lambda part: dict(
    name='data.streams.batches', dataset=part, batch_size=batch_size
  )
  optimizer = {}
  if arg == 'random':
    optimizer = dict(optimizer=dict(name='optax:set_to_zero'))
  space = dict(
    name='spaces.nasbench201.nasbench201',
    mask=dict(name='configs.radars_digits:mask'),
  )
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=1 if quick else 4,
      num_random=1 if quick else 100,
      num_steps=rounds * round_length + descent,
      data=dict(name='data.arrays.digits'),
      batches=dict(
        name='data.streams.joint',
        train=batches('@data.train'),
        valid=batches('@data.valid'),
      ),
      space=space,
      search=dict(
        name='systems.radars.radars',
        estimator=column('valid', run=0),
        inner=dict(
          function='systems.darts.darts',
          space=space,
          network=network(quick),
          derive=None,
          input_shape=(8, 8, 1),
          steps_per_epoch=steps_per_epoch,
          num_epochs=_EPOCHS,
          arch_learning_rate=3e-3,
          hypergradient=dict(name='searches.hypergradients.first_order'),
        ),
        num_options=2,
        num_rounds=rounds,
        steps_per_round=round_length,
        **optimizer,
      ),
      describe=dict(
        params=dict(function='spaces.nasbench201.num_params'),
        test_accuracy=column('test'),
      ),
    )
  )
