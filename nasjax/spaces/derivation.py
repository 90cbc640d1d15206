"""Rules of derivation made of others."""

from collections.abc import Callable, Sequence

from jax import lax
import jax.numpy as jnp

from nasjax.types import Arch


def at_most(
  derive: Callable[[Arch], Arch],
  option: int,
  count: int,
  cells: Sequence[str] = ('normal',),
) -> Callable[[Arch], Arch]:
  """Return the rule that takes an option so many times at the most.

  While a cell has more of it, the weight of the weakest that was taken is set
  to zero and the cell is derived anew.

  Args:
    derive: `(weights) -> arch`, for example `darts_cell.derive`.
    option: the option, for example that of skip connections.
    count: how many a cell may have (P-DARTS: 2).
    cells: leaves to which this applies (P-DARTS: normal cells).

  Returns:
    `(weights) -> arch` for pytrees of `f32[E, K]`.

  References:
    P-DARTS, https://arxiv.org/abs/1904.12760, section 3.3.
  """

  def weaken(leaf, chosen):
    taken = chosen == option
    weakest = jnp.argmin(jnp.where(taken, leaf[:, option], jnp.inf))
    too_many = jnp.sum(taken) > count
    return jnp.where(too_many, leaf.at[weakest, option].set(0.0), leaf)

  def step(_, weights):
    arch = derive(weights)
    return {
      name: weaken(leaf, arch[name]) if name in cells else leaf
      for name, leaf in weights.items()
    }

  def limited(weights: Arch) -> Arch:
    num_edges = max(len(weights[name]) for name in cells)
    return derive(lax.fori_loop(0, num_edges, step, weights))

  return limited
