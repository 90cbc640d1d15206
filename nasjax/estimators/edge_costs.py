"""Costs of the choices of a network: what each of them adds to its loss.

S. Xie, S. Hu, X. Wang, C. Liu, J. Shi, X. Liu and D. Lin, Understanding the
wiring evolution in differentiable neural architecture search, AISTATS 2021,
https://arxiv.org/abs/2009.01272. With x_j = sum_i sum_k Z_ijk O_ijk(x_i),

  c_ijk = dL / dZ_ijk = <dL / dx_j, O_ijk(x_i)>

is what back-propagation says of an operation: above zero it raises the loss, to
first order, and `none` costs nothing. Z c is the credit that it is assigned.
Cells that share their choices are told apart by a copy for each of them
(`untie`).

For every node the credit of the edges that enter it is <dL / dx_j, x_j>. In a
network without affine norm whose cells are read through norms, and whose
classifier has no bias, all edges of a cell together, less what unnormalised
operations (skips) on edges between its nodes account for, have

  sum Z c = mean(L - H) in the last cell, 0 in any other

with H the entropy of the prediction (`networks.loss.excess`). So the wiring
follows overconfidence: where the loss exceeds what predictions expect, `none`
is the cheapest choice.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from nasjax import choice
from nasjax.types import Arch, Batch, Key, Metrics, Params

Loss = Callable[[Params, Arch, Key, Batch], tuple[jax.Array, Metrics]]


def _check(arch):
  for leaf in jax.tree.leaves(arch):
    if not (hasattr(leaf, 'dtype') and choice.is_relaxed(leaf)):
      raise ValueError(
        'Costs are gradients with respect to relaxed choices (float[..., K]), '
        f'got {jax.typeof(leaf)}; see choice.one_hot.'
      )


def edge_costs(
  loss: Loss, credit: bool = True
) -> Callable[[Params, Arch, Key, Batch], tuple[Arch, Metrics]]:
  """Return the costs of all choices of an architecture.

  Args:
    loss: `(weights, arch, key, batch) -> (f32[], metrics)`.
    credit: whether costs are multiplied by the choices, Z dL / dZ.

  Returns:
    `(weights, arch, key, batch) -> (costs, metrics)` of a relaxed architecture,
    a mixture or one-hot: costs as its leaves, `f32[..., E, K]`, and the metrics
    of the loss with the 'loss' itself. Costs of shared choices add up.

  References:
    Xie et al., 2021.
  """

  def costs(weights, arch, key, batch):
    _check(arch)
    (value, metrics), gradient = jax.value_and_grad(loss, 1, has_aux=True)(
      weights, arch, key, batch
    )
    if credit:
      gradient = jax.tree.map(jnp.multiply, arch, gradient)
    return gradient, dict(metrics, loss=value)

  return costs


def leave_one_out(
  loss: Loss, none: int = 0
) -> Callable[[Params, Arch, Key, Batch], Arch]:
  """Return what the loss owes to every edge: `L(Z) - L(Z without e)`.

  Args:
    loss: as in `edge_costs`; one forward pass an edge.
    none: the choice that drops an edge.

  Returns:
    `(weights, arch, key, batch) -> differences` of a relaxed architecture,
    pytree of `f32[..., E]`. To first order they are the costs, with credit,
    summed over choices.
  """

  def differences(weights, arch, key, batch):
    _check(arch)
    leaves, structure = jax.tree.flatten(arch)

    def of_leaf(i):
      leaf = leaves[i]
      rows = leaf.reshape(-1, leaf.shape[-1])
      dropped = jax.nn.one_hot(none, rows.shape[-1], dtype=rows.dtype)

      def without(row):
        changed = rows.at[row].set(dropped, mode='drop').reshape(leaf.shape)
        others = structure.unflatten([*leaves[:i], changed, *leaves[i + 1 :]])
        return loss(weights, others, key, batch)[0]

      # The last row does not exist: nothing is dropped.
      values = lax.map(without, jnp.arange(len(rows) + 1))
      return (values[-1] - values[:-1]).reshape(leaf.shape[:-1])

    return structure.unflatten([of_leaf(i) for i in range(len(leaves))])

  return differences


def fidelity(costs: Arch, differences: Arch) -> jax.Array:
  """Return how well costs tell what the loss owes to edges.

  Args:
    costs: with credit, pytree of `f32[..., E, K]`.
    differences: from `leave_one_out`, pytree of `f32[..., E]`.

  Returns:
    `f32[]`, Pearson's correlation over all edges; NaN if either is constant.
  """

  def flat(tree: Any) -> jax.Array:
    return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(tree)])

  summed = jax.tree.map(lambda leaf: leaf.sum(-1), costs)
  return jnp.corrcoef(flat(summed), flat(differences))[0, 1]
