"""A computation graph as one loop over its edges.

Cells of architecture search are graphs whose edges all run the same small
program on different weights. Writing a cell as a scan over its edges compiles
that program once, not once an edge, and stores only the nodes: the backward
pass recomputes an edge when it reaches it. The backward pass of such a loop is
again a loop over edges, in reverse order, on the nodes and their cotangents;
so derivatives of any order keep both properties.
"""

from collections.abc import Callable, Sequence
import functools
from typing import Any, NamedTuple

import chex
import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

_NUM_PROGRAMS = 256


class Port(NamedTuple):
  """Where each edge reads or writes."""

  buffer: int  # which of the buffers
  slots: np.ndarray  # int[E], the slot of every edge


def _is_float(leaf):
  return jnp.issubdtype(leaf.dtype, jnp.inexact)


def _run(edge, buffers, xs, reads, writes):
  """The loop itself.

  The results of an edge are added to the nodes when the next edge starts: XLA
  would fuse what computes them with the addition in place, which runs on one
  core.
  """

  def add(buffers, targets, results):
    buffers = list(buffers)
    for port, slot, result in zip(writes, targets, results):
      buffer = buffers[port.buffer]
      total = lax.dynamic_index_in_dim(buffer, slot, keepdims=False) + result
      buffers[port.buffer] = lax.dynamic_update_index_in_dim(
        buffer, total, slot, 0
      )
    return tuple(buffers)

  def body(carry, step):
    buffers, last_targets, pending = carry
    x, sources, targets = step
    buffers = add(buffers, last_targets, pending)
    values = tuple(
      lax.dynamic_index_in_dim(buffers[port.buffer], slot, keepdims=False)
      for port, slot in zip(reads, sources)
    )
    results, y = edge(x, values)
    return (buffers, targets, tuple(results)), y

  sources, targets = (
    [jnp.asarray(port.slots) for port in ports] for ports in (reads, writes)
  )
  nothing = tuple(jnp.zeros_like(buffers[port.buffer][0]) for port in writes)
  carry, y = lax.scan(
    body,
    (tuple(buffers), [slots[0] for slots in targets], nothing),
    (xs, sources, targets),
  )
  return add(*carry), y


@functools.lru_cache(_NUM_PROGRAMS)
def _pull_back(edge, num_reads):
  """Return the edge program of the backward pass; traced once an edge."""

  @jax.jit
  def backward_edge(x, values):
    fixed, moving, cotangent_y = x
    values, cotangents = values[:num_reads], values[num_reads:]

    def forward(moving, values):
      return edge(_merge(moving, fixed), values)

    _, vjp = jax.vjp(forward, moving, values)
    d_moving, d_values = vjp((cotangents, cotangent_y))
    return d_values, d_moving

  return backward_edge


def _split(xs):
  """Part a pytree into float leaves and others, None in the gaps."""
  moving = jax.tree.map(lambda leaf: leaf if _is_float(leaf) else None, xs)
  fixed = jax.tree.map(lambda leaf: None if _is_float(leaf) else leaf, xs)
  return moving, fixed


def _merge(moving, fixed):
  return jax.tree.map(
    lambda a, b: b if a is None else a,
    moving,
    fixed,
    is_leaf=lambda leaf: leaf is None,
  )


def edge_scan(
  edge: Callable[[Any, tuple[chex.Array, ...]], tuple[Any, Any]],
  buffers: Sequence[chex.Array],
  xs: chex.ArrayTree,
  reads: Sequence[Port],
  writes: Sequence[Port],
) -> tuple[tuple[chex.Array, ...], chex.ArrayTree]:
  """Run `edge` for every edge in turn, adding its results to the nodes.

  For each e: `results, y[e] = edge(xs[e], values)` with `values` read from the
  slots `reads[...].slots[e]`; then each result is added to its slot of
  `writes`. Edges must come in topological order: a slot is complete before it
  is read. `edge` must not close over traced values.

  Args:
    edge: `(x, values) -> (results, y)`, the program of one edge; as many
      values as `reads`, as many results as `writes`. `y` must have float
      leaves only.
    buffers: arrays `[slots, ...]`, the nodes.
    xs: pytree `[E, ...]`, what is particular to each edge.
    reads: a port for every value.
    writes: a port for every result.

  Returns:
    The buffers after the last edge, and the pytree `[E, ...]` of all `y`.
  """

  @jax.custom_vjp
  def apply(buffers, moving, fixed):
    return _run(edge, buffers, _merge(moving, fixed), reads, writes)

  def forward(buffers, moving, fixed):
    out = apply(buffers, moving, fixed)
    # JAX 0.10 mixes up residuals that are arguments when a scan around this
    # is differentiated twice; the barrier makes them values of their own.
    return out, lax.optimization_barrier((out[0], moving, fixed))

  def backward(residuals, cotangents):
    nodes, moving, fixed = residuals
    cotangent_nodes, cotangent_ys = cotangents
    reverse = lambda tree: jax.tree.map(lambda leaf: leaf[::-1], tree)
    offset = lambda port: Port(port.buffer + len(nodes), port.slots[::-1])
    out, gradients = edge_scan(
      _pull_back(edge, len(reads)),
      nodes + cotangent_nodes,
      reverse((fixed, moving, cotangent_ys)),
      [Port(port.buffer, port.slots[::-1]) for port in reads]
      + [offset(port) for port in writes],
      [offset(port) for port in reads],
    )
    return out[len(nodes) :], reverse(gradients), None

  apply.defvjp(forward, backward)
  return apply(tuple(buffers), *_split(xs))
