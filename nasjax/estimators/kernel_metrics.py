"""What a kernel matrix says: alignment with labels, conditioning.

Pure functions of a matrix `[N, N]`, such as those of `estimators.ntk`.
"""

import chex
import jax
import jax.numpy as jnp


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
