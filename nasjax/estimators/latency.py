"""Latency of architectures, measured on the machine that runs this.

Nothing here is a pure function: it times programs on the host, and the same
call gives other numbers. What is timed is any function that runs a compiled
program and waits for its result. In every round

  anchor, run_p(1), anchor, run_p(2), ..., run_p(N), anchor

with another order p, each time is divided by the mean of the anchors around it,
so that a machine that slows down slows both:

  ratio_i = median over rounds of  2 t_i / (anchor before + anchor after)
  noise_i = |a_i - b_i| / (a_i + b_i)

with the medians a and b of the even and the odd rounds: on average the relative
error of ratio_i, below which no predictor can get.

Two forms of a program are at hand. `children` compiles each architecture by
itself, which is what is deployed and takes seconds each; `switched` compiles
one program for a whole space, in which `lax.switch` takes the chosen branch.
The sum of a look-up table is `estimators.ridge` fitted to one-hot codes: of
random architectures, or of `variants`, one operation exchanged at a time.

References:
  Xu et al., Latency-Aware Differentiable Neural Architecture Search, 2020,
  https://arxiv.org/abs/2001.06392; Cai, Zhu and Han, ProxylessNAS, 2019,
  https://arxiv.org/abs/1812.00332 (look-up tables).
"""

from collections.abc import Callable, Sequence
import math
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from nasjax import choice
from nasjax.types import Arch, Mask

Run = Callable[[], Any]  # runs a program and waits for its result


class Timings(NamedTuple):
  """How long N programs take, see the head of this file."""

  ratio: np.ndarray  # f64[N] of the anchor's time
  noise: np.ndarray  # f64[N] relative error
  anchor: float  # seconds of the anchor, the median


def _seconds(run, num_calls, clock):
  """Return the mean time of some calls in a row."""
  start = clock()
  for _ in range(num_calls):
    run()
  return (clock() - start) / num_calls


def measure(
  runs: Sequence[Run],
  anchor: Run,
  num_rounds: int = 10,
  num_warmups: int = 3,
  min_seconds: float = 2e-3,
  seed: int = 0,
  clock: Callable[[], float] = time.perf_counter,
) -> Timings:
  """Time programs, interleaved with an anchor, in rounds of random order.

  Args:
    runs: N functions that run a program and wait for its result.
    anchor: another one, that never changes where results are to be compared.
    num_rounds: of all programs; the result is their median.
    num_warmups: calls of each program before.
    min_seconds: short programs are called as often in a row as takes this long.
    seed: of the orders.
    clock: returns seconds.

  Returns:
    The timings.

  Raises:
    ValueError: if there is nothing to time, or fewer than two rounds.
  """
  if not runs or num_rounds < 2 or num_warmups < 1:
    raise ValueError(
      'A measurement needs a program, two rounds and a warm-up, got '
      f'{len(runs)} programs, num_rounds={num_rounds}, '
      f'num_warmups={num_warmups}.'
    )

  def prepare(run):
    warm = min(_seconds(run, 1, clock) for _ in range(num_warmups))
    num_calls = max(1, math.ceil(min_seconds / max(warm, 1e-9)))
    return lambda: _seconds(run, num_calls, clock)

  timed, timed_anchor = [prepare(run) for run in runs], prepare(anchor)
  generator = np.random.default_rng(seed)
  ratios, anchors = np.empty((num_rounds, len(runs))), []
  for row in ratios:
    anchors.append(timed_anchor())
    for i in generator.permutation(len(runs)):
      seconds = timed[i]()
      anchors.append(timed_anchor())
      row[i] = 2 * seconds / (anchors[-2] + anchors[-1])
  even, odd = (np.median(ratios[start::2], axis=0) for start in (0, 1))
  return Timings(
    np.median(ratios, axis=0),
    np.abs(even - odd) / (even + odd),
    float(np.median(anchors)),
  )


def _weights(network, arch, x):
  """Return variables of the right shapes, drawn on the host: no compilation.

  Times do not depend on them as long as they are normal numbers; running
  variances must be positive.
  """
  shapes = jax.eval_shape(
    lambda key: network.init(key, arch, x), jax.random.key(0)
  )
  generator = np.random.default_rng(0)
  return jax.tree.map(
    lambda leaf: jnp.asarray(
      generator.uniform(0.05, 0.15, leaf.shape), leaf.dtype
    ),
    shapes,
  )


def children(
  network: Any, x: jax.Array, **settings: Any
) -> Callable[[Arch], Run]:
  """Return what compiles an architecture by itself, operations fixed.

  Args:
    network: `init(key, arch, x)` and `apply(variables, arch, x, **settings)`.
    x: its input, with the batch that latency is meant for.
    **settings: of `apply`, such as `train=False`.

  Returns:
    `(arch) -> run` of index architectures; every call compiles.
  """

  def compile_child(arch):
    static = choice.static(arch)
    variables = _weights(network, static, x)
    program = (
      jax.jit(
        lambda variables, x: network.apply(variables, static, x, **settings)
      )
      .lower(variables, x)
      .compile()
    )
    return lambda: jax.block_until_ready(program(variables, x))

  return compile_child


def switched(
  network: Any, x: jax.Array, example: Arch, **settings: Any
) -> Callable[[Arch], Run]:
  """Return what runs all architectures of a space by one compiled program.

  Args:
    network: as in `children`.
    x: likewise.
    example: any index architecture, for its shapes.
    **settings: of `apply`.

  Returns:
    `(arch) -> run` of index architectures, which compiles nothing.
  """
  variables = _weights(network, example, x)
  program = (
    jax.jit(
      lambda variables, arch, x: network.apply(variables, arch, x, **settings)
    )
    .lower(variables, example, x)
    .compile()
  )

  def run_of(arch):
    return lambda: jax.block_until_ready(program(variables, arch, x))

  return run_of


def variants(mask: Mask, base: Arch) -> list[Arch]:
  """Return an architecture and all that differ from it in one decision.

  Args:
    mask: pytree of `bool[D, K]`.
    base: pytree of `int32[D]`.

  Returns:
    `1 + sum_d (K_d - 1)` architectures, from which a table is fitted without
    random ones.
  """
  leaves, structure = jax.tree.flatten(jax.tree.map(np.asarray, base))
  archs = [structure.unflatten(leaves)]
  for i, allowed in enumerate(jax.tree.leaves(mask)):
    for decision, option in np.argwhere(allowed):
      if leaves[i][decision] != option:
        changed = leaves[i].copy()
        changed[decision] = option
        archs.append(
          structure.unflatten([*leaves[:i], changed, *leaves[i + 1 :]])
        )
  return archs


def errors(predicted: np.ndarray, measured: np.ndarray) -> dict[str, float]:
  """Return how far predicted latencies are from measured ones.

  Args:
    predicted: `[N]`, in the unit of the others.
    measured: `[N]`, above zero.

  Returns:
    Dict of 'mape' and 'median_ape' (mean and median absolute error over what
    was measured), 'rmse' in the unit, 'r2', 'kendall' and 'spearman'.
  """
  predicted, measured = np.float64(predicted), np.float64(measured)
  relative = np.abs(predicted - measured) / measured
  square = np.mean((predicted - measured) ** 2)
  return {
    'mape': float(np.mean(relative)),
    'median_ape': float(np.median(relative)),
    'rmse': float(np.sqrt(square)),
    'r2': float(1 - square / np.var(measured)),
    'kendall': float(stats.kendalltau(predicted, measured).statistic),
    'spearman': float(stats.spearmanr(predicted, measured).statistic),
  }
