"""Tests of the features of topologies against paths counted one by one."""

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import graphs, nasbench201, topology

_K = graphs.NASBENCH201_OPS


def _slow(adjacency, op, mask, num_ops, gamma):
  """The feature count of a graph, vertex by vertex."""
  size = len(op)

  def longest(v):
    before = [p for p in range(size) if adjacency[p, v]]
    return max((longest(p) + 1 for p in before), default=0)

  total, number = np.zeros(topology.num_features(num_ops)), 0
  for v in range(1, size):
    if not mask[v]:
      continue
    number += 1
    before = [p for p in range(size) if adjacency[p, v]]
    after = [s for s in range(size) if adjacency[v, s]]
    phi = np.zeros_like(total)
    phi[op[v]] = 1
    for p in before:
      far = min(longest(v) - longest(p), 4)
      phi[num_ops + far - 1] += 1 / len(before)
      phi[num_ops + 12 + op[v] * num_ops + op[p]] += 1 / len(before)
    if before:
      phi[num_ops + 4 + min(len(before), 3) - 1] = 1
    phi[num_ops + 7 + min(len(after), 3)] = 1
    phi[num_ops + 11] = any(sum(adjacency[:, s]) > 1 for s in after)
    total += gamma ** max(longest(v) - 1, 0) * phi
  return total / max(number, 1)


def test_feature_counts_are_those_of_a_slow_loop():
  space = nasbench201.nasbench201()
  archs = jax.vmap(space.sample)(jax.random.split(jax.random.key(0), 100))
  archs = {'op': archs['op'].at[0].set(0)}  # nothing reaches the output
  found = jax.jit(jax.vmap(topology.nasbench201))(archs)
  cells = jax.jit(jax.vmap(lambda a: graphs.nasbench201(a, pruned=True)))(archs)
  for row, *graph in zip(found, *map(np.asarray, cells)):
    np.testing.assert_allclose(row, _slow(*graph, _K, 0.9), atol=1e-5)


def test_numbers_of_vertices_do_not_matter():
  space = nasbench201.nasbench201()
  rng = np.random.default_rng(0)
  count = jax.jit(lambda graph: topology.feature_count(graph, _K))
  for i in range(10):
    graph = graphs.nasbench201(space.sample(jax.random.key(i)), pruned=True)
    order = np.concatenate([[0], 1 + rng.permutation(6), [7]])
    other = graphs.Graph(
      graph.adjacency[order][:, order], graph.op[order], graph.mask[order]
    )
    np.testing.assert_allclose(count(graph), count(other), atol=1e-6)


def test_rewards_of_layers_add_up_to_the_reward_of_the_block():
  arch = {'op': jnp.array([3, 0, 3, 1, 0, 1])}
  graph = graphs.nasbench201(arch, pruned=True)
  weights = jnp.sin(jnp.arange(float(topology.num_features(_K))))
  phi, t = topology.vertex_features(graph, _K)
  layers = 0.9**t * (phi @ weights) / (jnp.sum(graph.mask) - 1)
  count = topology.nasbench201(arch)
  np.testing.assert_allclose(jnp.sum(layers), weights @ count, rtol=1e-5)
  assert jnp.all((phi >= 0) & (phi <= 1)) and not phi[0].any()
