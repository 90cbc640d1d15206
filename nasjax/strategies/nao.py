"""NAO: climb in the latent space of an encoder that also predicts.

R. Luo, F. Tian, T. Qin, E. Chen and T.-Y. Liu, Neural Architecture
Optimization, NeurIPS 2018, https://arxiv.org/abs/1808.07233, algorithm 1:

  pool <- n random architectures, evaluated
  repeat: fit encoder, predictor and decoder to the pool
          seeds <- the k best of the pool
          new <- decode(seeds moved along the predictor's gradient), evaluated,
                 added to the pool
  return the best architecture of the pool

The paper then trains the five best in full and chooses among those: that is the
evaluation phase of the launcher, on the architectures that the search keeps.

From the official code come the steps, the network and the optimiser. How many
architectures are evaluated, how many of them are seeds and how long the
autoencoder is fitted are ours, for tables of small cells: hundreds instead of a
thousand, and 1,000 steps instead of 1,000 epochs.

Deviations
  * Targets have mean 0 and variance 1, and no sigmoid follows: between 0 and 1,
    a few failures leave all good architectures no room. The published form is
    `network=networks.autoencoder.nao(vocabulary, bounded=True)`.
  * The pool only grows; with shared weights the official code drops its worst.
  * No copies of an architecture with the inputs of a node exchanged.
"""

from nasjax.estimators import autoencoder
from nasjax.networks import autoencoder as networks
from nasjax.spaces import sequences as spaces
from nasjax.strategies import latent_ascent, model_based
from nasjax.types import Space, Strategy


def nao(
  space: Space,
  sequences: spaces.Sequences | None = None,
  network: networks.Autoencoder | None = None,
  num_initial: int = 100,
  num_new: int = 50,
  capacity: int = 1000,
  num_seeds: int = 20,
  first_step: float = 1.0,
  increment: float = 1.0,
  max_steps: int = 50,
  num_steps: int = 1000,
  fit_batch_size: int = 100,
  trade_off: float = 0.8,
  warm_start: bool = False,
) -> Strategy:
  """Search by ascent in the latent space of an autoencoder.

  Args:
    space: the space.
    sequences: of the space; by default one token a decision, which suits
      spaces of independent choices.
    network: the autoencoder; by default `networks.autoencoder.nao`
      without its sigmoid.
    num_initial: n, a multiple of `num_new`.
    num_new: architectures evaluated in one update.
    capacity: architectures that are remembered.
    num_seeds: k (official: 100 of about 1,000).
    first_step: the first eta (official: 1, growing by 1; 10, growing by 10,
      three times, where every architecture is trained alone).
    increment: of eta.
    max_steps: values of eta (official: 50).
    num_steps: optimiser steps of a fit.
    fit_batch_size: architectures of one of them (official: 100).
    trade_off: weight of the prediction's loss (official: 0.8).
    warm_start: whether a fit continues from the last one.

  Returns:
    The strategy, whose proposals are of `num_new` architectures.

  Raises:
    ValueError: if the sizes do not fit, see `model_based`.

  References:
    Luo et al., 2018, https://arxiv.org/abs/1808.07233, algorithm 1.
  """
  sequences = sequences or spaces.categorical(space.mask)
  network = network or networks.nao(sequences.mask.shape[1], bounded=False)
  model = autoencoder.autoencoder(
    network,
    sequences,
    num_steps,
    fit_batch_size,
    trade_off,
    warm_start=warm_start,
  )
  propose = latent_ascent.latent_ascent(
    space,
    sequences,
    autoencoder.latent(network, sequences),
    num_new,
    num_seeds,
    first_step,
    increment,
    max_steps,
  )
  return model_based.model_based(
    space, model, propose, num_initial, num_new, capacity
  )
