"""One row an implementation: what tests/conformance_test.py checks.

A new space, distribution, estimator, strategy or search adds one row here, in
a setting that compiles in about a second.
"""

from collections.abc import Callable, Mapping
import functools
import types
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nasjax import archive, networks
from nasjax.distributions import categorical as categorical_policy
from nasjax.distributions import (
  clipped,
  controller,
  dirichlet,
  edge_normalised,
  gumbel,
  masked,
  one_hot,
  sigmoid,
  softmax,
  sparse,
  straight_through,
  two_path,
)
from nasjax.estimators import (
  autoencoder,
  combine,
  comparator,
  ensemble,
  few_shot,
  gaussian_process,
  graph_kernels,
  heredity,
  language_training,
  latency_predictor,
  one_shot,
  parzen,
  predictor,
  ranking_losses,
  ridge,
  samplers,
  sandwich,
  self_labelled,
  stand_alone,
  tabular,
  training,
  zero_cost,
)
from nasjax.networks import autoencoder as autoencoder_networks
from nasjax.networks import language_model, masked_mlp
from nasjax.networks import rnn_cell as rnn_cell_networks
from nasjax.searches import (
  bilevel,
  black_box,
  hypergradients,
  multi_objective,
  run,
  single_level,
)
from nasjax.searches import wiring as wiring_searches
from nasjax.spaces import (
  categorical,
  darts_cell,
  deepnets,
  deepnets_layouts,
  generators,
  gnn,
  mobile,
  nasbench101,
  nasbench101_classes,
  nasbench201,
  nasbench_graph,
  node_masks,
  rnn_cell,
  sequences,
  subspaces,
)
from nasjax.strategies import (
  asha,
  bananas,
  bohb,
  coarse_to_fine,
  conservative,
  ctnas,
  evolution,
  genetic,
  hyperband,
  latent_ascent,
  local_search,
  model_based,
  nao,
  nas_bowl,
  nsga2,
  parego,
  ppo,
  predicted,
  q_learning,
  random_search,
  reinforce,
  renas,
  seminas,
  tpe,
)
from nasjax.systems import (
  agnn,
  assisted_evolution,
  bignas,
  d_darts,
  darts,
  darts_es,
  darts_prime,
  darts_pt,
  darts_rnn,
  drnas,
  enas,
  fair_darts,
  fairnas,
  gdas,
  ghn2,
  graphnas,
  irlas,
  latency_darts,
  mnasnet,
  nago,
  naswot,
  p_darts,
  pc_darts,
  r_darts,
  radars,
  sparse_random_search,
  spos,
  te_nas,
  wiring,
)
from nasjax.systems import bananas as bananas_system
from nasjax.systems import ctnas as ctnas_system
from nasjax.systems import few_shot as few_shot_system
from nasjax.systems import nao as nao_system
from nasjax.systems import nas_bowl as nas_bowl_system
from nasjax.systems import random_search as random_search_system
from nasjax.systems import regularized_evolution as evolution_system
from nasjax.systems import renas as renas_system
from nasjax.systems import seminas as seminas_system
from nasjax.types import Arch, Batch, Estimator, Mask, Space


class Row(NamedTuple):
  """An implementation in a tiny setting."""

  name: str
  build: Callable[[], Any]  # () -> one of the five protocols
  space: Space  # of its architectures
  contains: Callable[[Arch, Mask], jax.Array] = categorical.contains
  batch: Batch = None  # for `update`
  exempt: Mapping[str, str] = types.MappingProxyType({})  # check -> reason
  slow: bool = False  # where compiling takes minutes


CELLS = nasbench201.nasbench201()
DARTS = darts_cell.darts_cell(num_nodes=2)
DEEPNETS_LAYOUT = deepnets_layouts.DIGITS._replace(
  operations=('skip_connect', 'conv_1x1'),
  depths=(2,),
  steps=(1,),
  widths=(2,),
  image=(4, 4, 1),
)
DEEPNETS = deepnets.deepnets(DEEPNETS_LAYOUT)
RECURRENT = rnn_cell.rnn_cell(num_nodes=2)
CELLS_APART = darts_cell.darts_cell(num_nodes=1, num_cells=3)
_LAYOUT = mobile.Layout(
  (8,), (4,), (mobile.Stage((4, 6, 8), (1, 2), (3, 5)),), (4, 8)
)
MOBILE = mobile.mobile(_LAYOUT)
GRAPHS = nasbench101.nasbench101()
GRAPHS_RESTRICTED = GRAPHS.restrict(
  # Without max pooling and with the edge from the input to the output.
  {
    'edge': np.arange(42).reshape(21, 2) != 30,
    'op': np.arange(15).reshape(5, 3) % 3 < 2,
  }
)
GRAPHS_OF_TABLE = nasbench101.nasbench101(
  cells=nasbench101_classes.all_codes(4), mutation_rate=1.0
)
TINY = categorical.categorical({'kernel': (2, 3), 'width': (1, 2)})
_LEVELS = (
  generators.Level('watts_strogatz', (3, 4), (2,), (0.1, 0.9)),
  generators.Level('barabasi_albert', (3,), (1, 2)),
  generators.Level('erdos_renyi', (2, 3), (), (0.5,)),
)
GENERATORS = generators.generator(_LEVELS)
MASKS = node_masks.node_masks((4, 3), 0.5)
EVEN = categorical.categorical({'op': (3, 2)})
TRIMMED = CELLS.restrict(
  # Without `none`, and without pooling on the first edge.
  {'op': (np.arange(5) > 0) & ~((np.arange(30) == 4).reshape(6, 5))}
)
_TABLE = np.sin(np.arange(CELLS.size, dtype=np.float32))


def _table() -> Estimator:
  return tabular.tabular(nasbench201.cell_index, _TABLE)


def _table_at_fidelities() -> Estimator:
  columns = np.stack([np.cos(_TABLE), _TABLE], axis=1)
  return tabular.tabular(nasbench201.cell_index, columns, (0.1, 1.0))


def _told() -> archive.Archive:
  """Eight of ten slots hold a value, one of them of a failure."""
  told = archive.create(TINY.index(0), 10)
  archs = jax.vmap(TINY.index)(jnp.arange(8))
  values = jnp.sin(jnp.arange(8.0)).at[3].set(jnp.nan)
  return archive.add(told, archs, values)


def _learned() -> Estimator:
  """A linear score that moves towards its batch."""

  def init(key):
    return jax.random.normal(key, (TINY.encode(TINY.sample(key)).size,))

  def update(key, state, batch):
    noise = 0.1 * jax.random.normal(key, state.shape)
    return state + 0.5 * (batch - state) + noise, {'norm': jnp.sum(state**2)}

  def score(key, state, arch):
    del key
    return TINY.encode(arch) @ state

  return Estimator(init, update, score)


def _product() -> Estimator:
  """Estimators combined, one of them learned, one that draws numbers."""
  noisy = combine.stateless(lambda key, arch: jax.random.uniform(key) + 1)
  return combine.weighted_product(_learned(), noisy, target=1.5)


def _few_shot() -> Estimator:
  # The parts of 'width': kernels come first.
  split = subspaces.split(TINY, which=(2,))
  return few_shot.few_shot(TINY, _one_shot, split, num_shared=2, num_each=2)


def _quadratic(weights, arch, key, batch):
  """(w + features . v - target)^2, with noise from the key."""
  target = batch + 0.1 * jax.random.normal(key)
  error = weights['w'] + TINY.encode(arch) @ weights['v'] - target
  return jnp.square(error), {'error': error}


def _init_quadratic(key):
  num_features = sum(leaf.size for leaf in jax.tree.leaves(TINY.mask))
  return {'w': jnp.zeros(()), 'v': jax.random.normal(key, (num_features,))}


def _one_shot(space: Space = TINY, length: Any = None) -> Estimator:
  del length
  valid = jnp.array([1.0, 2.0])
  return one_shot.one_shot(
    samplers.uniform(space, 2),
    _quadratic,
    _init_quadratic,
    optax.adam(0.1),
    valid,
    value='error',
  )


def _linear_network(space: Space = TINY) -> types.SimpleNamespace:
  """Logits that are linear in the features of the architecture."""

  def init(key, arch, x):
    shape = (space.encode(arch).size, x.shape[-1], 3)
    return {'params': {'w': jax.random.normal(key, shape)}}

  def apply(variables, arch, x, train=True, mutable=None, **drawn):
    del train, drawn
    logits = x @ jnp.tensordot(space.encode(arch), variables['params']['w'], 1)
    return (logits, {}) if mutable else logits

  return types.SimpleNamespace(init=init, apply=apply)


_EXAMPLES = {'image': np.eye(3, dtype=np.float32), 'label': np.arange(3)}


def _stand_alone() -> Estimator:
  trainer = training.train_child(_linear_network(), (3,), num_steps=2)
  valid = _EXAMPLES | {'weight': np.ones(3, np.float32)}
  valid = jax.tree.map(lambda leaf: leaf[None], valid)
  return stand_alone.stand_alone(trainer, lambda key, t: _EXAMPLES, valid, 2)


def _sandwich() -> Estimator:
  ends = [TINY.index(59), TINY.index(0)]
  network = _linear_network()
  return sandwich.sandwich(
    samplers.sandwich(TINY, ends, 1),
    network,
    one_shot.init_supernet(network, TINY, (3,)),
    optax.sgd(0.1),
    lambda weights, arch: jnp.sum(TINY.encode(arch) @ weights['w'][:, 0]),
  )


def _predictor() -> Estimator:
  return predictor.predictor(
    networks.Mlp((4,)),
    TINY.encode,
    TINY.sample(jax.random.key(0)),
    ranking_losses.pairwise(ranking_losses.logistic),
    optax.sgd(0.1),
    num_steps=2,
    batch_size=4,
    warm_start=True,
    standardize=True,
  )


def _comparator() -> Estimator:
  return comparator.comparator(
    networks.Mlp((4,)),
    TINY.encode,
    TINY.sample(jax.random.key(0)),
    optax.sgd(0.1),
    num_steps=2,
  ).estimator


def _ridge() -> Estimator:
  return ridge.ridge(TINY.encode, TINY.sample(jax.random.key(0)))


_TOKENS = sequences.categorical(TINY.mask)
_AUTOENCODER = autoencoder_networks.Autoencoder(6, 4, 4, widths=(4,))


def _autoencoder(**kwargs) -> Estimator:
  return autoencoder.autoencoder(_AUTOENCODER, _TOKENS, 2, 4, **kwargs)


def _self_labelled() -> Estimator:
  model = _autoencoder(warm_start=True)
  return self_labelled.self_labelled(TINY, model, model, 6, up_sample=2)


def _latent_ascent():
  propose = latent_ascent.latent_ascent(
    TINY, _TOKENS, autoencoder.latent(_AUTOENCODER, _TOKENS), 2, 4, max_steps=2
  )
  return model_based.model_based(TINY, _autoencoder(), propose, 2, 2, 8)


def _planted() -> zero_cost.Proxy:
  """A proxy with weights of its own that fails on one choice."""

  def raw(key, variables, arch):
    del key
    score = TINY.encode(arch) @ variables
    return jnp.where(arch['width'][0] == 0, jnp.nan, score)

  def init(key, arch):
    return jax.random.normal(key, (TINY.encode(arch).size,))

  return zero_cost.Proxy(init, raw, -1, 'unused', jnp.nan, '')


def _mixture(seed) -> zero_cost.Proxy:
  """A proxy of mixtures, for pruning."""

  def raw(key, variables, arch):
    del key
    return 5 + jnp.sum(jax.nn.softmax(variables) * arch['op'])

  def init(key, arch):
    key = jax.random.fold_in(key, seed)
    return jax.random.normal(key, arch['op'].shape)

  return zero_cost.Proxy(init, raw, 1, 'unused', jnp.nan, '')


def _darts():
  return darts.darts(
    TINY,
    _linear_network(),
    input_shape=(3,),
    steps_per_epoch=2,
    hypergradient=hypergradients.first_order(),
    derive=None,
  )


def _wiring(distribution, **kwargs):
  return wiring.wiring(
    TINY,
    _linear_network(),
    distribution,
    input_shape=(3,),
    steps_per_epoch=2,
    **kwargs,
  )


def _traced():
  cell = categorical.categorical({'normal': (5, 3)})
  found = single_level.single_level(
    lambda weights, arch, key, batch: (jnp.sum(arch['normal'] * weights), {}),
    lambda key: jax.random.normal(key, (5, 3)),
    one_hot.one_hot(cell),
    optax.sgd(0.1),
    optax.sgd(1.0),
  )
  return wiring_searches.traced(found, cell)


def _language_model(norm: bool) -> language_model.LanguageModel:
  """Ten words, two features and two nodes."""
  core = rnn_cell_networks.RnnCell(2, num_nodes=2, norm=norm)
  return language_model.LanguageModel(core, 10, hidden_dropout=0.0)


_PIECE = {
  'input': np.arange(6).reshape(2, 3),
  'target': 1 + np.arange(6).reshape(2, 3),
  'length': np.int32(2),
}


def _language_training() -> Estimator:
  valid = jax.tree.map(lambda leaf: leaf[None], _PIECE)
  trainer = language_training.train_language_model(
    _language_model(norm=False), 2, valid, steps_per_epoch=1, patience=1
  )
  batch = dict(_PIECE, start=np.array(False))
  return stand_alone.stand_alone(
    trainer, lambda key, t: batch, valid, 2, score='log_likelihood'
  )


def _darts_rnn():
  return darts_rnn.darts_rnn(
    RECURRENT,
    _language_model(norm=True),
    batch_size=2,
    bptt=3,
    hypergradient=hypergradients.first_order(),
  )


def _darts_prime(regularizer):
  return darts_prime.darts_prime(
    TINY,
    _linear_network(),
    input_shape=(3,),
    steps_per_epoch=2,
    arch_every=1,
    regularizer=regularizer,
    none=None,
    derive=None,
  )


def _of_cells(system, **settings):
  return system(DARTS, _linear_network(DARTS), (3,), 2, **settings)


def _on_supernet(system, space=EVEN, *settings, **more):
  valid = jax.tree.map(lambda leaf: leaf[None], _EXAMPLES)
  # A generation in one vmap: programs for several devices compile long.
  more = {'batch_size': 50} | more
  return system(space, _linear_network(space), (3,), valid, *settings, **more)


def _few_shot_darts():
  inner = functools.partial(
    darts.darts,
    network=_linear_network(),
    input_shape=(3,),
    steps_per_epoch=2,
    hypergradient=hypergradients.first_order(),
    derive=None,
  )
  return _on_supernet(few_shot_system.few_shot, TINY, 1, 1, 2, inner=inner)


def _gradient_search(search, distribution, **kwargs):
  return search(
    _quadratic,
    _init_quadratic,
    distribution,
    optax.sgd(0.1, momentum=0.9),
    optax.adam(0.1),
    **kwargs,
  )


def _radars():
  return radars.radars(
    TINY,
    _first_feature(),
    lambda relaxation: _gradient_search(bilevel.bilevel, relaxation(TINY)),
    num_rounds=1,
    steps_per_round=1,
  )


def _bignas():
  network = _linear_network(MOBILE)
  network.clone = lambda **settings: network
  valid = _EXAMPLES | {'weight': np.ones(3, np.float32)}
  return bignas.bignas(
    MOBILE,
    network,
    _LAYOUT,
    (3,),
    jax.tree.map(lambda leaf: leaf[None], _EXAMPLES),
    jax.tree.map(lambda leaf: leaf[None], valid),
    train_steps=2,
    optimizer=optax.sgd(0.1),
    cost=lambda arch: jnp.sum(arch['width']),
    budget=3.0,
    select_batch=2,
  )


PIXELS = {
  'image': np.sin(np.arange(32, dtype=np.float32)).reshape(2, 4, 4, 1),
  'label': np.arange(2),
}


def _ghn2():
  model = networks.Hypernetwork(features=4, channels=2, kernel=3)
  valid = jax.tree.map(lambda leaf: leaf[None], PIXELS | {'weight': np.ones(2)})
  strategy = random_search.random_search(DEEPNETS, 2)
  return ghn2.ghn2(
    DEEPNETS_LAYOUT,
    model,
    valid,
    2,
    meta_batch=2,
    strategy=strategy,
    batch_size=2,
  )


def _replicated():
  """Two seeds side by side; the best of the first is that of the search."""
  single = black_box.black_box(random_search.random_search(TINY), _learned())
  search = run.replicate(single, 2, batch_size=2)

  def best(key, state):
    return jax.tree.map(lambda leaf: leaf[0], search.best(key, state))

  return search._replace(best=best)


def _two_objectives(strategy):
  """The strategy on a value and another that is at odds with it."""

  def tell(key, state, proposal, values):
    pairs = jnp.stack([values, jnp.cos(3 * values)], axis=-1)
    return strategy.tell(key, state, proposal, pairs)

  return strategy._replace(tell=tell)


class _Chain(NamedTuple):
  """The decisions as a chain of vertices."""

  adjacency: Any
  op: jax.Array
  mask: Any


def _chain(arch) -> _Chain:
  op = jnp.concatenate([arch['kernel'], 5 + arch['width']])
  return _Chain(np.diag(np.ones(2), 1), op, np.ones(3))


def _linear_comparator() -> comparator.Comparator:
  """A comparison by a linear score, learned from all values told."""

  def update(key, state, told):
    del key
    known = jnp.isfinite(told.values)
    features = jax.vmap(TINY.encode)(told.archs)
    gradient = jnp.where(known, told.values, 0.0) @ features
    return 0.5 * state + 0.01 * gradient, {'norm': jnp.sum(state**2)}

  def compare(state, archs, others):
    a, b = (jax.vmap(TINY.encode)(x) @ state for x in (archs, others))
    return jax.nn.sigmoid(a[:, None] - b[None])

  return comparator.Comparator(_learned()._replace(update=update), compare)


def _ctnas():
  return ctnas.ctnas(
    TINY,
    _linear_comparator(),
    categorical_policy.categorical(TINY),
    num_initial=2,
    capacity=4,
    num_steps=4,
    update_every=2,
    explore_every=2,
    num_pairs=2,
  )


def _nao():
  return nao.nao(TINY, _TOKENS, _AUTOENCODER, 2, 2, 6, 2, num_steps=2)


def _seminas():
  return seminas.seminas(
    TINY, _TOKENS, _AUTOENCODER, 2, 2, 6, 4, 2, num_steps=2, num_extra_steps=2
  )


def _renas():
  model = renas.model(
    TINY, TINY.encode, networks.Mlp((4,)), num_triplets=4, num_steps=2
  )
  return renas.renas(TINY, model, 2, 2, 6)


def _q_learning():
  return q_learning.q_learning(
    TINY, 2, learning_rate=0.5, capacity=4, num_replays=2, num_iterations=3
  )


def _mnasnet():
  cost = combine.stateless(lambda key, arch: 1.0 + arch['kernel'].sum())
  strategy = ppo.ppo(controller.controller(TINY, 4, 1), batch_size=2)
  return mnasnet.mnasnet(TINY, _product(), cost, 2.0, combine.HARD, strategy)


def _first_feature() -> Estimator:
  return combine.stateless(lambda key, arch: TINY.encode(arch)[0])


def _bananas():
  return bananas.bananas(TINY, TINY.encode, batch_size=2, **_BANANAS)


def _parego(space, features):
  return parego.parego(
    space, features, 2, 2, 1, 6, num_mutants=4, num_parents=2, num_random=2
  )


def _nago():
  edges = lambda key, network: jnp.sum(network.bottom.adjacency) + 0.0
  nodes = lambda arch: arch['top_nodes'][0] + 0.0
  return nago.nago(
    _LEVELS,
    combine.stateless(edges),
    _parego(GENERATORS, generators.coordinates(_LEVELS)),
    num_samples=2,
    cost=nodes,
    archive_size=4,
  )


def _contains_nodes(arch, mask):
  """Masks of the right numbers of nodes; see the closed form of the space."""
  del mask
  kept = [jnp.sum(arch[f'layer_{i}']) for i in range(2)]
  return (kept[0] == 2) & (kept[1] == 2)


def _sparse_random_search():
  batch = {'image': np.eye(3, dtype=np.float32), 'label': np.arange(3)}
  network = masked_mlp.drawn((3, 4, 3, 3))
  return sparse_random_search.sparse_random_search(MASKS, network, batch, 4)


def _nas_bowl():
  return nas_bowl.nas_bowl(
    TINY,
    _chain,
    None,
    2,
    2,
    capacity=6,
    num_mutants=10,
    num_random=2,
  )


_BANANAS = {
  'num_initial': 2,
  'capacity': 6,
  'num_members': 2,
  'widths': (3,),
  'num_steps': 2,
  'num_candidates': 4,
}
_HALVES = {'train': _EXAMPLES, 'valid': _EXAMPLES}
_EPOCH = jax.tree.map(lambda leaf: np.stack([leaf] * 2), _HALVES)
_PARTS = {'train': jnp.float32(1), 'valid': jnp.float32(2)}
_IMAGES = {
  'space': TINY,
  'batch': {'train': _EXAMPLES, 'valid': _EXAMPLES},
}
_DARTS = {'space': DARTS, 'contains': darts_cell.contains}
_RECURRENT = {'space': RECURRENT, 'contains': rnn_cell.contains}
_DEEPNETS = {
  'space': DEEPNETS,
  'contains': lambda arch, mask: (
    categorical.contains(arch, mask) & deepnets.is_valid(DEEPNETS_LAYOUT, arch)
  ),
}
_GRAPHS = {'space': GRAPHS, 'contains': nasbench101.contains}


SPACES = (
  Row('categorical', lambda: TINY, TINY),
  Row('nasbench201', nasbench201.nasbench201, CELLS),
  Row(
    'node_masks',
    lambda: MASKS,
    MASKS,
    _contains_nodes,
    exempt={'restriction': 'a mask keeps a number of nodes'},
  ),
  Row('nasbench201_restricted', lambda: TRIMMED, TRIMMED),
  Row('darts_cell', lambda: DARTS, **_DARTS),
  Row('rnn_cell', lambda: RECURRENT, **_RECURRENT),
  Row('mobile', lambda: MOBILE, MOBILE),
  Row('gnn', gnn.gnn, gnn.gnn()),
  Row(
    'nasbench_graph',
    nasbench_graph.nasbench_graph,
    nasbench_graph.nasbench_graph(),
  ),
  Row(
    'deepnets',
    lambda: DEEPNETS,
    **_DEEPNETS,
    exempt={'restriction': 'without the last options no network is valid'},
  ),
  Row(
    'nasbench101',
    nasbench101.nasbench101,
    **_GRAPHS,
    exempt={'restriction': 'the last choice of an edge is that there is one'},
  ),
  Row(
    'nasbench101_restricted',
    lambda: GRAPHS_RESTRICTED,
    GRAPHS_RESTRICTED,
    nasbench101.contains,
  ),
  Row(
    'nasbench101_table',
    lambda: GRAPHS_OF_TABLE,
    GRAPHS_OF_TABLE,
    nasbench101.contains,
    exempt={'restriction': 'a table is not the product of choices'},
  ),
)

DISTRIBUTIONS = (
  Row(
    'categorical', lambda: categorical_policy.categorical(TRIMMED, 1.0), TRIMMED
  ),
  Row('controller', lambda: controller.controller(TINY, 4), TINY),
  Row('softmax', lambda: softmax.softmax(TRIMMED), TRIMMED),
  Row(
    'softmax_derive',
    lambda: softmax.softmax(DARTS, derive=darts_cell.derive),
    **_DARTS,
  ),
  Row('gumbel', lambda: gumbel.gumbel(TRIMMED), TRIMMED),
  Row(
    'straight_through',
    lambda: straight_through.straight_through(TRIMMED),
    TRIMMED,
  ),
  Row('one_hot', lambda: one_hot.one_hot(TRIMMED, max_cost=5.0), TRIMMED),
  Row('one_hot_softmax', lambda: one_hot.one_hot(TRIMMED, 'softmax'), TRIMMED),
  Row('two_path', lambda: two_path.two_path(TRIMMED), TRIMMED),
  Row(
    'sparse',
    lambda: sparse.sparse(straight_through.straight_through(TRIMMED), 1),
    TRIMMED,
  ),
  Row('dirichlet', lambda: dirichlet.dirichlet(TRIMMED), TRIMMED),
  Row('sigmoid', lambda: sigmoid.sigmoid(TRIMMED, 1e-3), TRIMMED),
  Row('clipped', lambda: clipped.clipped(TRIMMED, 1e-2), TRIMMED),
  Row(
    'edge_normalised',
    lambda: edge_normalised.edge_normalised(
      DARTS, darts_cell.edges(2)[1], derive=darts_cell.derive
    ),
    **_DARTS,
  ),
  Row(
    'masked',
    lambda: masked.masked(gumbel.gumbel(CELLS), TRIMMED.mask),
    TRIMMED,
  ),
)

ESTIMATORS = (
  Row('tabular', _table, CELLS),
  Row('tabular_fidelities', _table_at_fidelities, CELLS),
  Row('parzen', lambda: parzen.parzen(TINY, 10), TINY, batch=_told()),
  Row('one_shot', _one_shot, TINY, batch=jnp.float32(1)),
  Row('sandwich', _sandwich, TINY, batch=_EXAMPLES),
  Row('few_shot', _few_shot, TINY, batch=jnp.float32(1)),
  Row('stand_alone', _stand_alone, TINY),
  Row('language_training', _language_training, **_RECURRENT),
  Row(
    'gaussian_process',
    lambda: gaussian_process.gaussian_process(
      TINY, graph_kernels.hamming(TINY), 10
    ),
    TINY,
    batch=_told(),
  ),
  Row('autoencoder', _autoencoder, TINY, batch=_told()),
  Row('self_labelled', _self_labelled, TINY, batch=_told()),
  Row('weighted_product', _product, TINY, batch=(jnp.float32(1), None)),
  Row('predictor', _predictor, TINY, batch=_told()),
  Row(
    'ensemble',
    lambda: ensemble.ensemble(_predictor(), 2),
    TINY,
    batch=_told(),
  ),
  Row('comparator', _comparator, TINY, batch=_told()),
  Row('ridge', _ridge, TINY, batch=_told()),
  Row(
    'latency_predictor',
    lambda: latency_predictor.latency_predictor(
      TINY, networks.Mlp((4,), jax.nn.gelu), num_steps=2, batch_size=4
    ),
    TINY,
    batch=_told(),
  ),
  Row('zero_cost', lambda: zero_cost.oriented(_planted(), TINY), TINY),
  Row(
    'zero_cost_fresh',
    lambda: zero_cost.oriented(_planted(), TINY, fresh=True),
    TINY,
  ),
)

STRATEGIES = (
  Row('random_search', lambda: random_search.random_search(TINY, 2), TINY),
  Row(
    'random_search_no_replacement',
    lambda: random_search.random_search(TINY, 2, replace=False),
    TINY,
  ),
  Row(
    'regularized_evolution',
    lambda: evolution.regularized_evolution(TINY, 4, 2, 2),
    TINY,
  ),
  Row('local_search', lambda: local_search.local_search(TINY, 2), TINY),
  Row('nsga2', lambda: _two_objectives(nsga2.nsga2(TINY, 2, 4, 2)), TINY),
  Row(
    'reinforce',
    lambda: reinforce.reinforce(
      categorical_policy.categorical(TINY), entropy_weight=0.1
    ),
    TINY,
  ),
  Row(
    'ppo',
    lambda: ppo.ppo(
      controller.controller(TINY, 4, 1), optax.adam(0.1), 2, num_epochs=2
    ),
    TINY,
  ),
  Row(
    'genetic',
    lambda: genetic.genetic(TINY, 4, 2, 2, 1, capacity=8),
    TINY,
  ),
  Row(
    'hyperband',
    lambda: hyperband.hyperband(TINY, (1 / 4, 1 / 2, 1), 2, batch_size=2),
    TINY,
  ),
  Row(
    'bohb',
    lambda: bohb.bohb(
      TINY, (1 / 4, 1), 2, batch_size=2, capacity=12, num_candidates=4
    ),
    TINY,
  ),
  Row('q_learning', _q_learning, TINY),
  Row('nao', _nao, TINY),
  Row('seminas', _seminas, TINY),
  Row('renas', _renas, TINY),
  Row('ctnas', _ctnas, TINY),
  Row(
    'renas_by_evolution',
    lambda: renas.renas(
      TINY,
      _ridge(),
      2,
      2,
      6,
      lambda *parts: predicted.by_evolution(*parts, 3, 2, 3, 2),
    ),
    TINY,
  ),
  Row('asha', lambda: asha.asha(TINY, (1 / 2, 1), 2, 2, capacity=6), TINY),
  Row('tpe', lambda: tpe.tpe(TINY, 4, 2, 12, num_candidates=4), TINY),
  Row(
    'coarse_to_fine',
    lambda: coarse_to_fine.coarse_to_fine(
      TINY,
      jax.tree.map(lambda *x: jnp.stack(x), *map(TINY.index, range(3))),
      2,
      lambda arch: arch['width'][0] < 2,
    ),
    TINY,
  ),
  Row('bananas', _bananas, TINY),
  Row(
    'conservative',
    lambda: conservative.conservative(TINY, features=4),
    TINY,
  ),
  Row('nas_bowl', _nas_bowl, TINY),
  Row('parego', lambda: _two_objectives(_parego(TINY, TINY.encode)), TINY),
  Row('latent_ascent', _latent_ascent, TINY),
)

SEARCHES = (
  Row(
    'random_search',
    lambda: random_search_system.random_search(TINY, _learned(), 2, True, 2),
    TINY,
    batch=jnp.float32(1),
  ),
  Row(
    'regularized_evolution',
    lambda: evolution_system.regularized_evolution(
      CELLS, _table(), 4, 2, num_children=2, batch_size=2
    ),
    CELLS,
  ),
  Row('naswot', lambda: naswot.naswot(TINY, _planted(), 4, 2), TINY),
  Row(
    'assisted_evolution',
    lambda: assisted_evolution.assisted_evolution(
      TINY, _learned(), _planted(), 6, 4, 2
    ),
    TINY,
  ),
  Row(
    'bananas',
    lambda: bananas_system.bananas(_first_feature(), _bananas()),
    TINY,
  ),
  Row('mnasnet', _mnasnet, TINY),
  Row('nago', _nago, GENERATORS),
  Row('sparse_random_search', _sparse_random_search, MASKS, _contains_nodes),
  Row(
    'agnn',
    lambda: agnn.agnn(TINY, heredity.without(_first_feature()), features=4),
    TINY,
  ),
  Row(
    'graphnas',
    lambda: graphnas.graphnas(TINY, _learned(), features=4),
    TINY,
    batch=jnp.float32(1),
  ),
  Row(
    'irlas',
    lambda: irlas.irlas(
      _learned(), lambda arch: jnp.sin(TINY.encode(arch)).sum(), _q_learning()
    ),
    TINY,
    batch=jnp.float32(1),
  ),
  Row(
    'ctnas',
    lambda: ctnas_system.ctnas(_first_feature(), _ctnas(), archive_size=2),
    TINY,
  ),
  Row(
    'nas_bowl',
    lambda: nas_bowl_system.nas_bowl(_first_feature(), _nas_bowl()),
    TINY,
  ),
  Row(
    'multi_objective',
    lambda: multi_objective.multi_objective(
      nsga2.nsga2(TINY, population=4, batch_size=2),
      (_first_feature(), _learned()),
      archive_size=4,
    ),
    TINY,
  ),
  Row(
    'te_nas',
    lambda: te_nas.te_nas(CELLS, _mixture(0), _mixture(1), num_repeats=2),
    CELLS,
  ),
  Row('nao', lambda: nao_system.nao(_first_feature(), _nao()), TINY),
  Row(
    'seminas',
    lambda: seminas_system.seminas(_first_feature(), _seminas()),
    TINY,
  ),
  Row(
    'renas',
    lambda: renas_system.renas(_first_feature(), _renas()),
    TINY,
  ),
  Row('bignas', _bignas, MOBILE, batch=_EXAMPLES),
  Row('ghn2', _ghn2, **_DEEPNETS, batch=PIXELS, slow=True),
  Row('darts', _darts, **_IMAGES),
  Row('radars', _radars, TINY, batch=_PARTS),
  Row(
    'wiring_snas',
    lambda: _wiring(gumbel.gumbel(TINY), final_temperature=0.03, num_epochs=4),
    **_IMAGES,
  ),
  Row('wiring_dsnas', lambda: _wiring(one_hot.one_hot(TINY)), **_IMAGES),
  Row(
    'wiring_two_path',
    lambda: _wiring(two_path.two_path(TINY), level='bilevel', keep_share=True),
    **_IMAGES,
  ),
  Row(
    'traced',
    _traced,
    categorical.categorical({'normal': (5, 3)}),
    batch={'train': jnp.float32(1)},
  ),
  Row(
    'darts_rnn',
    _darts_rnn,
    **_RECURRENT,
    batch=dict.fromkeys(
      ('train', 'valid'), dict(_PIECE, start=np.array(False))
    ),
  ),
  Row(
    'darts_prime',
    lambda: _darts_prime('proximity'),
    TINY,
    batch={'train': _EXAMPLES, 'valid': _EXAMPLES},
  ),
  Row(
    'darts_prime_admm',
    lambda: _darts_prime('admm'),
    TINY,
    batch={'train': _EXAMPLES, 'valid': _EXAMPLES},
  ),
  Row(
    'd_darts',
    lambda: d_darts.d_darts(
      CELLS_APART,
      _linear_network(CELLS_APART),
      input_shape=(3,),
      steps_per_epoch=2,
      ablation='differentiable',
    ),
    CELLS_APART,
    batch={'train': _EXAMPLES, 'valid': _EXAMPLES},
  ),
  Row(
    'fair_darts',
    lambda: fair_darts.fair_darts(
      DARTS, _linear_network(DARTS), input_shape=(3,), steps_per_epoch=2
    ),
    DARTS,
    batch={'train': _EXAMPLES, 'valid': _EXAMPLES},
  ),
  Row(
    'darts_es',
    lambda: _of_cells(
      darts_es.darts_es,
      valid_batches=lambda key, t: _EXAMPLES,
      num_epochs=4,
      window=1,
      factor=0.0,
      distance=1,
      first_epoch=1,
      num_products=2,
      hypergradient=hypergradients.first_order(),
    ),
    **_DARTS,
    batch=_EPOCH,
  ),
  Row(
    'darts_pt',
    lambda: _of_cells(
      darts_pt.darts_pt,
      valid=jax.tree.map(lambda leaf: leaf[None], _EXAMPLES),
      num_epochs=1,
      tune_epochs=1,
    ),
    **_DARTS,
    batch=_HALVES,
  ),
  Row(
    'r_darts',
    lambda: _of_cells(
      r_darts.r_darts,
      weight_decays=(0.0, 0.1),
      hypergradient=hypergradients.first_order(),
    ),
    **_DARTS,
    batch=_EPOCH,
  ),
  Row(
    'drnas',
    lambda: drnas.drnas(
      DARTS,
      [_linear_network(DARTS)] * 2,
      (3,),
      3,
      num_epochs=2,
      num_frozen_epochs=1,
    ),
    **_DARTS,
    batch=_HALVES,
  ),
  Row(
    'p_darts',
    lambda: p_darts.p_darts(
      DARTS,
      [_linear_network(DARTS)] * 3,
      (3,),
      2,
      num_epochs=1,
      num_frozen_epochs=0,
    ),
    **_DARTS,
    batch=_HALVES,
  ),
  Row(
    'spos',
    lambda: _on_supernet(
      spos.spos,
      TINY,
      2,
      cost=lambda arch: jnp.sum(arch['kernel']),
      limit=2,
    ),
    TINY,
    batch=_EXAMPLES,
  ),
  Row(
    'fairnas',
    lambda: _on_supernet(fairnas.fairnas, EVEN, 1, 2),
    EVEN,
    batch=_EXAMPLES,
  ),
  Row(
    'enas',
    lambda: _on_supernet(
      enas.enas,
      TINY,
      1,
      policy_steps=1,
      num_samples=2,
      num_candidates=2,
      policy=controller.controller(TINY, 4, 1),
    ),
    **_IMAGES,
  ),
  Row(
    'few_shot',
    lambda: _on_supernet(few_shot_system.few_shot, TINY, 1, 1, 1),
    TINY,
    batch=_EXAMPLES,
  ),
  Row('few_shot_darts', _few_shot_darts, **_IMAGES),
  Row('gdas', lambda: _of_cells(gdas.gdas), **_DARTS, batch=_HALVES),
  Row(
    'latency_darts',
    lambda: _of_cells(
      latency_darts.latency_darts,
      latency=lambda arch: 2 + jnp.sum(DARTS.encode(arch)[::2]),
      balance=0.5,
      target=3.0,
      encoding='sampled',
      form='multiply',
    ),
    **_DARTS,
    batch=_HALVES,
  ),
  Row(
    'pc_darts',
    lambda: _of_cells(pc_darts.pc_darts, num_frozen_epochs=1),
    **_DARTS,
    batch=_HALVES,
  ),
  Row(
    'replicate',
    _replicated,
    TINY,
    batch=jnp.float32(1),
  ),
  Row(
    'bilevel',
    lambda: _gradient_search(
      bilevel.bilevel,
      gumbel.gumbel(TINY),
      hypergradient=hypergradients.finite_difference(),
    ),
    TINY,
    batch=_PARTS,
  ),
  Row(
    'single_level',
    lambda: _gradient_search(single_level.single_level, softmax.softmax(TINY)),
    TINY,
    batch=_PARTS,
  ),
)
