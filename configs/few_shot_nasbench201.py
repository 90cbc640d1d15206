r"""Few-shot NAS on NAS-Bench-201 cells and handwritten digits.

Y. Zhao et al., Few-shot Neural Architecture Search, 2021, in the setting of
`configs/spos_nasbench201.py`: one supernet for all cells, then one for each
operation of the first edge, four in the table of digits; then 1,000 random
cells are scored by the supernet of their operation. All supernets together take
the 3,000 steps of that config; of ENAS two thirds of them move the policy.

  python -m experiments.search --config=configs/few_shot_nasbench201.py \
      --workdir=runs/few_shot

How well its scores rank cells: `configs/score_supernets.py`. Options come after
a colon, separated by commas:

  quick   few steps of a tiny network
  inner   random (default): random search on the supernets; darts or enas: that
          search in the whole space, then in each part; for one supernet add
          `whole`
  whole   one part with all operations: the search on one supernet with the same
          number of updates
"""

import ml_collections

from configs import enas_nasbench201, spos_nasbench201
from nasjax.experiment.options import parse

_STEPS_PER_EPOCH = 10
_EPOCHS = (100, 50)  # of the supernet for all, of each of four parts
_PROPOSALS = 20


def _darts() -> dict:
  """Return DARTS without a space; its rate does not depend on the turn."""
  return dict(
    function='systems.darts.darts',
    input_shape=(8, 8, 1),
    steps_per_epoch=_STEPS_PER_EPOCH,
    num_epochs=_EPOCHS[0],
    arch_learning_rate=3e-3,
    derive=None,
    hypergradient=dict(name='searches.hypergradients.first_order'),
  )


def _enas(quick: bool) -> dict:
  """Return ENAS without a space."""
  section = enas_nasbench201.search(quick)
  return dict(function=section.pop('name'), **section)


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see the head of this file.

  Returns:
    The config.

  Raises:
    ValueError: for an unknown option.
  """
  options = parse(
    arg,
    {'inner': 'random', 'whole': False},
    {},
    choices={'inner': ('random', 'darts', 'enas')},
  )
  quick, inner = options['quick'], options['inner']
  steps, (epochs, tuning) = _STEPS_PER_EPOCH, _EPOCHS
  if quick:
    steps, epochs, tuning = 1, 1, 1
  num_parts = 4
  if options['whole']:
    num_parts, tuning = 1, 4 * tuning
  sections = spos_nasbench201.images(quick)
  search = dict(
    name='systems.few_shot.few_shot',
    input_shape=(8, 8, 1),
    valid=spos_nasbench201.valid(quick),
    steps_per_epoch=steps,
    num_epochs=epochs,
    num_tuning_epochs=tuning,
    learning_rate=0.1,
  )
  if options['whole']:
    search['groups'] = ((0, 1, 2, 3),)
  train = spos_nasbench201.batches('train', quick)
  num_steps = (epochs + num_parts * tuning) * steps
  if inner == 'random':
    search['strategy'] = dict(
      name='strategies.random_search.random_search',
      batch_size=4 if quick else 50,
    )
    num_steps += 1 if quick else _PROPOSALS
    stream = train
  else:
    section = _darts() if inner == 'darts' else _enas(quick)
    search['inner'] = dict(section, network=dict(sections['network']))
    stream = dict(
      name='data.streams.joint',
      train=train,
      valid=spos_nasbench201.batches('valid', quick),
    )
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=1 if quick else 4,
      num_random=1 if quick else 100,
      num_steps=num_steps,
      batches=stream,
      search=search,
      **sections,
    )
  )
