"""SemiNAS: NAO whose predictor also learns from its own labels.

R. Luo, X. Tan, R. Wang, T. Qin, E. Chen and T.-Y. Liu, Semi-Supervised Neural
Architecture Search, NeurIPS 2020, https://arxiv.org/abs/2002.10389, algorithm
1:

  pool <- n random architectures, evaluated
  repeat: fit encoder, predictor and decoder to the pool
          others <- m random architectures, with predicted values
          fit again to both
          seeds <- the k best of both
          new <- decode(seeds moved along the predictor's gradient), evaluated,
                 added to the pool
  return the best architecture of the pool

Training the best ones in full is the evaluation phase of the launcher.

From the official code for NAS-Bench-101 come k, the steps, the network, the
optimiser and the factor of up-sampling; there n = 1,100, m = 10,000, and three
rounds add 300 each. Our smaller defaults keep about its share of random
architectures; m and the number of steps are scaled with them.

Deviations
  * All n initial architectures count. The official code keeps drawing until it
    has n that reach 90 % and does not count the others.
"""

from nasjax import archive
from nasjax.estimators import autoencoder, self_labelled
from nasjax.networks import autoencoder as networks
from nasjax.spaces import sequences as spaces
from nasjax.strategies import latent_ascent, model_based
from nasjax.types import Space, Strategy


def seminas(
  space: Space,
  sequences: spaces.Sequences | None = None,
  network: networks.Autoencoder | None = None,
  num_initial: int = 100,
  num_new: int = 50,
  capacity: int = 1000,
  num_unlabelled: int = 1000,
  up_sample: int = 10,
  num_seeds: int = 100,
  max_steps: int = 100,
  num_steps: int = 1000,
  num_extra_steps: int = 500,
  fit_batch_size: int = 100,
  trade_off: float = 0.8,
) -> Strategy:
  """Search by latent ascent with a model that labels architectures itself.

  Args:
    space: the space.
    sequences: of the space; by default one token a decision, which suits
      spaces of independent choices.
    network: the autoencoder; by default `networks.autoencoder.seminas`.
    num_initial: n, a multiple of `num_new`.
    num_new: architectures evaluated in one update.
    capacity: architectures that are remembered.
    num_unlabelled: m.
    up_sample: weight of an evaluated architecture in the second fit, those
      that the model labels having 1 (official: 10).
    num_seeds: k (official: 100).
    max_steps: values 1, 2, ... of eta (official: 100).
    num_steps: optimiser steps of the first fit.
    num_extra_steps: of the second.
    fit_batch_size: architectures of one of them (official: 100).
    trade_off: weight of the prediction's loss (official: 0.8).

  Returns:
    The strategy, whose proposals are of `num_new` architectures.

  Raises:
    ValueError: if the sizes do not fit, see `model_based`.

  References:
    Luo et al., 2020, https://arxiv.org/abs/2002.10389, algorithm 1.
  """
  sequences = sequences or spaces.categorical(space.mask)
  network = network or networks.seminas(sequences.mask.shape[1])

  def model(steps):
    return autoencoder.autoencoder(
      network, sequences, steps, fit_batch_size, trade_off, warm_start=True
    )

  ascend = latent_ascent.latent_ascent(
    space,
    sequences,
    autoencoder.latent(network, sequences),
    num_new,
    num_seeds,
    max_steps=max_steps,
  )

  def propose(key, state, told):
    pool = archive.join(told, state.unlabelled)
    return ascend(key, state.model, told, pool)

  return model_based.model_based(
    space,
    self_labelled.self_labelled(
      space, model(num_steps), model(num_extra_steps), num_unlabelled, up_sample
    ),
    propose,
    num_initial,
    num_new,
    capacity,
  )
