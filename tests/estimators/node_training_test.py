"""Training on all nodes: when it ends, what is kept, what is measured."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

from nasjax import choice
from nasjax.data import nodes
from nasjax.estimators import node_training, training
from nasjax.networks import gnn as networks
from nasjax.spaces import gnn

_OPTIONS = gnn.Options((4, 8), heads=(1, 2))
_ARCH = gnn.kipf(_OPTIONS, 4)
_TASK = nodes.karate_club()
_SETTINGS = dict(dropout=0.0, attention_dropout=0.0)


def _network(**settings):
  return networks.Gnn(34, 2, _OPTIONS, **_SETTINGS | settings)


def _children(trainer, num_steps, arch=_ARCH):
  """The child after every update."""
  update = jax.jit(
    lambda key, child: trainer.update(key, child, arch, _TASK['train'])[0]
  )
  child = jax.jit(lambda key: trainer.init(key, arch))(jax.random.key(0))
  found = []
  for key in jax.random.split(jax.random.key(1), num_steps):
    child = update(key, child)
    found.append(child)
  return found


def test_training_ends_where_the_loss_exceeds_the_mean_of_those_before():
  trainer = node_training.train_nodes(
    _network(dropout=0.5),
    _TASK['valid'],
    learning_rate=0.5,  # so much that the loss rises soon
    window=3,
    keep_best=False,
  )
  children = _children(trainer, 40)
  losses = [float(child.losses[-1]) for child in children]
  ends = [t for t in range(3, 40) if losses[t] > np.mean(losses[t - 3 : t])]
  assert ends[0] < 30
  stopped = [bool(child.stopped) for child in children]
  assert stopped == [t >= ends[0] for t in range(40)]
  chex.assert_trees_all_equal(children[-1], children[ends[0]])
  chex.assert_trees_all_equal(children[-1].kept, children[-1].params)


def test_the_weights_of_the_first_best_score_are_kept():
  trainer = node_training.train_nodes(
    _network(dropout=0.5), _TASK['valid'], learning_rate=0.1
  )
  children = _children(trainer, 25)
  scores = [
    trainer.accuracy(child._replace(kept=child.params), _ARCH, _TASK['valid'])
    for child in children
  ]
  best = int(np.argmax(scores))
  assert 0 < best < 24
  assert children[-1].score == max(scores)
  chex.assert_trees_all_equal(children[-1].kept, children[best].params)


def test_a_program_of_fewer_units_trains_the_same_weights():
  arch = choice.index(_ARCH)
  results = [
    _children(
      node_training.train_nodes(
        _network(widths=widths), _TASK['valid'], weight_decay=decay
      ),
      3,
      arch,
    )[-1].params
    for widths, decay in (((), 0.1), ((4,), 0.1), ((), 0.0))
  ]
  chex.assert_trees_all_close(results[0], results[1], atol=1e-5)
  # And weight decay is a part of it.
  kernels = [result['layer_1']['kernel'] for result in results]
  assert np.abs(kernels[0] - kernels[2]).max() > 1e-4


def test_decay_of_the_first_layer_leaves_the_others():
  unused = []
  for decay_all in (True, False):
    trainer = node_training.train_nodes(
      _network(), _TASK['valid'], decay_all=decay_all
    )
    first, last = (_children(trainer, 2)[i].params for i in (0, 1))
    # The vectors of attention are not used, so only decay moves them.
    unused.append(
      [
        bool(np.any(first[layer]['left'] != last[layer]['left']))
        for layer in ('layer_0', 'layer_1')
      ]
    )
  assert unused == [[True, True], [True, False]]


def test_scores_are_those_of_sklearn_on_the_nodes_that_count():
  rng = np.random.RandomState(0)
  logits, weight = rng.randn(30, 4), (rng.rand(30) < 0.6).astype('f4')
  several = (rng.rand(30, 4) < 0.4).astype('f4')
  part = dict(target=several, weight=weight)
  expected = metrics.f1_score(
    several[weight > 0], logits[weight > 0] > 0, average='micro'
  )
  found = node_training.micro_f1(jnp.asarray(logits), part)
  assert found == pytest.approx(expected, abs=1e-6)
  labels = rng.randint(4, size=30)
  part = dict(target=np.eye(4)[labels], weight=weight)
  hits = (logits.argmax(1) == labels)[weight > 0].mean()
  found = node_training.accuracy(jnp.asarray(logits), part)
  assert found == pytest.approx(hits, abs=1e-6)


@pytest.mark.parametrize(
  'sizes, message',
  [
    ((33, 2), 'at least 34 features, but the network num_features=33'),
    ((34, 3), '2 classes, but the network num_classes=3'),
  ],
)
def test_a_network_of_other_sizes_is_refused(sizes, message):
  network = networks.Gnn(*sizes, _OPTIONS)
  with pytest.raises(ValueError, match=message):
    node_training.train_nodes(network, _TASK['valid'])


@pytest.mark.parametrize('rule', ['accuracy', 'micro_f1'])
def test_logits_that_are_not_finite_have_no_score(rule):
  rule = getattr(node_training, rule)
  part = dict(target=np.eye(3), weight=np.array([1.0, 1.0, 0.0]))
  logits = jnp.asarray(np.eye(3))
  assert rule(logits, part) == 1
  assert rule(logits.at[2].set(np.nan), part) == 1  # a node that does not count
  assert np.isnan(rule(logits.at[1, 0].set(np.nan), part))
  assert np.isnan(rule(logits.at[1, 1].set(np.inf), part))


def test_neighbours_help_on_graphs_that_were_not_seen():
  task = nodes.communities({'train': 6, 'valid': 2, 'test': 4})
  options = gnn.Options((32,), heads=(1,))
  names = dict(
    hidden=(32,),
    attention=('const',) * 2,
    heads=(1, 1),
    aggregate=('mean',) * 2,
    combine=('identity',) * 2,
    activation=('relu', 'linear'),
  )
  arch = gnn.from_names(options, **names)
  network = networks.Gnn(16, 6, options, **_SETTINGS)

  @jax.jit
  def score(task):
    trainer = node_training.train_nodes(
      network,
      task['valid'],
      learning_rate=0.02,
      weight_decay=0.0,
      multi_label=True,
    )
    whole = nodes.whole(task['train'])
    child = training.train(trainer, jax.random.key(0), arch, whole, 60)
    return trainer.micro_f1(child, arch, task['test'])

  def alone(part):
    """The same nodes, each with no neighbour but itself, many times over."""
    graph = part['graph']
    alone = graph._replace(senders=graph.receivers)
    return dict(part, graph=alone)

  joined, apart = score(task), score({k: alone(v) for k, v in task.items()})
  assert joined > apart + 0.05


@pytest.mark.data
def test_gcn_on_cora_is_as_published():
  from benchmarks import gcn_planetoid

  found = gcn_planetoid.accuracies('gcn', 'cora', num_seeds=3)
  assert found['test'].mean() == pytest.approx(81.5, abs=1.5)
