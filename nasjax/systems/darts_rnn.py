"""DARTS for recurrent cells: bilevel descent on a language model.

Liu, Simonyan, Yang, DARTS: Differentiable Architecture Search, 2019,
https://arxiv.org/abs/1806.09055: sections 2.4 (derivation), 3.1.2 and A.1.2
(the search on Penn Treebank).

  alpha <- alpha - Adam(g)
  g      = grad_alpha L_val(w', alpha) - xi k (d^2 L_train / da dw) v
  w      = w' = w - xi (k grad_w L_train(w, alpha) + lambda w)

with `xi` in proportion to the length of the piece of text, without momentum;
`k = min(1, 0.25 / |grad_w L_train|)` is taken as a constant, and
`v = grad_w' L_val`, clipped to the same norm. Training and validation text each
have hidden states that pass from one piece to the next. Training terms have
temporal activation regularisation, the validation loss has none. With
`searches.prime` it is DARTS-PRIME (https://arxiv.org/abs/2106.11655).

Deviations
  * In the authors' program the factor k of the Hessian product is not cut at
    1, and so enlarges it where the gradient is short; and the training loss of
    the product lacks the regularisation.
  * The Hessian product is exact by default; the published one is
    `hypergradients.finite_difference()`.
  * Normalisation uses the statistics of the batch, without running averages.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nasjax.distributions import softmax
from nasjax.estimators import averaged_sgd
from nasjax.networks import loss as losses
from nasjax.searches import bilevel, hypergradients
from nasjax.searches import prime as prime_lib
from nasjax.spaces import rnn_cell
from nasjax.types import Arch, Search, Space


def _clip_cotangent(tree, max_norm):
  """Return a tree whose gradient is clipped to a global norm."""

  @jax.custom_vjp
  def identity(tree, max_norm):
    del max_norm
    return tree

  def backward(max_norm, gradient):
    clip = optax.clip_by_global_norm(max_norm)
    gradient, _ = clip.update(gradient, clip.init(gradient))
    return gradient, jnp.zeros_like(max_norm)

  identity.defvjp(lambda tree, max_norm: (tree, max_norm), backward)
  return identity(tree, jnp.asarray(max_norm))


def darts_rnn(
  space: Space,
  network: Any,
  batch_size: int,
  bptt: int = 35,
  *,
  hypergradient: hypergradients.Hypergradient | None = None,
  learning_rate: float = 20.0,
  weight_decay: float = 5e-7,
  max_norm: float = 0.25,
  arch_learning_rate: float = 3e-3,
  arch_weight_decay: float = 1e-3,
  activation_weight: float = 0.0,
  temporal_weight: float = 1e-3,
  init_scale: float = 1e-3,
  derive: Callable[[Arch], Arch] | None = rnn_cell.derive,
  prime: prime_lib.Improvements | None = None,
) -> Search:
  """Search by gradient descent on mixtures of functions in a recurrent cell.

  Args:
    space: of cells, `spaces.rnn_cell.rnn_cell`.
    network: a `LanguageModel` whose cell normalises.
    batch_size: B of both parts (paper: 256).
    bptt: usual length of a piece of text (paper: 35).
    hypergradient: from `hypergradients`; None for `exact`, the second order.
    learning_rate: xi, of the weights for a piece of usual length (paper: 20).
    weight_decay: lambda, of the weights (paper: 5e-7).
    max_norm: global norm to which weight gradients, and v, are clipped (paper:
      0.25).
    arch_learning_rate: of Adam on alpha (paper: 3e-3).
    arch_weight_decay: L2 coefficient of alpha (paper: 1e-3).
    activation_weight: of activation regularisation (paper: 0).
    temporal_weight: of temporal activation regularisation (paper: 1e-3).
    init_scale: standard deviation of the first alpha (authors' program: 1e-3).
    derive: `(probabilities) -> arch`; None for the strongest choice of every
      decision.
    prime: the improvements of DARTS-PRIME, whose distribution takes the place
      of `init_scale` and `derive`; None for DARTS.

  Returns:
    A search whose batches are `dict(train=..., valid=...)`, each as from
    `data.text_streams.text_batches`.

  References:
    DARTS, https://arxiv.org/abs/1806.09055, algorithm 1 and section A.1.2.
  """
  prime = prime or prime_lib.Improvements(
    softmax.softmax(space, init_scale, derive),
    optax.identity(),
    penalty=None,
    anneal=None,
    arch_schedule=None,
  )
  distribution = prime.distribution
  entropy = losses.language_loss(network)

  def valid_loss(weights, arch, key, batch):
    return entropy(_clip_cotangent(weights, max_norm), arch, key, batch)

  def init_params(key):
    arch = distribution.sample(key, distribution.init(key))
    tokens = jnp.zeros((batch_size, 1), jnp.int32)
    hidden = network.initial(batch_size)
    return jax.jit(network.init)(key, arch, tokens, hidden)['params']

  return bilevel.bilevel(
    losses.language_loss(network, activation_weight, temporal_weight),
    init_params,
    distribution,
    averaged_sgd.clipped_sgd(learning_rate, max_norm, weight_decay, bptt),
    optax.chain(
      prime.transform,
      optax.add_decayed_weights(arch_weight_decay),
      optax.adam(arch_learning_rate),
    ),
    hypergradient or hypergradients.exact(),
    penalty=prime.penalty,
    anneal=prime.anneal,
    arch_schedule=prime.arch_schedule,
    valid_loss=valid_loss,
    carry=network.initial(batch_size),
  )
