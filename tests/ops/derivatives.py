"""Compares functions with references: values and two orders of derivatives."""

import chex
import jax
from jax import lax
import jax.numpy as jnp
import numpy as np


def random(seed, *shape):
  """Normal numbers, in double precision where it is enabled."""
  return np.random.default_rng(seed).normal(size=shape)


def orders(function, order):
  """Return `(*args) -> value, gradients, gradients of the gradients`.

  The scalar that is differentiated is not linear in the function, and that of
  the gradients not quadratic, so that every term of both derivatives counts.
  """

  def gradients(*args):
    everything = tuple(range(len(args)))
    return jax.grad(lambda *a: jnp.sum(jnp.sin(function(*a))), everything)(
      *args
    )

  def second(*args):
    everything = tuple(range(len(args)))
    return jax.grad(
      lambda *a: sum(
        jnp.sum(jnp.cos(g) * g) for g in jax.tree.leaves(gradients(*a))
      ),
      everything,
    )(*args)

  return lambda *args: tuple(
    f(*args) for f in (function, gradients, second)[: 1 + order]
  )


def assert_same(function, reference, *args, order=2, tolerance=1e-9):
  """Assert equal derivatives up to an order, and return the value."""
  both = jax.jit(
    lambda *a: (orders(function, order)(*a), orders(reference, order)(*a))
  )
  actual, expected = both(*map(jnp.asarray, args))
  chex.assert_trees_all_equal_shapes_and_dtypes(actual, expected)
  chex.assert_trees_all_close(actual, expected, rtol=tolerance, atol=tolerance)
  return actual[0]


def pull_back(function, x, g):
  """Return the value at `x`, and the cotangent of `x` for `g` of the value."""

  @jax.jit
  def both(x, g):
    y, transpose = jax.vjp(function, x)
    return y, transpose(g)[0]

  return both(jnp.asarray(x), jnp.asarray(g))


def assert_loops_change_nothing(function, *args):
  """Assert that map, scan and vmap give what single calls give.

  Args:
    function: of one set of arguments.
    *args: arrays with a leading axis of as many sets.
  """
  first = orders(function, 1)
  loops = {
    'calls': lambda a: jax.tree.map(
      lambda *rows: jnp.stack(rows),
      *(first(*(arg[i] for arg in a)) for i in range(len(a[0]))),
    ),
    'map': lambda a: lax.map(lambda row: first(*row), a),
    'scan': lambda a: lax.scan(lambda _, row: (None, first(*row)), None, a)[1],
    'vmap': lambda a: jax.vmap(first)(*a),
  }
  results = jax.jit(lambda a: {name: f(a) for name, f in loops.items()})(
    tuple(map(jnp.asarray, args))
  )
  for name in loops:
    chex.assert_trees_all_close(
      results[name], results['calls'], rtol=1e-10, atol=1e-10
    )
