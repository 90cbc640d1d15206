r"""DARTS for recurrent cells on a text, first or second order.

Liu, Simonyan and Yang, DARTS, 2019, table 2 (a search of 50 epochs on Penn
Treebank), scaled down to Python's own documentation, which needs no download:
64,000 words of a vocabulary of 2,000 and 64 features instead of 930,000 of
10,000 and 300, 32 rows instead of 256, 10 epochs, dropout of 0.2 and 0.1 for so
narrow a network. The rate is 2 instead of 20: a step of the paper is up to
20 * 0.25 long, half of the norm of all first weights here, and the loss never
settled. Eight nodes, first order (`:second` takes the second). The cells found
by two searches are trained from scratch for 20 epochs beside three random ones,
and tested by their perplexity on the last tenth of the text, which nothing else
sees.

  python -m experiments.search --config=configs/darts_rnn_text.py \
      --workdir=runs/darts_rnn_text

`:ptb` has the settings of the paper and reads Penn Treebank from
`$NASJAX_DATA_DIR` (`ptb.npz`; for the text files set `config.data` to
`dict(name='data.text.read_text', folder=...)`): for an accelerator. `:quick`
searches and trains for a few steps in the smallest setting.
"""

from typing import NamedTuple

import ml_collections

_OPTIONS = ('', 'quick', 'second', 'ptb')


class _Scale(NamedTuple):
  """What differs between the settings."""

  num_words: int  # of the training text
  num_tokens: int  # of the vocabulary
  features: tuple[int, int]  # in the search and in the evaluation
  num_nodes: int
  batch_size: tuple[int, int]
  bptt: int
  epochs: tuple[int, int]


_SCALES = {
  '': _Scale(63_942, 2000, (64, 64), 8, (32, 32), 35, (10, 20)),
  'quick': _Scale(63_942, 200, (16, 16), 4, (16, 16), 8, (1, 1)),
  'ptb': _Scale(929_589, 10_000, (300, 850), 8, (256, 64), 35, (50, 1600)),
}


def _network(features: int, scale: _Scale, search: bool) -> dict:
  dropout = dict(input_dropout=0.2, hidden_dropout=0.1, output_dropout=0.2)
  if features >= 300:  # those of the paper
    dropout = dict(word_dropout=0.0 if search else 0.1)
  return dict(
    name='networks.language_model.LanguageModel',
    core=dict(
      name='networks.rnn_cell.RnnCell',
      features=features,
      num_nodes=scale.num_nodes,
      norm=search,
    ),
    num_tokens=scale.num_tokens,
    **dropout,
  )


def _batches(part: str, batch_size: int, bptt: int, **lengths) -> dict:
  return dict(
    name='data.text_streams.text_batches',
    tokens=f'@data.{part}',
    batch_size=batch_size,
    bptt=bptt,
    **lengths,
  )


def _pieces(part: str, batch_size: int) -> dict:
  return dict(
    name='data.text_streams.text_pieces',
    tokens=f'@data.{part}',
    batch_size=batch_size,
  )


def _num_steps(scale: _Scale, batch_size: int) -> int:
  """Pieces of an epoch, see `data.text_streams.num_pieces`."""
  mean = 0.95 * scale.bptt + 0.05 * (scale.bptt // 2)
  return round(scale.num_words // batch_size / mean)


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '', 'quick', 'second' or 'ptb'.

  Returns:
    The config.
  """
  if arg not in _OPTIONS:
    raise ValueError(f'Unknown option {arg!r}. Known: quick, second, ptb.')
  quick, ptb = arg == 'quick', arg == 'ptb'
  scale = _SCALES.get(arg, _SCALES[''])
  batch_size, bptt = scale.batch_size, scale.bptt
  learning_rate = 20.0 if ptb else 2.0
  epoch, evaluation_epoch = (_num_steps(scale, b) for b in batch_size)

  config = ml_collections.ConfigDict(
    dict(seed=0, num_seeds=1 if quick else 2, num_random=1 if quick else 3)
  )
  config.num_steps = 4 if quick else scale.epochs[0] * epoch
  config.data = (
    dict(name='data.text.load_ptb')
    if ptb
    else dict(name='data.text.documentation', vocabulary_size=scale.num_tokens)
  )
  config.batches = dict(
    name='data.streams.joint',
    train=_batches('train', batch_size[0], bptt),
    valid=_batches('valid', batch_size[0], bptt),
  )
  config.space = dict(
    name='spaces.rnn_cell.rnn_cell', num_nodes=scale.num_nodes
  )
  config.network = _network(scale.features[0], scale, search=True)
  order = 'exact' if arg in ('second', 'ptb') else 'first_order'
  config.search = dict(
    name='systems.darts_rnn.darts_rnn',
    batch_size=batch_size[0],
    bptt=bptt,
    learning_rate=learning_rate,
    hypergradient=dict(name=f'searches.hypergradients.{order}'),
  )
  config.evaluation = dict(
    name='estimators.stand_alone.population',
    num_steps=4 if quick else scale.epochs[1] * evaluation_epoch,
    batches=_batches(
      'train', batch_size[1], bptt, deviation=0.0 if quick else 5.0
    ),
    trainer=dict(
      name='estimators.language_training.train_language_model',
      network=_network(scale.features[1], scale, search=False),
      batch_size=batch_size[1],
      valid=_pieces('valid', 10),
      steps_per_epoch=2 if quick else evaluation_epoch,
      bptt=bptt,
      learning_rate=learning_rate,
    ),
    test=_pieces('test', 1 if ptb else 10),
    score='perplexity',
  )
  return config


def sweep() -> list[dict]:
  """Return the seeds of three independent studies."""
  return [{'seed': seed} for seed in range(3)]
