"""The empirical neural tangent kernel, and what it says of a network.

Jacot, Gabriel, Hongler, Neural Tangent Kernel, 2018,
https://arxiv.org/abs/1806.07572. With f_o(x) the o-th of O outputs:

  full            K[n, m, o, p] = <df_o(x_n) / dw, df_p(x_m) / dw>
  mean trace      sum_o K[n, m, o, o] / O
  sum of logits   sum_op K[n, m, o, p] = <g_n, g_m>, g_n = d sum_o f_o(x_n) / dw

The last one is the kernel of architecture search. Where normalisation takes
statistics of the batch, each output depends on all examples: g_n is then the
gradient of the n-th output of the whole batch, one backward pass of the batch
an example. With frozen statistics examples are independent and one backward
pass is enough for all of them; if it contracts every layer's gradients at once
(`factored`), no Jacobian is ever stored.
"""

from collections.abc import Callable
import functools
from typing import Any

import chex
import jax
from jax import lax
import jax.numpy as jnp

from nasjax import partition
from nasjax.estimators import kernel_metrics
from nasjax.networks import taps
from nasjax.types import Arch, Params

Select = Callable[[partition.Path], bool]


def is_weight(path: partition.Path) -> bool:
  """Select kernels and scales of normalisation, without the classifier."""
  return path[-1] in ('kernel', 'scale') and 'classifier' not in path


def is_any_weight(path: partition.Path) -> bool:
  """Select kernels and scales of normalisation, those of the classifier too."""
  return path[-1] in ('kernel', 'scale')


def _jacobian(f, params, x, coupled, block_size, differentiate=jax.jacrev):
  """The gradients of all entries of `f(params, x)`, `[N, ...]` or flat."""
  if coupled:
    y, pull_back = jax.vjp(lambda p: f(p, x), params)
    one = lambda entry: pull_back(entry)[0]
    inputs = jnp.eye(y.size, dtype=y.dtype).reshape(-1, *y.shape)
    block_size = block_size or 1
  else:
    of_example = differentiate(lambda p, example: f(p, example[None])[0])
    one, inputs = functools.partial(of_example, params), x
  if block_size is None or block_size >= len(inputs):
    return jax.vmap(one)(inputs)
  return lax.map(one, inputs, batch_size=block_size)


def full(
  f: Callable[[Params, chex.Array], jax.Array],
  params: Params,
  x: chex.Array,
  coupled: bool = False,
  block_size: int | None = None,
) -> jax.Array:
  """Return the kernel of all pairs of outputs.

  Args:
    f: `(params, x) -> f32[N, O]`.
    params: what is differentiated.
    x: `[N, ...]`.
    coupled: whether the outputs of an example depend on the others.
    block_size: examples, or single outputs where they do, that one `vmap`
      takes. None for all examples, but one output after another: least memory
      and, on a CPU, least time; accelerators may gain by more.

  Returns:
    `f32[N, N, O, O]`: axes 0 and 2 are an example and its output.
  """
  rows = _jacobian(f, params, x, coupled, block_size)
  num, outputs = jax.eval_shape(f, params, x).shape
  flat = jax.tree.map(lambda leaf: leaf.reshape(num * outputs, -1), rows)
  kernel = kernel_metrics.gram(flat).reshape(num, outputs, num, outputs)
  return kernel.transpose(0, 2, 1, 3)


def gradients(
  f: Callable[[Params, chex.Array], jax.Array],
  params: Params,
  x: chex.Array,
  coupled: bool = False,
  block_size: int | None = None,
) -> Params:
  """Return g_n, the gradients of the sum of the outputs of every example.

  Arguments are those of `full`, but a block is one of examples.

  Returns:
    Pytree like `params` with a leading axis N.
  """
  sums = lambda p, x: f(p, x).sum(-1)
  return _jacobian(sums, params, x, coupled, block_size, jax.grad)


def _gram_of_layer(select, layer, cotangent):
  """The part of one layer: independent examples, one row a gradient."""
  chosen = {
    name: leaf
    for name, leaf in layer.params.items()
    if select((*layer.path, name))
  }
  num = len(cotangent)
  if not chosen:
    return jnp.zeros((num, num), cotangent.dtype)
  if set(chosen) == {'kernel'} and layer.is_linear and layer.x.ndim == 2:
    # The gradient is an outer product: its Gram needs no gradient.
    return kernel_metrics.gram(layer.x) * kernel_metrics.gram(cotangent)

  def gradient(x, cotangent):
    _, pull_back = jax.vjp(
      lambda p: layer.apply({**layer.params, **p}, x[None]), chosen
    )
    return pull_back(cotangent[None])[0]

  return kernel_metrics.gram(jax.vmap(gradient)(layer.x, cotangent))


def factored(
  f: Callable[[Params, chex.Array], jax.Array],
  params: Params,
  x: chex.Array,
  select: Select = is_weight,
) -> jax.Array:
  """Return the kernel of the sums of logits from one backward pass.

  Every layer adds the Gram matrix of its own gradients on the way back, so that
  memory is that of the backward pass and of one layer's N gradients.

  Args:
    f: `(params, x) -> f32[N, O]`, made of flax modules, with examples that do
      not depend on each other.
    params: weights.
    x: `[N, ...]`.
    select: `(path) -> bool`, the weights that count; paths are names of
      modules from the network down, then the name of the weight.

  Returns:
    `f32[N, N]`.
  """
  statistic = functools.partial(_gram_of_layer, select)

  def total(tap):
    with taps.listening(statistic, tap):
      return f(params, x).sum()

  return jax.grad(total)(jnp.zeros((len(x),) * 2, x.dtype))


def outputs(
  network: Any,
  variables: Params,
  arch: Arch,
  norm: str = 'batch',
  select: Select = is_weight,
) -> tuple[Callable[[Params, chex.Array], jax.Array], Params]:
  """Return a network as a function of those of its weights that count.

  Args:
    network: the network; for frozen normalisation one that tracks statistics.
    variables: of the network; with 'batch_stats' for frozen normalisation.
    arch: the architecture.
    norm: 'batch' for statistics of the batch, 'frozen' for running ones.
    select: `(path) -> bool`, the weights that count.

  Returns:
    `(params, x) -> f32[N, O]`, and the weights.

  Raises:
    ValueError: for another norm, or without the statistics that it takes.
  """
  if norm not in ('batch', 'frozen'):
    raise ValueError(f'Unknown norm {norm!r}. Known: batch, frozen.')
  tracks = getattr(network, 'track', False)
  if norm == 'frozen' and tracks and not variables.get('batch_stats'):
    raise ValueError(
      'Frozen normalisation needs running statistics, which the variables do '
      'not hold: initialise, or train, a network with track=True.'
    )
  chosen, rest = partition.split(variables['params'], select)

  def f(chosen, x):
    params = partition.merge(chosen, rest)
    return network.apply(
      {**variables, 'params': params},
      arch,
      x,
      train=norm == 'batch',
      mutable=['batch_stats'],
    )[0]

  return f, chosen


def kernel(
  network: Any,
  variables: Params,
  arch: Arch,
  image: chex.Array,
  *,
  norm: str = 'batch',
  implementation: str | None = None,
  block_size: int | None = None,
  select: Select = is_weight,
) -> jax.Array:
  """Return the kernel of the sums of logits of a network.

  Args:
    network: see `outputs`.
    variables: see `outputs`.
    arch: the architecture.
    image: `[N, H, W, C]`.
    norm: 'batch' for statistics of the batch, 'frozen' for running ones.
    implementation: 'factored' (frozen normalisation only) or 'jacobian'; the
      first that is possible by default.
    block_size: examples differentiated at once by 'jacobian', see `full`.
    select: `(path) -> bool`, the weights that count: by default without those
      of the classifier, and without biases.

  Returns:
    `f32[N, N]`.

  Raises:
    ValueError: for an unknown or impossible combination.
  """
  coupled = norm == 'batch'
  implementation = implementation or ('jacobian' if coupled else 'factored')
  if implementation not in ('factored', 'jacobian'):
    raise ValueError(
      f'Unknown implementation {implementation!r}. Known: factored, jacobian.'
    )
  if coupled and implementation == 'factored':
    raise ValueError(
      "'factored' needs independent examples: norm='frozen', got 'batch'."
    )
  f, params = outputs(network, variables, arch, norm, select)
  if implementation == 'factored':
    return factored(f, params, image, select)
  return kernel_metrics.gram(gradients(f, params, image, coupled, block_size))
