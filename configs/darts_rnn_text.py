r"""DARTS for recurrent cells, on the text that comes with Python.

Liu, Simonyan and Yang, 2019, sections 3.1.2 and A.3 (Penn Treebank), scaled
down to Python's own documentation, which needs no download: 64,000 words of a
vocabulary of 2,000 and 64 features instead of 930,000 of 10,000 and 300, 32
rows instead of 256, 10 epochs, dropout of 0.2 and 0.1 for so narrow a network.
The rate of the search is 2 instead of 20: a step of the paper is up to
20 * 0.25 long, half of the norm of all first weights here, and the loss never
settled. Alpha's is 0.02 instead of 3e-3, so that alpha can travel as far as in
the paper's ten times as many steps. Eight nodes, first order.

The cells that three searches find are trained from scratch for 20 epochs beside
five random ones, the two published ones, and an LSTM of as many weights with a
rate of its own, three times; all by the same batches. The table has their
perplexity on the validation text, which steers the search and by which the
rates of both are chosen (docs/studies/recurrent.md), and on the last tenth of
the text, which nothing else sees.

  python -m experiments.search --config=configs/darts_rnn_text.py \
      --workdir=runs/darts_rnn_text

Options come after a colon, separated by commas:

  second   the second order
  prime    DARTS-PRIME: clipped weights, informed schedule, proximity
  ptb      the same on as much of Penn Treebank, from `$NASJAX_DATA_DIR`
           (`ptb.npz`; for the text files set `config.data.corpus` to
           `dict(name='data.text.read_text', folder=...)`)
  paper    all of Penn Treebank with the settings of the paper, second order:
           for an accelerator
  quick    a few steps in the smallest setting
"""

from typing import NamedTuple

import ml_collections

from nasjax import choice
from nasjax.experiment import options
from nasjax.spaces import rnn_cell

_OPTIONS = dict(second=False, prime=False, ptb=False, paper=False)
_TRAINER = 'estimators.language_training.train_language_model'


class Scale(NamedTuple):
  """What differs between the settings."""

  num_words: int  # of the training text
  num_tokens: int  # of the vocabulary
  features: tuple[int, int]  # in the search and in the evaluation
  num_nodes: int
  batch_size: tuple[int, int]
  bptt: int
  epochs: tuple[int, int]
  learning_rate: tuple[float, float]
  lstm_learning_rate: float
  arch_learning_rate: float


DEFAULT = Scale(
  63_942, 2000, (64, 64), 8, (32, 32), 35, (10, 20), (2.0, 32.0), 32.0, 0.02
)
_QUICK = DEFAULT._replace(
  num_tokens=200, features=(16, 16), num_nodes=4, batch_size=(16, 16), bptt=8
)
_PAPER = Scale(
  929_589,
  10_000,
  (300, 850),
  8,
  (256, 64),
  35,
  (50, 1600),  # the second as recalled, not read
  (20.0, 20.0),
  20.0,
  3e-3,
)


def text(scale: Scale, ptb: bool = False) -> dict:
  """Return the section of the text; Penn Treebank as much as the scale has."""
  if not ptb:
    return dict(
      name='data.text.documentation', vocabulary_size=scale.num_tokens
    )
  return dict(
    name='data.text.excerpt',
    corpus=dict(name='data.text.load_ptb'),
    num_words=scale.num_words,
    vocabulary_size=scale.num_tokens,
  )


def _language_model(core: dict, scale: Scale, search: bool) -> dict:
  dropout = dict(input_dropout=0.2, hidden_dropout=0.1, output_dropout=0.2)
  if core['features'] >= 300:  # those of the paper
    dropout = dict(word_dropout=0.0 if search else 0.1)
  return dict(
    name='networks.language_model.LanguageModel',
    core=core,
    num_tokens=scale.num_tokens,
    **dropout,
  )


def network(features: int, scale: Scale, search: bool) -> dict:
  """Return the language model of a cell; that of a search normalises."""
  core = dict(
    name='networks.rnn_cell.RnnCell',
    features=features,
    num_nodes=scale.num_nodes,
    norm=search,
  )
  return _language_model(core, scale, search)


def lstm(scale: Scale) -> dict:
  """Return that of the narrowest LSTM with no fewer weights than a cell's."""
  tokens, features = scale.num_tokens, scale.features[1]
  cell = tokens * features + (4 + 2 * scale.num_nodes) * features**2
  width = next(h for h in range(cell) if tokens * h + 8 * h**2 + 4 * h >= cell)
  core = dict(name='networks.language_model.LstmCell', features=width)
  return _language_model(core, scale, search=False)


def batches(part: str, batch_size: int, bptt: int, **lengths) -> dict:
  """Return the section of training batches of a part of the text."""
  return dict(
    name='data.text_streams.text_batches',
    tokens=f'@data.{part}',
    batch_size=batch_size,
    bptt=bptt,
    **lengths,
  )


def pieces(part: str, batch_size: int = 10) -> dict:
  """Return the section of a whole part of the text, in order."""
  return dict(
    name='data.text_streams.text_pieces',
    tokens=f'@data.{part}',
    batch_size=batch_size,
  )


def num_steps(scale: Scale, batch_size: int) -> int:
  """Return the pieces of an epoch, see `data.text_streams.num_pieces`."""
  mean = 0.95 * scale.bptt + 0.05 * (scale.bptt // 2)
  return round(scale.num_words // batch_size / mean)


def evaluation(scale: Scale, quick: bool = False) -> dict:
  """Return the training from scratch, and that of an LSTM beside it."""
  batch_size, bptt = scale.batch_size[1], scale.bptt
  epoch = num_steps(scale, batch_size)
  trainer = dict(
    name=_TRAINER,
    network=network(scale.features[1], scale, search=False),
    batch_size=batch_size,
    valid=pieces('valid'),
    steps_per_epoch=2 if quick else epoch,
    bptt=bptt,
    learning_rate=scale.learning_rate[1],
  )
  baseline = dict(network=lstm(scale), learning_rate=scale.lstm_learning_rate)
  return dict(
    name='estimators.stand_alone.population',
    num_steps=4 if quick else scale.epochs[1] * epoch,
    batches=batches('train', batch_size, bptt, deviation=0.0 if quick else 5.0),
    trainer=trainer,
    test=pieces('test', 1 if scale is _PAPER else 10),
    valid=pieces('valid'),
    score='perplexity',
    count_weights=True,
    baselines=dict(
      lstm=dict(num_repeats=1 if quick else 3, trainer=trainer | baseline)
    ),
  )


def _search(given: dict, scale: Scale, num_updates: int) -> dict:
  order = 'exact' if given['second'] or given['paper'] else 'first_order'
  section = dict(
    name='systems.darts_rnn.darts_rnn',
    batch_size=scale.batch_size[0],
    bptt=scale.bptt,
    learning_rate=scale.learning_rate[0],
    arch_learning_rate=scale.arch_learning_rate,
    hypergradient=dict(name=f'searches.hypergradients.{order}'),
  )
  if given['prime']:
    section['hypergradient']['name'] = 'searches.hypergradients.first_order'
    section['prime'] = dict(
      name='searches.prime.prime',
      num_steps=num_updates,
      derive=dict(function='spaces.rnn_cell.derive'),
      arch_every=10 if given['paper'] else 2,
      trace_rate=1.0,
    )
  return section


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see above.

  Returns:
    The config.

  Raises:
    ValueError: for an option that does not exist.
  """
  given = options.parse(arg, _OPTIONS, quick={})
  quick, paper = given['quick'], given['paper']
  scale = _QUICK if quick else _PAPER if paper else DEFAULT
  batch_size = scale.batch_size[0]
  num_updates = 4 if quick else scale.epochs[0] * num_steps(scale, batch_size)

  config = ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=1 if quick else 3,
      num_random=1 if quick else 5,
      num_steps=num_updates,
      data=dict(name='data.text.load_ptb')
      if paper
      else text(scale, given['ptb']),
    )
  )
  config.batches = dict(
    name='data.streams.joint',
    train=batches('train', batch_size, scale.bptt),
    valid=batches('valid', batch_size, scale.bptt),
  )
  config.space = dict(
    name='spaces.rnn_cell.rnn_cell', num_nodes=scale.num_nodes
  )
  config.network = network(scale.features[0], scale, search=True)
  config.search = _search(given, scale, num_updates)
  config.evaluation = evaluation(scale, quick)
  if scale.num_nodes == 8:
    config.references = {
      name: choice.static(rnn_cell.from_genotype(genotype))
      for name, genotype in (
        ('darts_v1', rnn_cell.DARTS_V1),
        ('darts_v2', rnn_cell.DARTS_V2),
      )
    }
  return config


def sweep() -> list[dict]:
  """Return the seeds of three independent studies."""
  return [{'seed': seed} for seed in range(3)]
