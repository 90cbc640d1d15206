"""What a condition on the columns of config.describe lets a search return.

  config.where = 'params < 5e6 and latency_ms < 20'

The best of its archive that fulfils it is then what a search has found, and the
exported top and front have no others. An archive only holds so many: a search
that is to find what fulfils a condition should be told so, by
`estimators.combine.constrained`, or have a large one.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from nasjax import archive, expressions
from nasjax.types import Arch, Estimator, State


def column(described: Any) -> Callable[[Arch], jax.Array]:
  """Return the function of an entry of config.describe.

  Args:
    described: a function `(arch) -> f32[]`, or an estimator without training.

  Returns:
    `(arch) -> f32[]`.
  """
  if not isinstance(described, Estimator):
    return described
  key = jax.random.key(0)
  return lambda arch: described.score(key, described.init(key), arch)


def condition(
  where: str, describe: Mapping[str, Any]
) -> Callable[[Arch], jax.Array]:
  """Return whether an architecture fulfils a condition.

  Args:
    where: the condition, see `expressions.parse`.
    describe: columns by name, see `column`.

  Returns:
    `(arch) -> bool[]`.

  Raises:
    ValueError: if the text is no condition, or names an unknown column.
  """
  read = expressions.parse(where, describe)

  def holds(arch: Arch) -> jax.Array:
    return read.holds(
      {name: column(describe[name])(arch) for name in read.names}
    )

  return holds


def restrict(
  holds: Callable[[Arch], jax.Array], archs: Arch, state: State
) -> tuple[Arch, State]:
  """Return what was found, and the state, without what breaks a condition.

  Args:
    holds: `(arch) -> bool[]`.
    archs: what S seeds have found, pytree of `[S, ...]`.
    state: of the searches, with a leading axis S and an archive `found`.

  Returns:
    The best of each archive that fulfils the condition, or what was found where
    none does; and the state, the values of all others -inf.
  """
  found = state.found
  fulfils = jax.vmap(jax.vmap(holds))(found.archs)
  spread = fulfils.reshape(*fulfils.shape, *[1] * (found.values.ndim - 2))
  values = jnp.where(spread, found.values, -jnp.inf)
  first = values if values.ndim == 2 else values[..., 0]
  slots = jnp.argmax(first, axis=1)
  best = jax.vmap(lambda a, i: jax.tree.map(lambda x: x[i], a))(
    found.archs, slots
  )
  some = jnp.any(jnp.isfinite(first), axis=1)
  found = found._replace(values=values)
  return archive.fill(some, best, archs), state._replace(found=found)


def restriction(
  where: str | None, describe: Mapping[str, Any] | None
) -> Callable[[Arch, State], tuple[Arch, State]]:
  """Return `restrict` for a condition, or what changes nothing for None.

  Args:
    where: the condition, or None.
    describe: columns by name, see `column`.

  Returns:
    `(archs, state) -> (archs, state)`.
  """
  if where is None:
    return lambda archs, state: (archs, state)
  holds = condition(where, describe)
  return jax.jit(lambda archs, state: restrict(holds, archs, state))
