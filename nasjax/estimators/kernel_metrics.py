"""Kernel matrices: made of rows, and what they say of data and labels."""

import chex
import jax
import jax.numpy as jnp


def gram(rows: chex.ArrayTree) -> jax.Array:
  """Return the products of all pairs of rows, summed over the leaves.

  Args:
    rows: pytree of `[N, ...]`, one row an example.

  Returns:
    `f32[N, N]`.
  """

  def of_leaf(leaf):
    matrix = leaf.reshape(len(leaf), -1)
    return matrix @ matrix.T

  return sum(of_leaf(leaf) for leaf in jax.tree.leaves(rows))


def mean_trace(kernel: jax.Array) -> jax.Array:
  """Return `sum_o K[n, m, o, o] / O` of a full kernel, `f32[N, N]`."""
  return jnp.trace(kernel, axis1=2, axis2=3) / kernel.shape[-1]


def label_alignment(kernel: jax.Array, label: chex.Array) -> jax.Array:
  """Return the correlation of a kernel with the kernel of the labels.

  `L_ij` is 1 where labels are equal and -1 elsewhere; both matrices are centred
  by their mean over all entries (not by rows and columns):

    LGA = sum (K - mean K) (L - mean L) / (|K - mean K| |L - mean L|)

  Args:
    kernel: `[N, N]`.
    label: `i32[N]`.

  Returns:
    `f32[]` in [-1, 1]; NaN if all labels are equal.

  References:
    Mok et al., Demystifying the Neural Tangent Kernel from a Practical
    Perspective, 2022, https://arxiv.org/abs/2203.14577.
  """
  same = jnp.asarray(label)[:, None] == jnp.asarray(label)[None]
  labels = jnp.where(same, 1.0, -1.0).astype(kernel.dtype)
  kernel, labels = kernel - kernel.mean(), labels - labels.mean()
  return jnp.sum(kernel * labels) / (
    jnp.linalg.norm(kernel) * jnp.linalg.norm(labels)
  )


def centred_alignment(kernel: jax.Array, label: chex.Array) -> jax.Array:
  """Return the alignment of kernels whose rows and columns are centred.

  Known as centred kernel alignment; another quantity than `label_alignment`.

  Args:
    kernel: `[N, N]`.
    label: `i32[N]`.

  Returns:
    `f32[]` in [-1, 1].

  References:
    Cortes, Mohri, Rostamizadeh, Algorithms for Learning Kernels Based on
    Centered Alignment, 2012, https://arxiv.org/abs/1203.0550.
  """

  def centred(matrix):
    rows = matrix.mean(0, keepdims=True)
    return matrix - rows - matrix.mean(1, keepdims=True) + matrix.mean()

  same = jnp.asarray(label)[:, None] == jnp.asarray(label)[None]
  labels = centred(jnp.where(same, 1.0, -1.0).astype(kernel.dtype))
  kernel = centred(kernel)
  return jnp.sum(kernel * labels) / (
    jnp.linalg.norm(kernel) * jnp.linalg.norm(labels)
  )


def condition_number(kernel: jax.Array) -> jax.Array:
  """Return the largest over the smallest eigenvalue, in double precision.

  Args:
    kernel: `[N, N]`, symmetric.

  Returns:
    `f32[]`; infinite where the smallest is not positive.
  """
  with jax.enable_x64(True):
    values = jnp.linalg.eigvalsh(kernel.astype(jnp.float64))
    ratio = jnp.where(values[0] > 0, values[-1] / values[0], jnp.inf)
  return ratio.astype(kernel.dtype)


def metrics(
  kernel: jax.Array, label: chex.Array | None = None
) -> dict[str, jax.Array]:
  """Return what architectures are ranked by.

  Args:
    kernel: `[N, N]`.
    label: `i32[N]`; None without.

  Returns:
    Dict of mean, norm (Frobenius), condition_number and, with labels,
    label_alignment, `f32[]` each.
  """
  found = {
    'mean': jnp.mean(kernel),
    'norm': jnp.linalg.norm(kernel),
    'condition_number': condition_number(kernel),
  }
  if label is not None:
    found['label_alignment'] = label_alignment(kernel, label)
  return found


def movement(kernel: jax.Array, first: jax.Array) -> dict[str, jax.Array]:
  """Return how far a kernel has moved in training.

    relative_difference  |(K - K_0) / (|K_0| + 1e-4)|, Frobenius
    correlation          of the entries
    cosine               <K, K_0> / (|K| |K_0|)

  Args:
    kernel: K, of any shape.
    first: K_0, of the same shape.

  Returns:
    Dict of `f32[]`.

  References:
    Mok et al., Demystifying the Neural Tangent Kernel from a Practical
    Perspective, 2022, https://arxiv.org/abs/2203.14577.
  """

  def cosine(x, y):
    return jnp.sum(x * y) / (jnp.linalg.norm(x) * jnp.linalg.norm(y))

  kernel, first = kernel.ravel(), first.ravel()
  return {
    'relative_difference': jnp.linalg.norm(
      (kernel - first) / (jnp.abs(first) + 1e-4)
    ),
    'correlation': cosine(kernel - kernel.mean(), first - first.mean()),
    'cosine': cosine(kernel, first),
  }
