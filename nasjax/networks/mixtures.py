"""Mixtures of the operations of an edge, and of what they report."""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp

from nasjax import choice
from nasjax.networks import layers


def _weigh(option):
  """Put the weight of an option inside, where gradients recompute it."""

  def apply(weight, *operands):
    y, reports = option(*operands)
    return choice.mix(weight[None], [y]), {
      key: choice.mix(
        jnp.sign(weight)[None] if key == layers.AGREEMENT else weight[None],
        [report],
      )
      for key, report in reports.items()
    }

  return apply


def _choose_few(selected, options, operands):
  """Add up J branches, in a loop so that they are compiled once."""

  def run(pair):
    return choice.switch(pair.index, options, pair.weight, *operands)

  if selected.index.shape == (1,):
    return run(selected[0])

  def add(total, pair):
    return jax.tree.map(jnp.add, total, run(pair)), None

  shapes = jax.eval_shape(run, selected[0])
  zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
  return lax.scan(add, zeros, selected)[0]


def choose(
  selected: choice.Choice,
  options: list[Callable[..., Any]],
  *operands: Any,
) -> Any:
  """Apply the chosen branch; see `choice.switch`.

  Args:
    selected: an index or a relaxed choice, sparse or not.
    options: from `edges.branches`.
    *operands: of the branches.

  Returns:
    `(y, reports)`; of a mixture, what rectifiers report is the sum over the
    operations whose weight is not zero.
  """
  if not choice.is_relaxed(selected):
    return choice.switch(selected, options, *operands)
  if isinstance(selected, choice.Sparse):
    return _choose_few(
      selected, [_weigh(option) for option in options], operands
    )
  y, reports = zip(*(option(*operands) for option in options))
  mixed = choice.mix(selected, [r.get('batch_stats', {}) for r in reports])
  counted = (selected > 0).astype(selected.dtype)
  return choice.mix(selected, y), {
    key: choice.mix(counted, [r[key] for r in reports])
    if key == layers.AGREEMENT
    else mixed
    for key in reports[0]
  }
