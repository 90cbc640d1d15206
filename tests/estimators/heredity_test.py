"""What offspring inherit: what is homogeneous, unchanged, and nothing else."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import choice
from nasjax.data import nodes
from nasjax.estimators import combine, heredity, node_training
from nasjax.networks import gnn as networks
from nasjax.spaces import gnn

_ANCESTOR = choice.index(gnn.kipf())
_NAMES = ('kernel', 'left', 'mlp_in', 'mlp_out')
_OLD = {f'layer_{i}': {n: jnp.ones(2) for n in _NAMES} for i in range(2)}
_NEW = jax.tree.map(jnp.zeros_like, _OLD)


def _changed(arch, name, layer, value):
  number = getattr(gnn.AGNN, name).index(value)
  return dict(arch, **{name: arch[name].at[layer].set(number)})


def _taken(arch, ancestor=_ANCESTOR):
  """The names of what is inherited in each layer."""
  params = heredity.inherit(gnn.AGNN, arch, ancestor, _OLD, _NEW)
  return [
    {n for n in _NAMES if np.all(params[f'layer_{i}'][n] == 1)}
    for i in range(2)
  ]


def test_another_activation_takes_nothing_from_its_layer():
  arch = _changed(_ANCESTOR, 'activation', 0, 'tanh')
  assert _taken(arch) == [set(), {'kernel', 'left'}]


def test_another_aggregate_takes_all():
  arch = _changed(_ANCESTOR, 'aggregate', 1, 'max')
  assert _taken(arch) == [{'kernel', 'left'}] * 2


def test_an_mlp_is_taken_if_both_use_it():
  arch = _changed(_ANCESTOR, 'combine', 0, 'mlp')
  assert _taken(arch) == [{'kernel', 'left'}] * 2
  assert _taken(arch, arch) == [set(_NAMES), {'kernel', 'left'}]


@pytest.fixture(scope='module')
def shared():
  options = gnn.Options(
    (2, 4),
    ('gcn', 'gat'),
    (1, 2),
    ('sum',),
    ('identity',),
    ('relu', 'linear'),
  )
  task = nodes.karate_club()
  trainer = node_training.train_nodes(
    networks.Gnn(34, 2, options), task['valid']
  )
  found = heredity.homogeneous(
    options, trainer, task['train'], task['valid'], num_steps=0, num_first=2
  )
  return found, choice.index(gnn.kipf(options, 4)), jax.jit(found.score)


def test_an_offspring_without_training_is_its_ancestor(shared):
  found, ancestor, score = shared
  weights = jax.jit(found.init)(jax.random.key(0), ancestor)
  value, kept = score(
    jax.random.key(1), ancestor, ancestor, weights, jnp.bool_(False)
  )
  for layer in kept:
    chex.assert_trees_all_equal(kept[layer]['kernel'], weights[layer]['kernel'])
  assert 0 <= value <= 1


def test_the_first_one_begins_anew(shared):
  found, ancestor, score = shared
  weights = jax.jit(found.init)(jax.random.key(0), ancestor)
  _, kept = score(
    jax.random.key(1), ancestor, ancestor, weights, jnp.bool_(True)
  )
  old, new = weights['layer_0']['kernel'], kept['layer_0']['kernel']
  assert np.abs(old - new)[:, :4].min(1).max() > 0.05


def test_without_heredity_there_is_the_score_alone():
  found = heredity.without(
    combine.stateless(lambda key, arch: arch['heads'].sum())
  )
  assert found.init(jax.random.key(0), _ANCESTOR) == ()
  arch = _changed(_ANCESTOR, 'heads', 1, 4)
  value, weights = found.score(jax.random.key(0), arch, _ANCESTOR, (), False)
  assert value == 2 and weights == ()


def test_an_unknown_score_is_refused():
  with pytest.raises(ValueError, match='Known: accuracy, micro_f1'):
    heredity.homogeneous(gnn.AGNN, None, None, None, 1, score='perplexity')
