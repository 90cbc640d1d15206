"""Latency learned from measurements, differentiable in the architecture.

Y. Xu, L. Xie, X. Zhang, X. Chen, B. Shi, Q. Tian and H. Xiong, Latency-Aware
Differentiable Neural Architecture Search, 2020,
https://arxiv.org/abs/2001.06392: a network on the code of an architecture is
fitted to what random architectures take on a device. The search differentiates
it.

  min sum_i |log LAT(x_i) - log t_i|

an absolute error of logarithms is, where it is small, a relative error of
latencies. Hidden layers are GELUs, so gradients are smooth.

Deviations
  * The code (one entry an operation of every edge), widths, loss and optimiser
    are ours: the paper's are not at hand.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nasjax import networks
from nasjax.archive import Archive
from nasjax.estimators import predictor, ranking_losses
from nasjax.types import Arch, Estimator, Space


def latency_predictor(
  space: Space,
  network: Any = None,
  num_steps: int = 1000,
  batch_size: int | None = 128,
  learning_rate: float = 3e-3,
  weight_decay: float = 2.0,
) -> Estimator:
  """Return the predictor of latencies.

  Args:
    space: its `encode` gives the features, of relaxed architectures too.
    network: as in `predictor.predictor`; by default an MLP of two layers of 128
      GELUs.
    num_steps: of one fit, with a cosine schedule.
    batch_size: architectures of each, or None for all.
    learning_rate: of AdamW at the start.
    weight_decay: of AdamW, which keeps it from noise.

  Returns:
    The estimator; `update` takes an `archive.Archive` of latencies, `score` is
    in their unit and above zero: here **lower** is better.

  References:
    Xu et al., 2020, https://arxiv.org/abs/2001.06392.
  """
  inner = predictor.predictor(
    network or networks.Mlp((128, 128), jax.nn.gelu),
    space.encode,
    space.sample(jax.random.key(0)),
    ranking_losses.absolute_error,
    optax.adamw(
      optax.cosine_decay_schedule(learning_rate, num_steps),
      weight_decay=weight_decay,
    ),
    num_steps,
    batch_size,
    on_line=False,
  )

  def update(key, state, told: Archive):
    # What was not measured has no logarithm, and does not count.
    return inner.update(key, state, told._replace(values=jnp.log(told.values)))

  def score(key, state, arch):
    return jnp.exp(inner.score(key, state, arch))

  return Estimator(inner.init, update, score)


def labels(
  space: Space,
  index_of: Callable[[Arch], jax.Array],
  values: np.ndarray,
  num_labels: int | None = None,
  seed: int = 0,
) -> Archive:
  """Draw random rows of a table of latencies, without repetition.

  Args:
    space: of the architectures, which can be enumerated.
    index_of: `(arch) -> i32[]`, the row of an architecture.
    values: `[N]`, not finite where nothing was measured.
    num_labels: how many are drawn among the measured ones; None for all.
    seed: of the draw.

  Returns:
    Architectures and their values.

  Raises:
    ValueError: if fewer are measured than labels are asked for.
  """
  archs = jax.vmap(space.index)(jnp.arange(space.size))
  known = np.asarray(values)[np.asarray(jax.vmap(index_of)(archs))]
  rows = np.flatnonzero(np.isfinite(known))
  num_labels = len(rows) if num_labels is None else num_labels
  if not 0 < num_labels <= len(rows):
    raise ValueError(
      f'Cannot draw {num_labels} labels: {len(rows)} of the {space.size} '
      'architectures are measured.'
    )
  rows = np.random.default_rng(seed).choice(rows, num_labels, replace=False)
  return Archive(
    jax.tree.map(lambda leaf: leaf[rows], archs),
    jnp.asarray(known[rows], jnp.float32),
    jnp.int32(num_labels),
  )


def fit(
  estimator: Estimator, told: Archive, seed: int = 0
) -> Callable[[Arch], jax.Array]:
  """Return what an estimator says once it is fitted.

  Args:
    estimator: `latency_predictor`, or `ridge.ridge` for a look-up table.
    told: from `labels`.
    seed: of the fit.

  Returns:
    `(arch) -> f32[]`, differentiable for relaxed architectures.
  """
  init_key, key = jax.random.split(jax.random.key(seed))
  state, _ = jax.jit(estimator.update)(key, estimator.init(init_key), told)
  return lambda arch: estimator.score(key, state, arch)
