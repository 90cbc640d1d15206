"""Rungs: which fidelity how many architectures reach, as Hyperband counts.

L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh and A. Talwalkar, Hyperband: A
Novel Bandit-Based Approach to Hyperparameter Optimization, JMLR 2018,
https://arxiv.org/abs/1603.06560, algorithm 1. A fidelity is a budget as a
fraction of the full one, R.
"""

from collections.abc import Sequence
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Cycle(NamedTuple):
  """The P proposals of some brackets, after which they repeat."""

  level: np.ndarray  # i32[P] position of the fidelity
  slot: np.ndarray  # i32[P] place of the first architecture in its rung
  is_new: np.ndarray  # bool[P] the first rung of a bracket


def geometric(
  min_budget: float, max_budget: float, eta: float = 3
) -> tuple[float, ...]:
  """Return the geometric budgets `R eta^-s` as fractions of the largest, R.

  Args:
    min_budget: r; the smallest is at least that.
    max_budget: R, in the same unit.
    eta: the ratio of budgets, above 1.

  Returns:
    `s_max + 1` fidelities, the last is 1.

  Raises:
    ValueError: if the budgets or eta cannot be.
  """
  if not (0 < min_budget <= max_budget and eta > 1):
    raise ValueError(
      'Hyperband needs 0 < min_budget <= max_budget and eta > 1, got '
      f'min_budget={min_budget}, max_budget={max_budget}, eta={eta}.'
    )
  # The small constant: log_3 27 may come out as less than 3.
  s_max = int(math.log(max_budget / min_budget, eta) + 1e-9)
  return tuple(eta**-s for s in range(s_max, -1, -1))


def sizes(num_fidelities: int, eta: float = 3) -> tuple[tuple[int, ...], ...]:
  """Return the sizes of the rungs of every bracket, the longest bracket first.

  Args:
    num_fidelities: `s_max + 1`.
    eta: the best 1 / eta of a rung are promoted.

  Returns:
    `n_i = floor(n eta^-i)` for `i = 0, ..., s`, for each `s = s_max, ..., 0`.
  """
  brackets = []
  for s in range(num_fidelities - 1, -1, -1):
    n = math.ceil(num_fidelities * eta**s / (s + 1) - 1e-9)
    brackets.append(tuple(int(n / eta**i + 1e-9) for i in range(s + 1)))
  return tuple(brackets)


def check(levels: Sequence[float], eta: float) -> np.ndarray:
  """Return the fidelities of a strategy, if they are such.

  Args:
    levels: L fractions of the full budget, increasing, the last is 1.
    eta: the best 1 / eta of a rung are promoted.

  Returns:
    The fidelities, `f32[L]`.

  Raises:
    ValueError: if they are anything else, or if eta is not above 1.
  """
  checked = np.asarray(levels, np.float32)
  is_valid = checked.ndim == 1 and checked.size and checked[-1] == 1
  if not is_valid or checked[0] <= 0 or np.any(np.diff(checked) <= 0):
    raise ValueError(
      f'Fidelities lie in (0, 1], increase and end at 1, got {levels!r}.'
    )
  if not eta > 1:
    raise ValueError(
      f'The best 1 / eta of a rung are promoted: eta > 1, got {eta}.'
    )
  return checked


def level_of(fidelity: jax.Array, levels: np.ndarray) -> jax.Array:
  """Return the position of the nearest of L fidelities, `i32[]`."""
  return jnp.argmin(jnp.abs(levels - fidelity))


def cycle(
  num_fidelities: int, eta: float, brackets: Sequence[int], batch_size: int = 1
) -> tuple[Cycle, int]:
  """Return the proposals of brackets that follow each other.

  Args:
    num_fidelities: L.
    eta: the best 1 / eta of a rung are promoted.
    brackets: s of each bracket.
    batch_size: B, architectures of a proposal; rungs are rounded up to it.

  Returns:
    The proposals, and the size of the largest rung.
  """
  rows, largest = [], 0
  for s in brackets:
    lowest = num_fidelities - 1 - s
    for rung, size in enumerate(sizes(num_fidelities, eta)[lowest]):
      size = -(-size // batch_size) * batch_size
      largest = max(largest, size)
      rows += [
        (lowest + rung, i, rung == 0) for i in range(0, size, batch_size)
      ]
  level, slot, is_new = (np.array(column) for column in zip(*rows))
  return Cycle(level.astype('i4'), slot.astype('i4'), is_new), largest
