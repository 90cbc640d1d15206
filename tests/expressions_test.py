"""Tests of conditions written as text."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import expressions

_COLUMNS = {
  'params': np.array([1e6, 4e6, 6e6, 6e6]),
  'latency_ms': np.array([30.0, 10.0, 10.0, 30.0]),
}


@pytest.mark.parametrize(
  'text',
  [
    'params < 5e6 and latency_ms < 20',
    'params < 5e6 or latency_ms < 20',
    'not (params < 5e6 or latency_ms <= 10)',
    'not params < 5e6 or latency_ms <= 10',
    '1e6 < params <= 4e6',
    'params / 1e6 + 2 * latency_ms - 1 > -latency_ms + 30',
    'params == 6e6 and latency_ms != 10',
    '3 > 2',
  ],
)
def test_a_condition_is_what_python_says_of_every_row(text):
  expected = [
    eval(text, {}, {'params': p, 'latency_ms': l})  # of our own texts
    for p, l in zip(*_COLUMNS.values())
  ]
  condition = expressions.parse(text, _COLUMNS)
  for columns in (_COLUMNS, jax.tree.map(jnp.asarray, _COLUMNS)):
    holds = jnp.broadcast_to(condition.holds(columns), 4)
    np.testing.assert_array_equal(holds, expected)
  inside = jax.jit(condition.holds)(_COLUMNS)
  np.testing.assert_array_equal(jnp.broadcast_to(inside, 4), expected)


def test_and_binds_closer_than_or_and_not_closer_than_and():
  condition = expressions.parse('not a > 0 and b > 0 or c > 0')
  for a, b, c in itertools.product((0, 1), repeat=3):
    expected = (not a > 0 and b > 0) or c > 0
    assert condition.holds({'a': a, 'b': b, 'c': c}) == expected


def test_what_is_not_a_number_fulfils_nothing():
  holds = expressions.parse('0 < x < 5').holds({'x': jnp.array([jnp.nan, 1.0])})
  np.testing.assert_array_equal(holds, [False, True])


def test_large_integers_are_numbers_as_others_are():
  condition = expressions.parse('params < 5000000000')
  assert condition.holds({'params': jnp.int32(2**31 - 1)})
  assert not condition.holds({'params': jnp.float32(6e9)})


@pytest.mark.parametrize(
  'text',
  [
    '',
    'params',  # no condition
    '5',
    'params <',
    'True',
    'params < True',
    "params < '5'",
    'params < 5j',
    'params < 1e39',  # beyond a float32
    'params < ' + '9' * 400,
    'params = 5',
    'params < max(1, 2)',
    '__import__("os").system("true") < 1',
    'params.real < 1',
    'params[0] < 1',
    '(lambda: 1)() < 2',
    'params in latency_ms',
    'params is latency_ms',
    'params < 2 ** 9 ** 9 ** 9',
    'params < 3 if params else 2',
    '(params < 3) + 1 > 0',
    'params < 3 and 5',
    '[p < 1 for p in params]',
    'params < 5; params',
    '(' * 300 + 'params < 5' + ')' * 300,
    'params < ' + '-' * 300 + '5',
    'params < 5' + ' and params < 5' * 100,
  ],
)
def test_anything_else_is_refused(text):
  with pytest.raises(ValueError, match='is not a condition'):
    expressions.parse(text)


def test_an_unknown_column_is_named_with_those_that_there_are():
  message = "Unknown column 'parms'.*Known: latency_ms, params"
  with pytest.raises(ValueError, match=message):
    expressions.parse('parms < 5', _COLUMNS)
  condition = expressions.parse('parms < 5')
  with pytest.raises(ValueError, match=r"\['parms'\].*latency_ms, params"):
    condition.holds(_COLUMNS)
