"""Architectures of mobile spaces whose decisions of a kind agree."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.spaces import mobile
from nasjax.types import Arch


def between(layout: mobile.Layout, shares: dict[str, float]) -> Arch:
  """Return the architecture whose decisions of a kind all agree.

  Args:
    layout: the layout.
    shares: by leaf, 0 for the first option, 1 for the last, between them the
      nearest; every decision takes the place among its own options.

  Returns:
    The architecture, index choices.
  """
  return {
    name: jnp.array(
      [math.floor(shares[name] * (len(row) - 1) + 0.5) for row in decisions],
      jnp.int32,
    )
    for name, decisions in mobile.leaves(layout).items()
  }


def grid(layout: mobile.Layout, num_levels: int = 2) -> Arch:
  """Return the coarse grid: all combinations of levels of the leaves.

  Args:
    layout: the layout.
    num_levels: levels of a leaf, from its first options to its last; fewer
      where no decision has as many.

  Returns:
    G architectures, pytree of `int32[G, D]`.

  Raises:
    ValueError: if there are not two levels.
  """
  if num_levels < 2:
    raise ValueError(f'A grid needs at least two levels, got {num_levels}.')
  found = mobile.leaves(layout)
  axes = [
    np.linspace(0, 1, min(num_levels, max(map(len, decisions))))
    for decisions in found.values()
  ]
  archs = [
    between(layout, dict(zip(found, shares)))
    for shares in itertools.product(*axes)
  ]
  return jax.tree.map(lambda *rows: jnp.stack(rows), *archs)
