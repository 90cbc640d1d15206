"""Tasks on the nodes of graphs that need no file.

A task is a dict of the parts 'train', 'valid' and 'test', each

  dict(graph=Graph, target=f32[N, C], weight=f32[N])

with the classes of the nodes, one or several, and the nodes that count. In a
transductive task all parts are one graph; in an inductive one they are graphs
of their own.

  digits_graph  scikit-learn's 1,797 digits, each joined to its nearest ones
  karate_club   W. Zachary, An Information Flow Model for Conflict and Fission
                in Small Groups, 1977: 34 people who split into two clubs
  communities   drawn graphs whose nodes have several labels: inductive, in the
                place of the protein graphs of W. Hamilton, R. Ying and
                J. Leskovec, Inductive Representation Learning on Large Graphs,
                2017, which are a download
"""

from collections.abc import Callable, Mapping

import jax
import numpy as np

from nasjax import graphs
from nasjax.types import Key

Part = dict[str, object]

_KARATE = """
0-1 0-2 0-3 0-4 0-5 0-6 0-7 0-8 0-10 0-11 0-12 0-13 0-17 0-19 0-21 0-31 1-2 1-3
1-7 1-13 1-17 1-19 1-21 1-30 2-3 2-7 2-8 2-9 2-13 2-27 2-28 2-32 3-7 3-12 3-13
4-6 4-10 5-6 5-10 5-16 6-16 8-30 8-32 8-33 9-33 13-33 14-32 14-33 15-32 15-33
18-32 18-33 19-33 20-32 20-33 22-32 22-33 23-25 23-27 23-29 23-32 23-33 24-25
24-27 24-31 25-31 26-29 26-33 27-33 28-31 28-33 29-32 29-33 30-32 30-33 31-32
31-33 32-33
"""
_CLUBS = '0000000001000011001010111111111111'


def transductive(
  graph: graphs.Graph, target: np.ndarray, nodes: Mapping[str, np.ndarray]
) -> dict[str, Part]:
  """Return the task on one graph.

  Args:
    graph: of N nodes.
    target: `f32[N, C]`.
    nodes: by part, those that count.

  Returns:
    The task.

  Raises:
    ValueError: if a node is in two parts.
  """
  if len(set(together := np.concatenate(list(nodes.values())))) < len(together):
    raise ValueError('Every node must be in one part, and some are in two.')
  everyone = np.arange(len(target))
  return {
    name: dict(
      graph=graph,
      target=np.asarray(target, np.float32),
      weight=np.isin(everyone, chosen).astype(np.float32),
    )
    for name, chosen in nodes.items()
  }


def whole(part: Part) -> Callable[[Key, int | jax.Array], Part]:
  """Return the batches `(key, t) -> part` of training on all nodes at once."""
  return lambda key, t: part


def nearest(x: np.ndarray, num: int) -> np.ndarray:
  """Return the pairs of every row with its nearest ones, `int[N num, 2]`."""
  squares = np.sum(x**2, axis=1)
  distance = squares[:, None] + squares[None] - 2 * x @ x.T
  np.fill_diagonal(distance, np.inf)
  found = np.argsort(distance, axis=1, kind='stable')[:, :num]
  return np.stack([np.repeat(np.arange(len(x)), num), found.ravel()], axis=1)


def digits_graph(
  num_neighbours: int = 10, per_class: int = 5, seed: int = 0
) -> dict[str, Part]:
  """Return scikit-learn's digits as a graph, `F` = 64 and `C` = 10.

  Args:
    num_neighbours: nearest images that one is joined to.
    per_class: images of every class in the training part; 500 are in the
      validation part and all others in the test part.
    seed: of the split.

  Returns:
    The transductive task.
  """
  from sklearn import datasets  # takes a second: only those who ask wait

  raw = datasets.load_digits()
  images = raw.data.astype(np.float32) / 16
  # RandomState: unlike Generator, it promises the same stream for ever.
  order = np.random.RandomState(seed).permutation(len(images))
  rank = np.zeros(len(images), int)
  for label in range(10):
    members = order[raw.target[order] == label]
    rank[members] = np.arange(len(members))
  rest = order[rank[order] >= per_class]
  graph = graphs.undirected(nearest(images, num_neighbours), images)
  return transductive(
    graph,
    np.eye(10)[raw.target],
    dict(
      train=np.flatnonzero(rank < per_class), valid=rest[:500], test=rest[500:]
    ),
  )


def karate_club() -> dict[str, Part]:
  """Return the karate club, `F` = 34 and `C` = 2.

  The features tell nodes apart and no more. The two leaders are the training
  part, six members the validation part.

  Returns:
    The transductive task.
  """
  edges = np.array([pair.split('-') for pair in _KARATE.split()]).astype(int)
  clubs = np.array(list(_CLUBS)).astype(int)
  valid = [1, 2, 3, 30, 31, 32]
  test = np.setdiff1d(np.arange(34), [0, 33, *valid])
  return transductive(
    graphs.undirected(edges, np.eye(34)),
    np.eye(2)[clubs],
    dict(train=np.array([0, 33]), valid=np.array(valid), test=test),
  )


def _drawn(rng, num_nodes, prototypes, noise, inside, outside):
  """A graph, and which communities its nodes are in."""
  num_labels, num_features = prototypes.shape
  member = rng.rand(num_nodes, num_labels) < 1.5 / num_labels
  count = member.sum(1)
  shared = member.astype(float) @ member.T
  together = np.maximum(count[:, None] + count[None] - shared, 1)
  probability = outside + inside * (shared / together) ** 2
  edges = np.argwhere(np.triu(rng.rand(num_nodes, num_nodes) < probability, 1))
  features = member @ prototypes + noise * rng.randn(num_nodes, num_features)
  return graphs.undirected(edges, features), member


def communities(
  num_graphs: Mapping[str, int] | None = None,
  num_nodes: int = 100,
  num_labels: int = 6,
  num_features: int = 16,
  noise: float = 4.0,
  inside: float = 0.8,
  outside: float = 0.005,
  seed: int = 0,
) -> dict[str, Part]:
  """Return graphs of overlapping communities, drawn: an inductive task.

  A node is in each of C communities with probability 1.5 / C; those are its
  labels. Two nodes are joined with a probability of `outside + inside J^2`, J
  the share of common communities in all that they have. Features are the sum of
  a node's communities' prototypes, the same in all graphs, and so much noise
  that those of the neighbours tell more than its own.

  Every part is one graph, of all of its graphs side by side; all parts are
  padded to one size, so that one program serves them.

  Args:
    num_graphs: by part; 20 to train on and 2 for the others by default.
    num_nodes: of a graph.
    num_labels: C.
    num_features: F.
    noise: standard deviation; prototypes are drawn from N(0, 1).
    inside: added to the probability of an edge for nodes of equal communities.
    outside: probability of an edge for others.
    seed: of the draw.

  Returns:
    The task.
  """
  num_graphs = num_graphs or {'train': 20, 'valid': 2, 'test': 2}
  rng = np.random.RandomState(seed)
  prototypes = rng.randn(num_labels, num_features)
  settings = (num_nodes, prototypes, noise, inside, outside)
  parts = {}
  for name, num in num_graphs.items():
    drawn = [_drawn(rng, *settings) for _ in range(num)]
    target = np.concatenate([member for _, member in drawn])
    parts[name] = graphs.union([graph for graph, _ in drawn]), target
  # One node more than in any part, and an edge for every node that is added.
  nodes = 1 + max(len(target) for _, target in parts.values())
  edges = max(
    len(graph.senders) + nodes - len(target) for graph, target in parts.values()
  )
  entries = max(len(graph.nodes) for graph, _ in parts.values())
  return {
    name: dict(
      graph=graphs.pad(graph, nodes, edges, entries),
      target=np.pad(target, ((0, nodes - len(target)), (0, 0))).astype('f4'),
      weight=(np.arange(nodes) < len(target)).astype(np.float32),
    )
    for name, (graph, target) in parts.items()
  }
