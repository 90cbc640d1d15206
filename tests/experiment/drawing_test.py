"""Tests of what is drawn of a cell."""

from nasjax.experiment import drawing

OPERATIONS = ('none', 'skip', 'pool', 'conv')


def _texts(leaf):
  figure = drawing.darts(leaf, operations=OPERATIONS)
  return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_every_edge_but_none_has_its_operation():
  texts = _texts([1, 0, 2, 3, 0])
  assert sorted(text for text in texts if text in OPERATIONS) == [
    'conv',
    'pool',
    'skip',
  ]
  assert not any('+' in text for text in texts)


def test_two_operations_of_an_edge_are_drawn_on_it():
  pairs = [1, 2, 0, 0, 0, 3, 0, 0, 2, 0]  # five edges, two nodes
  texts = _texts(pairs)
  assert 'skip + pool' in texts and 'conv' in texts and 'pool' in texts
  assert {'0', '1'} <= set(texts) and '2' not in texts
