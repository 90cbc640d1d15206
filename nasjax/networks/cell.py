"""A cell: a graph whose edges choose among operations, in any form of choice.

With index or relaxed choices the weights of all edges lie in uniform slots
`[E, ...]` and the cell is one loop over its edges (`ops.edge_scan`), so the
program of an edge is compiled once. With static choices the cell is unrolled
and `none` vanishes; initialised so, only the chosen operations own weights, and
applied to slots, it uses the chosen ones.
"""

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import ops
from nasjax.networks import edges as edges_lib
from nasjax.networks import operations as operations_lib
from nasjax.types import Arch


class Cell(nn.Module):
  """A graph of nodes that sum their incoming edges.

  Attributes:
    operations: `(name, factory)` of the K operations, see `operations.resolve`.
    edges: `(source, target)` of the E edges, grouped by target; inputs come
      first among the nodes.
    num_inputs: how many nodes are inputs.
    site: channels and norm of the operations; its stride is that of the edges
      that leave an input.
  """

  operations: tuple
  edges: tuple[tuple[int, int], ...]
  num_inputs: int
  site: operations_lib.Site

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
      choices: `int32[E]`, `f32[E, K]` or a tuple of E ints.
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
    if isinstance(choices, tuple):
      return self._unrolled(choices, inputs, keep, train)
    return self._looped(choices, inputs, keep, train)

  def _check(self, choices):
    num_edges, num_options = len(self.edges), len(self.operations)
    shape = (len(choices),) if isinstance(choices, tuple) else choices.shape
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

  def _stride(self, source):
    return self.site.stride if source < self.num_inputs else 1

  def _site(self, stride):
    return self.site._replace(stride=stride)

  def _init_operation(self, key, name, stride):
    size = 4  # weights do not depend on the size of the image
    x = jnp.zeros((1, size, size, self.site.channels))
    return edges_lib.modules(self.operations, self._site(stride))[name].init(
      key, x, train=True
    )

  def _own(self, slot, init):
    """Own the variables that `init(key)` makes, under the name of the slot."""
    if not self.is_initializing():  # `param` would trace `init` once more
      return (
        self.get_variable('params', slot, {}),
        self.get_variable('batch_stats', slot, {}),
      )
    params = self.param(slot, lambda key: _collection(init(key), 'params'))
    if not self.site.track:
      return params, {}
    stats = _collection(init(jax.random.key(0)), 'batch_stats')
    self._store(slot, stats)
    return params, stats

  def _store(self, slot, stats):
    if self.site.track and self.is_mutable_collection('batch_stats'):
      self.put_variable('batch_stats', slot, stats)

  def _unrolled(self, choices, inputs, keep, train):
    """Apply static choices edge by edge."""
    names = [name for name, _ in self.operations]
    nodes = list(inputs) + [None] * (self.num_nodes - self.num_inputs)
    groups = self._groups()
    for group, edges in enumerate(groups):
      for slot, e in enumerate(edges):
        source, target = self.edges[e]
        name = names[choices[e]]
        if name == 'none' or nodes[source] is None:
          continue
        stride = self._stride(source)
        params, stats = self._of_edge(group, slot, e, name, stride)
        branches = edges_lib.branches(
          self.operations, self._site(stride), train
        )
        y, stats = branches[choices[e]](params, stats, nodes[source], keep[e])
        if self.site.track and not self._shared(group):
          self._store(f'edge_{e}', stats)
        nodes[target] = y if nodes[target] is None else nodes[target] + y
    stride = self.site.stride
    zero = jnp.zeros_like(inputs[0][:, ::stride, ::stride])
    return jnp.stack(
      [zero if node is None else node for node in nodes[self.num_inputs :]]
    )

  def _shared(self, group):
    return self.has_variable('params', f'edges_{group}')

  def _of_edge(self, group, slot, e, name, stride):
    """Variables of one edge: a slot of all edges', or its own."""
    if not self._shared(group):
      return self._own(
        f'edge_{e}', lambda key: {name: self._init_operation(key, name, stride)}
      )
    row = lambda leaf: leaf[slot]
    params = jax.tree.map(row, self.get_variable('params', f'edges_{group}'))
    stats = self.get_variable('batch_stats', f'edges_{group}', {})
    return params, jax.tree.map(row, stats)

  def _groups(self):
    """Edges that run the same program: those of inputs come first."""
    every = range(len(self.edges))
    if self.site.stride == 1:
      return [list(every)]
    from_input = [e for e in every if self.edges[e][0] < self.num_inputs]
    inner = [e for e in every if e not in from_input]
    return [from_input, inner] if inner else [from_input]

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
      reads = (
        ops.Port(0, sources)
        if from_input
        else ops.Port(inner, sources - offset)
      )
      nodes = self._loop(
        group,
        stride if from_input else 1,
        train,
        nodes,
        (choices[np.array(edges)], keep[np.array(edges)]),
        reads,
        ops.Port(inner, targets - offset),
      )
    return nodes[inner][first - offset :]

  def _loop(self, group, stride, train, nodes, xs, reads, writes):
    """Run the edges of one group."""
    names = [name for name, _ in self.operations]

    def init(key):
      one = lambda key: {
        name: self._init_operation(key, name, stride) for name in names
      }
      return jax.vmap(one)(jax.random.split(key, len(writes.slots)))

    slot = f'edges_{group}'
    params, stats = self._own(slot, init)
    nodes, stats = ops.edge_scan(
      edges_lib.program(self.operations, self._site(stride), train),
      nodes,
      (xs, params, stats),
      [reads],
      [writes],
    )
    self._store(slot, stats)
    return nodes


def _collection(variables, name):
  """Pick one collection of every operation that has it."""
  return {
    operation: collections[name]
    for operation, collections in variables.items()
    if collections.get(name)
  }
