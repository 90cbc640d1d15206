r"""NAO on recurrent cells, by short trainings of language models.

Luo et al., 2018, section 4.2 (Penn Treebank): cells of 11 nodes as 22 tokens of
a vocabulary of 16. A cell is scored by a training from scratch, here of three
epochs with 32 features and 16 rows on Python's documentation, see
`darts_rnn_text.py`, instead of 600 epochs on Penn Treebank, by the
log-likelihood of the validation text. Each search trains 60 cells: 30 random
ones and two generations of 15. Four searches side by side; the cells they find
are then trained for 20 epochs with 64 features beside two random cells, the one
that the authors publish, and an LSTM of as many weights.

  python -m experiments.search --config=configs/nao_text.py \
      --workdir=runs/nao_text

Options come after a colon, separated by commas:

  method   nao (default), or random or evolution with as many trainings
  ptb      the same on as much of Penn Treebank, see `darts_rnn_text.py`
  quick    a few steps in the smallest setting
"""

import ml_collections

from configs import darts_rnn_text
from nasjax import choice
from nasjax.experiment import options
from nasjax.spaces import sequences

_NUM_NEW = 15  # cells of a generation; twice as many come first
_METHODS = ('nao', 'random', 'evolution')
_OPTIONS = dict(method='nao', ptb=False)
_SCALE = darts_rnn_text.DEFAULT._replace(
  features=(32, 64),
  num_nodes=11,
  batch_size=(16, 32),
  epochs=(3, 20),
  learning_rate=(32.0, 32.0),
)
_QUICK = _SCALE._replace(
  num_tokens=200, features=(8, 8), num_nodes=3, batch_size=(16, 16), bptt=8
)


def _nao(num_nodes: int, num_new: int, quick: bool) -> dict:
  small = dict(
    name='networks.autoencoder.Autoencoder',
    vocabulary=num_nodes + 5,
    embedding=8,
    hidden=8,
    widths=(8,),
  )
  return dict(
    name='strategies.nao.nao',
    sequences=dict(name='spaces.sequences.recurrent_cell', num_nodes=num_nodes),
    network=small if quick else None,
    num_initial=2 * num_new,
    num_new=num_new,
    capacity=4 * num_new,
    num_seeds=num_new,
    num_steps=2 if quick else 300,
    fit_batch_size=2 * num_new,
  )


def _search(method: str, num_trainings: int) -> tuple[dict, int]:
  """Return the search and its number of updates."""
  if method == 'nao':
    return dict(name='systems.nao.nao'), 4
  if method == 'random':
    search = dict(name='systems.random_search.random_search')
    return search | dict(num_samples=num_trainings // 4), 4
  return dict(
    name='systems.regularized_evolution.regularized_evolution',
    population=num_trainings // 3,
    tournament=5,
  ), num_trainings


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see above.

  Returns:
    The config.

  Raises:
    ValueError: for an option that does not exist.
  """
  given = options.parse(arg, _OPTIONS, {}, dict(method=_METHODS))
  quick, method = given['quick'], given['method']
  scale, num_new = (_QUICK, 1) if quick else (_SCALE, _NUM_NEW)
  num_trainings = 4 * num_new
  num_nodes, batch_size = scale.num_nodes, scale.batch_size[0]
  num_steps = darts_rnn_text.num_steps(scale, batch_size)

  search, num_updates = _search(method, num_trainings)
  config = ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=1 if quick else 4,
      num_random=1 if quick else 2,
      num_steps=num_updates,
      data=darts_rnn_text.text(scale, given['ptb']),
      space=dict(name='spaces.rnn_cell.rnn_cell', num_nodes=num_nodes),
    )
  )
  config.estimator = dict(
    name='estimators.stand_alone.stand_alone',
    trainer=dict(
      name='estimators.language_training.train_language_model',
      network=darts_rnn_text.network(scale.features[0], scale, search=False),
      batch_size=batch_size,
      bptt=scale.bptt,
      learning_rate=scale.learning_rate[0],
    ),
    batches=darts_rnn_text.batches('train', batch_size, scale.bptt),
    valid=darts_rnn_text.pieces('valid'),
    num_steps=2 if quick else scale.epochs[0] * num_steps,
    score='log_likelihood',
  )
  if method == 'nao':
    config.strategy = _nao(num_nodes, num_new, quick)
  config.search = search
  config.evaluation = darts_rnn_text.evaluation(scale, quick)
  if num_nodes == 11:
    cell = sequences.recurrent_from_string(sequences.NAO_PTB)
    config.references = {'nao_ptb': choice.static(cell)}
  return config


def sweep() -> list[dict]:
  """Return the seeds of three independent comparisons."""
  return [{'seed': seed} for seed in range(3)]
