"""Conditions on named numbers, written as text: 'params < 5e6 and acc >= 90'.

What a config, and so a stranger, may write: names, numbers, `+ - * /`,
comparisons (chained ones too), `and`, `or`, `not` and brackets. It is parsed by
Python's `ast` and never evaluated as Python: there are no calls, attributes,
subscripts or strings.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
import functools
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Columns = Mapping[str, jax.Array]

_ARITHMETIC = {
  ast.Add: operator.add,
  ast.Sub: operator.sub,
  ast.Mult: operator.mul,
  ast.Div: operator.truediv,
}
_COMPARISONS = {
  ast.Lt: operator.lt,
  ast.LtE: operator.le,
  ast.Gt: operator.gt,
  ast.GtE: operator.ge,
  ast.Eq: operator.eq,
  ast.NotEq: operator.ne,
}
_MAX_LENGTH = 1000  # of the text; it also bounds how deep brackets nest
_MAX_DEPTH = 50
_LARGEST = 3e38  # numbers are float32


class Condition(NamedTuple):
  """A condition that was read.

  Attributes:
    holds: `(columns) -> bool[...]` of arrays by name, or numbers, that
      broadcast. Comparisons with NaN are false, `!=` apart.
    names: of the columns that it needs, sorted.
    text: as it was written.
  """

  holds: Callable[[Columns], jax.Array]
  names: tuple[str, ...]
  text: str


def _is_number(node):
  value = getattr(node, 'value', None)  # bool is an int, but not here
  return type(value) in (int, float) and value < _LARGEST


def _number(node, depth):
  """`(columns) -> number` of an arithmetic expression, or None."""
  if depth > _MAX_DEPTH:
    return None
  if isinstance(node, ast.Name):
    return lambda columns: columns[node.id]
  if _is_number(node):
    value = np.float32(node.value)  # 1 / 0 is infinite, no error
    return lambda columns: value
  if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
    inner = _number(node.operand, depth + 1)
    return inner and (lambda columns: -inner(columns))
  if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
    apply = _ARITHMETIC[type(node.op)]
    a, b = (_number(side, depth + 1) for side in (node.left, node.right))
    return a and b and (lambda columns: apply(a(columns), b(columns)))
  return None


def _compared(node, depth):
  """A chain of comparisons: each of its neighbours, all of them."""
  sides = [_number(side, depth + 1) for side in (node.left, *node.comparators)]
  apply = [_COMPARISONS.get(type(op)) for op in node.ops]
  if not all([*sides, *apply]):
    return None

  def holds(columns):
    values = [jnp.asarray(side(columns)) for side in sides]
    pairs = zip(apply, values[:-1], values[1:])
    return functools.reduce(operator.and_, (f(a, b) for f, a, b in pairs))

  return holds


def _condition(node, depth=0):
  """`(columns) -> bool[...]` of a logical expression, or None."""
  if depth > _MAX_DEPTH:
    return None
  if isinstance(node, ast.Compare):
    return _compared(node, depth)
  if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
    inner = _condition(node.operand, depth + 1)
    return inner and (lambda columns: ~inner(columns))
  if isinstance(node, ast.BoolOp):
    parts = [_condition(part, depth + 1) for part in node.values]
    join = operator.and_ if isinstance(node.op, ast.And) else operator.or_
    if not all(parts):
      return None
    return lambda columns: functools.reduce(join, (p(columns) for p in parts))
  return None


def parse(text: str, known: Iterable[str] | None = None) -> Condition:
  """Read a condition.

  Example:
    >>> condition = parse('params < 5e6 and latency_ms < 20')
    >>> condition.names
    ('latency_ms', 'params')
    >>> bool(condition.holds({'params': 4e6, 'latency_ms': 25.0}))
    False

  Args:
    text: the condition.
    known: names of the columns that there are; any by default.

  Returns:
    The condition.

  Raises:
    ValueError: if the text is no condition, or names no column that is known.
  """
  error = ValueError(
    f'{text!r} is not a condition. It is made of names, numbers, + - * /, '
    "comparisons, and, or, not: 'params < 5e6 and latency_ms < 20'."
  )
  if not isinstance(text, str) or len(text) > _MAX_LENGTH:
    raise error
  try:
    tree = ast.parse(text.strip(), mode='eval').body
  except (SyntaxError, ValueError, RecursionError, MemoryError):
    raise error from None
  holds = _condition(tree)
  if holds is None:
    raise error
  nodes = ast.walk(tree)
  names = tuple(sorted({n.id for n in nodes if isinstance(n, ast.Name)}))
  if known is not None:
    known = sorted(known)
    for name in names:
      if name not in known:
        raise ValueError(
          f'Unknown column {name!r} in {text!r}. '
          f'Known: {", ".join(known) or "none"}.'
        )

  def check(columns: Columns) -> jax.Array:
    missing = [name for name in names if name not in columns]
    if missing:
      raise ValueError(
        f'{text!r} needs the column(s) {missing}. '
        f'Known: {", ".join(sorted(columns))}.'
      )
    return holds({name: columns[name] for name in names})

  return Condition(check, names, text)
