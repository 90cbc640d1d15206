r"""ENAS on NAS-Bench-201 cells and handwritten digits.

H. Pham et al., ENAS, 2018, with the controller of NATS-Bench, scaled down as
`configs/spos_nasbench201.py`: 30 epochs of 10 updates of the weights and 20 of
the controller, 10 cells each. NATS-Bench's controller moves 5,000 times, this
one 600, so its rate is higher (0.01, not 0.001).

  python -m experiments.search --config=configs/enas_nasbench201.py \
      --workdir=runs/enas

`:quick` takes few steps of a tiny network.
"""

import ml_collections

from configs import spos_nasbench201


def search(quick: bool) -> dict:
  """Return the section of the search, without a space.

  Args:
    quick: whether all of it is as small as can be.
  """
  return dict(
    name='systems.enas.enas',
    input_shape=(8, 8, 1),
    valid=spos_nasbench201.valid(quick),
    steps_per_epoch=1 if quick else 10,
    num_epochs=2 if quick else 30,
    policy_steps=1 if quick else 20,
    num_samples=2 if quick else 10,
    num_candidates=2 if quick else 100,
    learning_rate=0.1,
    policy_optimizer=dict(name='optax:adam', learning_rate=0.01),
  )


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '' or 'quick'.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  if arg not in ('', 'quick'):
    raise ValueError(f'Unknown option {arg!r}. Known: quick.')
  quick = arg == 'quick'
  section = search(quick)
  epoch = section['steps_per_epoch'] + section['policy_steps']
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=1 if quick else 4,
      num_random=1 if quick else 100,
      num_steps=section['num_epochs'] * epoch,
      batches=dict(
        name='data.streams.joint',
        train=spos_nasbench201.batches('train', quick),
        valid=spos_nasbench201.batches('valid', quick),
      ),
      search=section,
      **spos_nasbench201.images(quick),
    )
  )
