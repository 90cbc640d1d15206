"""The policy of a recurrent controller over the decisions of a space.

H. Pham, M. Guan, B. Zoph, Q. Le and J. Dean, Efficient Neural Architecture
Search via Parameter Sharing, ICML 2018, https://arxiv.org/abs/1802.03268,
section 2.2: `pi(a) = prod_d pi(a_d | a_1, ..., a_(d-1))`. Decisions follow each
other in the order of the leaves of the space's mask (names sorted), row by row.

Deviations
  * Decisions of any leaf are an operation among K; the controller of the paper
    has another head, attention, for the choice of an input.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from nasjax.distributions import logits as logits_lib
from nasjax.networks import controller as controller_lib
from nasjax.spaces import decisions
from nasjax.types import Arch, Key, Params, Space


class Controller(NamedTuple):
  """A `Distribution` that also tells the logits of every decision.

  Attributes:
    init: see `types.Distribution`.
    sample: see there; index choices.
    log_prob: see there.
    mode: see there. The greedy choices, of which the first is the likeliest by
      itself; no sum over the later ones is taken.
    conditionals: `(params, arch) -> logits`, pytree of `f32[D, K]`, those of
      every decision given the architecture's choices before it. Their
      `logits.entropy` is the entropy along the architecture: its mean over
      samples is the entropy of the policy.
  """

  init: Callable[[Key], Params]
  sample: Callable[[Key, Params], Arch]
  log_prob: Callable[[Params, Arch], jax.Array]
  mode: Callable[[Params], Arch]
  conditionals: Callable[[Params, Arch], Params]


def _groups(space):
  """Return the number of the leaf of each decision."""
  sizes = [leaf[..., 0].size for leaf in jax.tree.leaves(space.mask)]
  return tuple(np.repeat(np.arange(len(sizes)), sizes).tolist())


def controller(
  space: Space,
  features: int = 32,
  num_layers: int = 2,
  temperature: float = 5.0,
  tanh_constant: float | None = 2.5,
) -> Controller:
  """Return the policy of an LSTM that makes one decision after another.

  The defaults are those of NATS-Bench for ENAS. ENAS's own search of cells has
  no temperature, and for operations a tanh constant of 1.1 / 2.5.

  Args:
    space: a space of independent choices; choices that its mask forbids are
      never drawn, and the decisions of one leaf share a head.
    features: width of the LSTM and of the embeddings of choices.
    num_layers: of the LSTM.
    temperature: tau: logits are divided by it.
    tanh_constant: c: logits are `c tanh(l / tau)`, so that no choice is more
      than `exp(2 c)` times as likely as another; None for none.

  Returns:
    The distribution; its params are the weights of `networks.Controller`.

  References:
    ENAS, https://arxiv.org/abs/1802.03268, section 2.2.
  """
  allowed = decisions.join_masks(space.mask)
  silence = np.zeros(allowed.shape, np.float32)
  network = controller_lib.Controller(
    _groups(space), features, num_layers, temperature, tanh_constant
  )

  def init(key):
    # Eagerly a linen init takes seconds.
    return jax.jit(network.init)(key, allowed, silence)['params']

  def choose(params, noise):
    choices, _ = network.apply({'params': params}, allowed, noise)
    return decisions.split(choices, space.mask)

  def sample(key, params):
    return choose(params, jax.random.gumbel(key, allowed.shape))

  def conditionals(params, arch):
    choices = decisions.join(logits_lib.indices(arch, space.mask))
    _, rows = network.apply({'params': params}, allowed, silence, choices)
    return decisions.split_rows(rows, space.mask)

  def log_prob(params, arch):
    return logits_lib.log_prob(conditionals(params, arch), arch)

  def mode(params):
    return choose(params, silence)

  return Controller(init, sample, log_prob, mode, conditionals)
