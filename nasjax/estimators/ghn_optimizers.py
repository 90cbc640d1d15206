"""How the authors of graph hypernetworks train them."""

import optax


def adam(
  num_steps: int,
  learning_rate: float = 1e-3,
  weight_decay: float = 1e-5,
  clip: float = 5.0,
) -> optax.GradientTransformation:
  """Return Adam whose rate falls to a tenth after 2/3 and after 5/6 of steps.

  The defaults are those of GHN-2.

  Args:
    num_steps: of all.
    learning_rate: of the first steps.
    weight_decay: L2 coefficient.
    clip: largest norm of a gradient.

  Returns:
    The optimiser.
  """
  falls = {num_steps * 2 // 3: 0.1, num_steps * 5 // 6: 0.1}
  return optax.chain(
    optax.clip_by_global_norm(clip),
    optax.add_decayed_weights(weight_decay),
    optax.adam(optax.piecewise_constant_schedule(learning_rate, falls)),
  )


def adamw(
  num_steps: int,
  learning_rate: float = 4e-4,
  weight_decay: float = 1e-2,
  clip: float = 5.0,
  warmup: float = 1 / 15,
) -> optax.GradientTransformation:
  """Return AdamW whose rate grows at first, then follows a cosine.

  The defaults are those of GHN-3, whose rate starts from 1e-5 and grows for 5
  of 75 epochs.

  Args:
    num_steps: of all.
    learning_rate: the largest.
    weight_decay: share of the weights that is taken off, times the rate.
    clip: largest norm of a gradient.
    warmup: share of the steps in which the rate grows.

  Returns:
    The optimiser.

  References:
    Knyazev et al., Can We Scale Transformers to Predict Parameters of Diverse
    ImageNet Models?, ICML 2023, https://arxiv.org/abs/2303.04143.
  """
  rate = optax.warmup_cosine_decay_schedule(
    learning_rate / 40, learning_rate, round(num_steps * warmup), num_steps
  )
  return optax.chain(
    optax.clip_by_global_norm(clip),
    optax.adamw(rate, weight_decay=weight_decay),
  )
