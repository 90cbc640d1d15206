"""What an update of a search takes, read from its compiled program."""

import jax

from nasjax.types import Batch, Search


def peak_bytes(search: Search, batch: Batch) -> int:
  """Return the memory of one update: its state, its batch, all in between.

  The update is compiled for arrays of these shapes and not run.

  Args:
    search: the search.
    batch: one of its batches, or shapes of one.

  Returns:
    Bytes on one device, as the compiler has planned them.
  """
  key = jax.eval_shape(lambda: jax.random.key(0))
  state = jax.eval_shape(search.init, key)
  update = jax.jit(search.update, donate_argnums=1)
  planned = update.lower(key, state, batch).compile().memory_analysis()
  return (
    planned.argument_size_in_bytes
    + planned.output_size_in_bytes
    - planned.alias_size_in_bytes
    + planned.temp_size_in_bytes
  )


def check(search: Search, batch: Batch, max_bytes: int) -> Search:
  """Return the search if its update keeps within a budget.

  Args:
    search: the search.
    batch: one of its batches, or shapes of one.
    max_bytes: the budget.

  Returns:
    The search.

  Raises:
    ValueError: if an update takes more.
  """
  peak = peak_bytes(search, batch)
  if peak > max_bytes:
    raise ValueError(
      f'An update of this search takes {peak / 1e6:,.1f} MB, the budget is '
      f'{max_bytes / 1e6:,.1f} MB. Smaller batches, fewer channels or fewer '
      'options a decision take less.'
    )
  return search
