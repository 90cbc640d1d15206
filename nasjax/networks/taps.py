"""Statistics of layers that come out of a backward pass.

A tap is an array of zeros. While one listens, every module that owns weights is
tied to it, and the gradient of any output with respect to the tap is

  d output / d tap = sum over layers of statistic(layer, d output / d y)

where y is what the layer returns. So a sum over layers of whatever depends on a
layer's input and on the cotangent of its output costs one backward pass: the
kernel of the gradients of single examples, the saliency of channels. Layers in
loops and switches count like all others, and modules of other libraries of flax
count too; nothing is stored beyond what the backward pass stores anyway.
"""

from collections.abc import Callable, Iterator, Mapping
import contextlib
import contextvars
import functools
from typing import NamedTuple

import chex
from flax import linen as nn
import jax
import jax.numpy as jnp

from nasjax.networks import layers


class Layer(NamedTuple):
  """A call of a module that owns weights."""

  path: tuple[str, ...]  # names from the network down to the module
  params: Mapping[str, chex.Array]  # the weights that it owns itself
  x: chex.Array  # its first argument
  y: chex.Array  # what it returned
  apply: Callable[[Mapping[str, chex.Array], chex.Array], chex.Array]
  is_linear: bool  # whether y = x kernel + bias


# `(layer, cotangent of y) -> array of the tap's shape`
Statistic = Callable[[Layer, chex.Array], jax.Array]


class Listener(NamedTuple):
  """Where the statistics of the layers called now go."""

  statistic: Statistic
  tap: jax.Array
  path: tuple[str, ...]


_listener = contextvars.ContextVar('listener', default=None)


def current() -> Listener | None:
  """Return the listener of the code that is being traced, if there is one."""
  return _listener.get()


@contextlib.contextmanager
def listening(
  statistic: Statistic, tap: jax.Array, path: tuple[str, ...] = ()
) -> Iterator[None]:
  """Tie the modules called within this context to a tap.

  Example:
    >>> norm = lambda layer, ct: jnp.sum(ct**2)
    >>> def total(tap):
    ...   with listening(norm, tap):
    ...     return (
    ...       nn.Dense(3)
    ...       .apply(
    ...         {'params': {'kernel': jnp.ones((2, 3)), 'bias': jnp.zeros(3)}},
    ...         jnp.ones((4, 2)),
    ...       )
    ...       .sum()
    ...     )
    >>> float(jax.grad(total)(jnp.zeros(())))
    12.0

  Args:
    statistic: what to gather.
    tap: zeros of the shape of the statistic.
    path: names above the modules called, where they have no parent.

  Yields:
    Nothing.
  """
  listener = Listener(statistic, tap, path)
  token = _listener.set(listener)
  try:
    with nn.intercept_methods(functools.partial(_intercept, listener)):
      yield
  finally:
    _listener.reset(token)


def _intercept(listener, call, args, kwargs, context):
  """Call a module's method; tie the result to the tap of the listener."""
  y = call(*args, **kwargs)
  if _listener.get() is not listener or context.method_name != '__call__':
    return y
  module = context.module
  variables = module.variables
  owned = {
    name: leaf
    for name, leaf in variables.get('params', {}).items()
    if not isinstance(leaf, Mapping)
  }
  if not owned or not isinstance(y, jax.Array) or module.is_initializing():
    return y
  detached = module.clone(parent=None)

  def apply(variables, owned, x):
    params = {**variables['params'], **owned}
    variables = {**variables, 'params': params}
    return detached.apply(variables, x, *args[1:], **kwargs)

  path = (*listener.path, *module.path)
  is_linear = type(module) in (nn.Dense, layers.Dense)
  make = functools.partial(Layer, path, is_linear=is_linear)
  return _tie(listener, make, apply, (variables, owned, args[0]), y)


def _tie(listener, make, apply, inputs, y):
  """Return y, whose cotangent also brings the statistic to the tap."""

  @jax.custom_vjp
  def through(tap, inputs, y):
    del tap, inputs
    return y

  def backward(residuals, cotangent):
    (variables, owned, x), y = residuals
    layer = make(owned, x, y, functools.partial(apply, variables))
    value = listener.statistic(layer, cotangent)
    nothing = jax.tree.map(jnp.zeros_like, (variables, owned, x))
    return value.astype(listener.tap.dtype), nothing, cotangent

  through.defvjp(
    lambda tap, inputs, y: (y, (inputs, y)),
    backward,
  )
  return through(listener.tap, inputs, y)
