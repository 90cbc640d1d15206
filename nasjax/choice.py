"""The three forms of a choice, and the two primitives that accept them all.

A decision among K options is written in one of three forms, and every network,
encoding and cost table takes whichever it is given:

  static   Python `int`   only this branch is traced
  index    `int32[]`      `lax.switch`: one program for a whole space
  relaxed  `float[K]`     the sum of all branches, weighted

A relaxed choice with J weights that are not zero may be written `Sparse`: then
no other branch is computed, yet the weights have their gradients.

An architecture is a pytree whose leaves group D decisions of the same kind:
`int32[D]`, `float[D, K]` or a tuple of D ints. Indexing a leaf gives a choice.
Static, index and relaxed-one-hot forms of one architecture mean the same
function; nothing outside this module and `networks/` asks which one it has.
"""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
from typing import Any

import chex
import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from nasjax.ops import channels
from nasjax.types import Arch, Mask


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Sparse:
  """A mixture of J of the options; a leaf of D of them is indexed as arrays.

  Attributes:
    index: `int32[..., J]`, the options.
    weight: `float[..., J]`, theirs; that of all others is zero.
  """

  index: jax.Array
  weight: jax.Array

  def __getitem__(self, i: Any) -> 'Sparse':
    return Sparse(self.index[i], self.weight[i])

  def __iter__(self) -> Iterator['Sparse']:
    return map(Sparse, self.index, self.weight)


Choice = int | jax.Array | Sparse


def is_static(choice: Choice) -> bool:
  """Return whether the choice is known while tracing."""
  return isinstance(choice, int)


def is_relaxed(choice: Choice) -> bool:
  """Return whether the choice is weights of options."""
  if is_static(choice) or isinstance(choice, Sparse):
    return not is_static(choice)
  return jnp.issubdtype(choice.dtype, jnp.floating)


def total(choice: Choice) -> jax.Array:
  """Return the sum of the weights of all options: 1 unless relaxed."""
  if isinstance(choice, Sparse):
    return jnp.sum(choice.weight)
  return jnp.sum(choice) if is_relaxed(choice) else jnp.ones(())


def select(choice: Choice, table: chex.ArrayTree) -> chex.ArrayTree:
  """Return the chosen row of a table: exact for an index, expected if relaxed.

  Args:
    choice: a choice among K options, in any form.
    table: pytree of arrays `[K, ...]`.

  Returns:
    The pytree of rows `[...]`; for relaxed choices `sum_k choice[k] table[k]`.
  """
  if is_static(choice):
    return jax.tree.map(lambda rows: rows[choice], table)
  if isinstance(choice, Sparse):
    return mix(choice.weight, [select(i, table) for i in choice.index])
  if is_relaxed(choice):
    return jax.tree.map(lambda rows: jnp.tensordot(choice, rows, 1), table)
  return jax.tree.map(
    lambda rows: lax.dynamic_index_in_dim(
      jnp.asarray(rows), choice, keepdims=False
    ),
    table,
  )


def switch(
  choice: Choice, branches: Sequence[Callable[..., Any]], *operands: Any
) -> Any:
  """Apply the chosen branch to the operands.

  `branches` must not close over traced values that need gradients: pass those
  as operands. For an index the gradient recomputes the branch instead of
  storing its residuals, because `lax.switch` would store the (zero) residuals
  of all the others.

  Args:
    choice: a choice among K options, in any form.
    branches: K functions of the operands with equal output shapes.
    *operands: pytrees of arrays.

  Returns:
    The branch's result; for relaxed choices the sum of all results, weighted.

  Raises:
    ValueError: if a relaxed choice does not have one weight a branch.
  """
  if is_static(choice):
    return branches[choice](*operands)
  if isinstance(choice, Sparse):
    return mix(
      choice.weight, [_switch(branches, i, operands) for i in choice.index]
    )
  if is_relaxed(choice):
    if choice.shape != (len(branches),):
      raise ValueError(
        f'A relaxed choice among {len(branches)} branches needs shape '
        f'({len(branches)},), got {choice.shape}.'
      )
    return mix(choice, [branch(*operands) for branch in branches])
  return _switch(branches, choice, operands)


def mix(weights: jax.Array, results: Sequence[Any]) -> Any:
  """Return the weighted sum of K pytrees.

  Args:
    weights: `float[K]`.
    results: K pytrees of arrays of equal shapes.
  """
  return jax.tree.map(lambda *rows: sum(map(_weigh, weights, rows)), *results)


def _weigh(weight, x):
  weight = weight.astype(x.dtype)
  return weight * x if x.ndim == 0 else channels.scale(weight, x)


def _switch(branches, index, operands):
  """`lax.switch` whose transpose recomputes inside the branch."""
  branches = tuple(branches)

  @jax.custom_vjp
  def apply(index, operands):
    return lax.switch(index, branches, *operands)

  def forward(index, operands):
    # The barrier: see ops/edge_scan.py.
    return apply(index, operands), lax.optimization_barrier((index, operands))

  def backward(residuals, cotangent):
    index, operands = residuals

    def pull_back(branch):
      return lambda operands, ct: jax.vjp(branch, *operands)[1](ct)

    gradients = lax.switch(
      index, [pull_back(branch) for branch in branches], operands, cotangent
    )
    return np.zeros(index.shape, jax.dtypes.float0), gradients

  apply.defvjp(forward, backward)
  return apply(index, operands)


def one_hot(arch: Arch, mask: Mask) -> Arch:
  """Return the relaxed form of an architecture; relaxed arrays stay as is.

  Args:
    arch: an architecture in any form.
    mask: pytree of `bool[D, K]` that gives the number of options.

  Returns:
    Pytree of `f32[D, K]`.
  """

  def relax(allowed, leaf):
    if isinstance(leaf, Sparse):
      rows = jax.nn.one_hot(leaf.index, allowed.shape[-1])
      return jnp.einsum('...j,...jk->...k', leaf.weight, rows)
    if not isinstance(leaf, tuple) and is_relaxed(leaf):
      return leaf
    return jax.nn.one_hot(jnp.asarray(leaf), allowed.shape[-1])

  return jax.tree.map(relax, mask, arch)


def sparse(arch: Arch, num_options: int) -> Arch:
  """Return a relaxed architecture without all but the largest weights.

  What is left is not normalised: where the other weights are zero, it means the
  same function.

  Args:
    arch: pytree of `float[..., D, K]`.
    num_options: J, options that each decision keeps; of equal ones the first.

  Returns:
    Pytree of `Sparse`, `[..., D, J]`, largest weights first; leaves of no more
    options than that are as they were.
  """

  def keep(leaf):
    if leaf.shape[-1] <= num_options:
      return leaf
    weight, index = lax.top_k(leaf, num_options)
    return Sparse(index, weight)

  return jax.tree.map(keep, arch)


def static(arch: Arch) -> Arch:
  """Return the static form of a concrete index architecture.

  Args:
    arch: pytree of `int[D]` with known values (not traced).

  Returns:
    Pytree whose leaves are replaced by (nested) tuples of ints.
  """

  def freeze(values):
    return tuple(map(freeze, values)) if isinstance(values, list) else values

  return jax.tree.map(lambda leaf: freeze(np.asarray(leaf).tolist()), arch)


def index(arch: Arch) -> Arch:
  """Return the index form of a static architecture, the inverse of `static`."""
  return jax.tree.map(
    lambda leaf: jnp.asarray(leaf, jnp.int32),
    arch,
    is_leaf=lambda leaf: isinstance(leaf, tuple),
  )
