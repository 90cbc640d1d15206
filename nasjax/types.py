"""The five protocols that everything in nasjax implements or consumes.

A method is a factory: its arguments are the paper's hyper-parameters, its
result one of these named tuples of pure functions. Close over a protocol, never
pass it through `jax.jit` (its fields are functions, not arrays).

Conventions
  * `key` comes first, then `state`, then data; keys are typed
    (`jax.random.key`).
  * Higher scores are better. A score that is not finite never wins.
  * A function takes one architecture unless its argument is called `archs`,
    which has a leading axis B.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

Key = jax.Array  # a typed PRNG key
Arch = Any  # pytree of choices: one leaf a group of D decisions, see choice.py
Mask = Any  # pytree of bool[D, K]: the choices that a space allows
Params = Any  # pytree of float arrays
State = Any  # pytree of arrays: all that a run must store to be resumed
Batch = Any  # pytree of arrays
Metrics = dict[str, jax.Array]


class Space(NamedTuple):
  """A set of architectures.

  Attributes:
    sample: `(key) -> arch`, uniform unless stated, always inside the space.
    mutate: `(key, arch) -> arch` with one decision changed; never the same
      architecture.
    encode: `(arch) -> f32[F]`, features of any form of architecture;
      differentiable for relaxed ones.
    index: `(i) -> arch`, the i-th of `size` architectures, or None where the
      space cannot be enumerated.
    size: number of architectures, or None when it is not known.
    mask: pytree of `bool[D, K]`, the choices of every decision; its shapes are
      what distributions and encodings are built from.
    restrict: `(mask) -> space`, the subspace of the choices that both masks
      allow.
  """

  sample: Callable[[Key], Arch]
  mutate: Callable[[Key, Arch], Arch]
  encode: Callable[[Arch], jax.Array]
  index: Callable[[jax.Array], Arch] | None
  size: int | None
  mask: Mask
  restrict: Callable[[Mask], 'Space']


class Distribution(NamedTuple):
  """A distribution over architectures: a relaxation or a controller.

  Attributes:
    init: `(key) -> params`.
    sample: `(key, params) -> arch`, relaxed (differentiable) or index choices.
    log_prob: `(params, arch) -> f32[]` of an index architecture.
    mode: `(params) -> arch`, the derived architecture, as index choices.
  """

  init: Callable[[Key], Params]
  sample: Callable[[Key, Params], Arch]
  log_prob: Callable[[Params, Arch], jax.Array]
  mode: Callable[[Params], Arch]


class Estimator(NamedTuple):
  """A score of architectures that may have to be learned.

  Attributes:
    init: `(key) -> state`.
    update: `(key, state, batch) -> (state, metrics)`.
    score: `(key, state, arch) -> f32[]`, higher is better. Estimators that can
      spend less take `fidelity` (default: full) as a keyword.
  """

  init: Callable[[Key], State]
  update: Callable[[Key, State, Batch], tuple[State, Metrics]]
  score: Callable[..., jax.Array]


class Proposal(NamedTuple):
  """Architectures that a strategy wants evaluated."""

  archs: Arch  # [B, ...]
  fidelity: jax.Array  # f32[B] budget to spend on each, 1 when unused


class Strategy(NamedTuple):
  """Black-box search by ask and tell.

  Attributes:
    init: `(key) -> state`.
    ask: `(key, state) -> (proposal, state)`.
    tell: `(key, state, proposal, values) -> (state, metrics)` with `values`
      `[B]`, or `[B, M]` for M objectives; may come late and out of order.
  """

  init: Callable[[Key], State]
  ask: Callable[[Key, State], tuple[Proposal, State]]
  tell: Callable[[Key, State, Proposal, jax.Array], tuple[State, Metrics]]


class Search(NamedTuple):
  """A complete method: what every system returns and the launcher runs.

  Attributes:
    init: `(key) -> state`.
    update: `(key, state, batch) -> (state, metrics)`, one step.
    best: `(key, state) -> arch`, the architecture found so far, as index
      choices.
  """

  init: Callable[[Key], State]
  update: Callable[[Key, State, Batch], tuple[State, Metrics]]
  best: Callable[[Key, State], Arch]
