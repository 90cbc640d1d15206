"""Reductions of the edges of a graph over the node that receives them."""

import jax
import jax.numpy as jnp


def segment_sum(x: jax.Array, segments: jax.Array, num: int) -> jax.Array:
  """Return the sums of the rows of each segment.

  Args:
    x: `[E, ...]`.
    segments: `i32[E]`, rising.
    num: N, of segments.

  Returns:
    `[N, ...]`; 0 where a segment is empty.
  """
  return jax.ops.segment_sum(x, segments, num, indices_are_sorted=True)


def segment_max(x: jax.Array, segments: jax.Array, num: int) -> jax.Array:
  """Return the largest of the rows of each segment, element by element.

  Rows that are equally large share the gradient.

  Args:
    x: `[E, ...]`.
    segments: `i32[E]`, rising; none is empty.
    num: N, of segments.

  Returns:
    `[N, ...]`.
  """
  largest = jax.ops.segment_max(
    jax.lax.stop_gradient(x), segments, num, indices_are_sorted=True
  )
  is_largest = (x == largest[segments]).astype(x.dtype)
  # One sum of both: a sum over segments costs by the row.
  both = segment_sum(
    jnp.concatenate([x * is_largest, is_largest], axis=-1), segments, num
  )
  total, count = jnp.split(both, 2, axis=-1)
  return total / count


def segment_softmax(x: jax.Array, segments: jax.Array, num: int) -> jax.Array:
  """Return the softmax over the rows of each segment.

  Args:
    x: `[E, ...]`, logits.
    segments: `i32[E]`, rising; none is empty.
    num: N, of segments.

  Returns:
    `[E, ...]`; the sum over a segment is one.
  """
  largest = jax.ops.segment_max(
    jax.lax.stop_gradient(x), segments, num, indices_are_sorted=True
  )
  exponentials = jnp.exp(x - largest[segments])
  return exponentials / segment_sum(exponentials, segments, num)[segments]
