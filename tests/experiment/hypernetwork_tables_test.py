"""Tables of what hypernetworks have predicted."""

from nasjax.experiment import hypernetwork_tables

_ROWS = (
  {
    'method': hypernetwork_tables.PROPERTY,
    'seed': 0,
    'valid': [0.1, 0.2, 0.3],
    'test': [0.1, 0.4, 0.3, 0.2],
    'params': [40, 30, 20, 10],
  },
  {'method': 'a', 'seed': 0, 'split': 'test', 'accuracies': [0.1, 0.3, 0.2]},
  {'method': 'a', 'seed': 1, 'split': 'test', 'accuracies': [0.3, 0.1, 0.2]},
  {
    'method': 'a',
    'seed': 0,
    'split': hypernetwork_tables.EMBEDDED,
    'accuracies': [0.3, 0.7, 0.6, 0.5],
  },
  {
    'method': 'trained from random weights',
    'seed': 10,
    'accuracies': [0.5, 0.7],
  },
)


def test_predictors_stand_beside_the_number_of_parameters():
  # Of three networks: all pairs in order; one of three.
  assert hypernetwork_tables.properties(_ROWS, ['a']).splitlines()[2:] == [
    '| number of parameters | 4 | 1 | 0.000 |',
    '| a, predicted weights | 3 | 2 | 0.000 ± 12.706 |',
    '| a, embeddings | 4 | 1 | 1.000 |',
  ]


def test_seeds_and_networks_have_their_spread():
  table = hypernetwork_tables.splits(_ROWS, ['a', 'b'], ['test', 'wide'])
  assert table.splitlines() == [
    '|  | seeds | test | wide |',
    '| --- | --- | --- | --- |',
    '| a | 2 | 20.0 ± 0.0 |  |',
    '| b | 0 |  |  |',
  ]
  assert hypernetwork_tables.training(_ROWS).splitlines()[2:] == [
    '| 10 | random weights | 60.0 ± 10.0 |'
  ]
