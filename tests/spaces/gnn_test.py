"""Sizes of the spaces of graph networks, and what may be inherited in them."""

import jax
import numpy as np
import pytest

from nasjax import choice
from nasjax.networks import graph_layers
from nasjax.spaces import gnn

_BASE = choice.index(gnn.velickovic(units=8, heads=4))


def _changed(name, layer, value):
  leaf = _BASE[name].at[layer].set(getattr(gnn.AGNN, name).index(value))
  return dict(_BASE, **{name: leaf})


def test_sizes_are_the_products_of_the_options():
  # Seven widths of the last layer, which the papers count, change nothing.
  assert gnn.gnn().size * 7 == (7 * 7 * 5 * 3 * 2 * 8) ** 2
  assert gnn.gnn(gnn.GRAPHNAS).size * 7 == (7 * 4 * 8 * 6 * 7) ** 2


def test_names_become_choices():
  arch = gnn.kipf()
  assert arch == {
    'hidden': (2,),
    'attention': (1, 1),
    'heads': (0, 0),
    'aggregate': (0, 0),
    'combine': (0, 0),
    'activation': (2, 3),
  }


@pytest.mark.parametrize(
  'build, message',
  [
    (lambda: gnn.kipf(units=17), 'Unknown hidden 17. Known: 4, 8, 16, .*256'),
    (
      lambda: gnn.from_names(gnn.AGNN, atention=('gcn',)),
      "Unknown class 'atention'. Known: hidden, attention",
    ),
    (
      lambda: gnn.from_names(gnn.AGNN, combine=('mlp', 'sum')),
      "Unknown combine 'sum'. Known: identity, mlp",
    ),
    (
      lambda: gnn.gnn(gnn.Options(attention=('gta',))),
      "Unknown attention 'gta'. Known: const, gcn, gat",
    ),
  ],
)
def test_what_is_unknown_is_named_with_what_is_known(build, message):
  with pytest.raises(ValueError, match=message):
    build()


def test_what_a_layer_can_be_is_known():
  known = dict(
    attention=graph_layers.ATTENTIONS,
    aggregate=graph_layers.AGGREGATES,
    combine=graph_layers.COMBINES,
    activation=graph_layers.ACTIVATIONS,
  )
  for name, layers in known.items():
    gnn.gnn(gnn.AGNN._replace(**{name: tuple(layers)}))
    with pytest.raises(ValueError) as error:
      gnn.gnn(gnn.AGNN._replace(**{name: ('gta',)}))
    listed = str(error.value).partition('Known: ')[2].rstrip('.')
    assert set(listed.split(', ')) == set(layers)


def test_units_are_heads_times_their_size():
  np.testing.assert_array_equal(gnn.num_units(gnn.AGNN, _BASE), [32])


@pytest.mark.parametrize(
  'change, expected',
  [
    (('aggregate', 0, 'max'), [1, 1]),
    (('combine', 1, 'mlp'), [1, 1]),
    (('activation', 0, 'tanh'), [0, 1]),
    (('attention', 1, 'cos'), [1, 0]),
    (('hidden', 0, 16), [0, 0]),  # the second layer has other inputs
    (('heads', 1, 2), [1, 0]),
    (('heads', 0, 2), [0, 0]),
  ],
)
def test_layers_inherit_if_shape_attention_and_activation_agree(
  change, expected
):
  shared = gnn.homogeneous(gnn.AGNN, _changed(*change), _BASE)
  np.testing.assert_array_equal(shared, expected)


def test_other_heads_of_as_many_units_do_not_inherit():
  arch = choice.index(gnn.velickovic(units=16, heads=2))
  shared = gnn.homogeneous(gnn.AGNN, arch, _BASE)
  # The inputs of the second layer are as many, so its weights fit.
  np.testing.assert_array_equal(shared, [False, True])


def test_one_layer_is_refused():
  with pytest.raises(ValueError, match='at least 2, got 1'):
    gnn.gnn(num_layers=1)


def test_three_layers_have_two_widths():
  arch = gnn.gnn(num_layers=3).sample(jax.random.key(0))
  assert arch['hidden'].shape == (2,) and arch['heads'].shape == (3,)
