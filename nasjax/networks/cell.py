"""A cell: a graph whose edges choose among operations, in any form of choice.

With index or relaxed choices the weights of all edges lie in uniform slots
`[E, ...]` and the cell is one loop over its edges (`ops.edge_scan`), so the
program of an edge is compiled once; or, for index choices, the edges are
unrolled: more to compile, less memory traffic. With static choices the cell is
unrolled and `none` vanishes; initialised so, only the chosen operations own
weights, and applied to slots, it uses the chosen ones.
"""

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice, ops
from nasjax.networks import edges as edges_lib
from nasjax.networks import layers, taps
from nasjax.networks import operations as operations_lib
from nasjax.types import Arch


class Cell(nn.Module):
  """A graph of nodes that sum their incoming edges.

  Attributes:
    operations: `(name, factory)` of the K operations, see `operations.resolve`.
    edges: `(source, target)` of the E edges, grouped by target; inputs come
      first among the nodes.
    num_inputs: how many nodes are inputs.
    site: channels and norm of the operations, and what part of the channels
      they see; its stride is that of the edges that leave an input.
    unroll: whether index choices are applied edge by edge.
    node_norm: whether inner nodes are normalised, by the batch (DARTS-PRIME).
  """

  operations: tuple
  edges: tuple[tuple[int, int], ...]
  num_inputs: int
  site: operations_lib.Site
  unroll: bool = False
  node_norm: bool = False

  @nn.compact
  def __call__(
    self,
    choices: Arch,
    inputs: chex.Array,
    train: bool = True,
    drop_path: chex.Numeric | None = None,
  ) -> chex.Array:
    """Apply the cell.

    Args:
      choices: `int32[E]`, `f32[E, K]`, sparse or not, or a tuple of E ints.
      inputs: `[num_inputs, N, H, W, C]`.
      train: whether running statistics, if kept, are updated.
      drop_path: probability of dropping an edge of an example (rng stream
        'drop_path'); None for no dropping.

    Returns:
      The nodes that are not inputs, `[M, N, H / stride, W / stride, C]`.
    """
    chex.assert_axis_dimension(inputs, 0, self.num_inputs)
    self._check(choices)
    keep = self._keep(inputs.shape[1], drop_path)
    is_static = isinstance(choices, tuple)
    if is_static or (self.unroll and not choice.is_relaxed(choices)):
      nodes = self._unrolled(choices, inputs, keep, train)
    else:
      nodes = self._looped(choices, inputs, keep, train)
    return jax.vmap(ops.batch_norm)(nodes) if self.node_norm else nodes

  def _check(self, choices):
    num_edges, num_options = len(self.edges), len(self.operations)
    is_sparse = isinstance(choices, choice.Sparse)
    shape = np.shape(choices.index[:, 0] if is_sparse else choices)
    if shape not in ((num_edges,), (num_edges, num_options)):
      raise ValueError(
        f'A cell of {num_edges} edges with {num_options} operations takes '
        f'choices of shape ({num_edges},), or ({num_edges}, {num_options}) '
        f'for relaxed ones, got {shape}.'
      )

  @property
  def num_nodes(self) -> int:
    """Number of nodes, inputs included."""
    return 1 + max(target for _, target in self.edges)

  def _keep(self, num_examples, drop_path):
    """Draw the factor `[E, N]` of every edge and example; `[E, 0]` if none."""
    if drop_path is None:
      return jnp.ones((len(self.edges), 0))
    shape = (len(self.edges), num_examples)
    kept = jax.random.bernoulli(
      self.make_rng('drop_path'), 1 - drop_path, shape
    )
    return kept / (1 - drop_path)

  def _site(self, stride):
    return self.site._replace(stride=stride)

  def _init_operations(self, names, stride):
    """Return `(key) -> variables` of an edge with these operations."""
    size = 4  # weights do not depend on the size of the image
    channels = operations_lib.inside(self.site).channels
    x = jnp.zeros((1, size, size, channels))
    modules = edges_lib.modules(self.operations, self._site(stride))
    return lambda key: {n: modules[n].init(key, x, train=True) for n in names}

  def _own(self, slot, init):
    """Own the variables that `init(key)` makes, under the name of the slot."""
    collections = ('params', 'batch_stats')[: 1 + self.site.track]
    if not self.is_initializing():  # `param` would trace `init` once more
      return {key: self.get_variable(key, slot, {}) for key in collections}
    variables = {
      'params': self.param(
        slot, lambda key: edges_lib.collection(init(key), 'params')
      )
    }
    if self.site.track:
      stats = edges_lib.collection(init(jax.random.key(0)), 'batch_stats')
      self.put_variable('batch_stats', slot, stats)
      variables['batch_stats'] = stats
    return variables

  def _own_slots(self, group, stride):
    """Own the variables `[E, ...]` of the edges of a group."""
    init = self._init_operations([name for name, _ in self.operations], stride)
    num_edges = len(self._groups()[group])
    return self._own(
      f'edges_{group}',
      lambda key: jax.vmap(init)(jax.random.split(key, num_edges)),
    )

  def _report(self, slot, reports, row=None):
    """Hand over what edges report: all of a slot, or one row of it."""
    moves = self.is_mutable_collection('batch_stats')
    if 'batch_stats' in reports and moves and not self.is_initializing():
      stats = reports['batch_stats']
      if row is not None:
        stats = jax.tree.map(
          lambda all_rows, new: all_rows.at[row].set(new),
          self.get_variable('batch_stats', slot),
          stats,
        )
      self.put_variable('batch_stats', slot, stats)
    if layers.AGREEMENT in reports:
      count = reports[layers.AGREEMENT]
      layers.report_agreement(self, count.reshape(-1, *count.shape[-2:]).sum(0))

  def _watch(self, slot):
    """What edges report now, and the tap, if one listens."""
    agreement = layers.reports_agreement(self)
    listener = taps.current()
    if listener is None or self.is_initializing():
      return edges_lib.Watch(agreement), None
    path = (*listener.path, *self.path, slot)
    return edges_lib.Watch(agreement, listener.statistic, path), listener.tap

  def _groups(self):
    """Edges that run the same program: those of inputs come first."""
    every = range(len(self.edges))
    if self.site.stride == 1:
      return [list(every)]
    from_input = [e for e in every if self.edges[e][0] < self.num_inputs]
    inner = [e for e in every if e not in from_input]
    return [from_input, inner] if inner else [from_input]

  def _unrolled(self, choices, inputs, keep, train):
    """Apply static or index choices edge by edge."""
    is_static = isinstance(choices, tuple)
    names = [name for name, _ in self.operations]
    stride = self.site.stride
    zero = jnp.zeros_like(inputs[0][:, ::stride, ::stride])
    nodes = list(inputs) + [zero] * (self.num_nodes - self.num_inputs)
    for group, edges in enumerate(self._groups()):
      shared = not is_static or self.has_variable('params', f'edges_{group}')
      from_input = self.edges[edges[0]][0] < self.num_inputs
      stride = self.site.stride if from_input else 1
      slots = self._own_slots(group, stride) if shared else {}
      for row, e in enumerate(edges):
        source, target = self.edges[e]
        if is_static and names[choices[e]] == 'none' and self.site.parts == 1:
          continue
        if shared:
          slot = f'edges_{group}'
          variables = jax.tree.map(lambda leaf, row=row: leaf[row], slots)
        else:
          slot = f'edge_{e}'
          init = self._init_operations([names[choices[e]]], stride)
          variables = self._own(slot, init)
        watch, tap = self._watch(slot)
        x = nodes[source]
        if self.node_norm and source >= self.num_inputs:
          x = ops.batch_norm(x)
        nodes[target], reports = edges_lib.added(
          self.operations, self._site(stride), train, watch
        )(choices[e], nodes[target], variables, x, keep[e], tap)
        self._report(slot, reports, row if shared else None)
    return jnp.stack(nodes[self.num_inputs :])

  def _looped(self, choices, inputs, keep, train):
    """Apply index or relaxed choices as a loop over the edges."""
    first, stride = self.num_inputs, self.site.stride
    shape = jax.eval_shape(lambda x: x[:, ::stride, ::stride], inputs[0]).shape
    nodes = jnp.zeros((self.num_nodes - first, *shape), inputs.dtype)
    if stride == 1:
      nodes = (jnp.concatenate([inputs, nodes]),)
    else:
      nodes = (inputs, nodes)
    inner = len(nodes) - 1
    offset = 0 if stride == 1 else first
    for group, edges in enumerate(self._groups()):
      sources, targets = np.array([self.edges[e] for e in edges]).T
      from_input = stride > 1 and group == 0
      reads = ops.Port(0, sources)
      if not from_input:
        reads = ops.Port(inner, sources - offset)
      is_sum = None
      if self.node_norm and not from_input:
        is_sum = jnp.asarray(sources >= first)
      nodes = self._loop(
        group,
        stride if from_input else 1,
        train,
        nodes,
        (choices[np.array(edges)], keep[np.array(edges)], is_sum),
        reads,
        ops.Port(inner, targets - offset),
      )
    return nodes[inner][first - offset :]

  def _loop(self, group, stride, train, nodes, xs, reads, writes):
    """Run the edges of one group."""
    slot = f'edges_{group}'
    variables = self._own_slots(group, stride)
    watch, tap = self._watch(slot)
    if tap is not None:
      tap = jnp.broadcast_to(tap, (len(writes.slots), *tap.shape))
    nodes, reports = ops.edge_scan(
      edges_lib.program(self.operations, self._site(stride), train, watch),
      nodes,
      ((*xs, tap), variables),
      [reads],
      [writes],
    )
    self._report(slot, reports)
    return nodes
