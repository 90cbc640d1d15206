"""Two paths at a time: the memory-saving mode of ProxylessNAS.

H. Cai, L. Zhu and S. Han, ProxylessNAS: Direct Neural Architecture Search on
Target Task and Hardware, ICLR 2019, https://arxiv.org/abs/1812.00332, section
3.2: two operations of every decision are drawn by p = softmax(alpha), without
replacement; one of the two is used, drawn by q = softmax of their two logits;
the gradient is that of a decision between the two,

  dL / d alpha_k = q_k (c_k - q . c)        for the two, 0 for the others.

After the step both logits are shifted by one constant, such that their joint
probability is what it was and the others keep theirs (`keep_share`).

Deviations
  * The code of the authors drops the gradient where the operation in use is the
    zero operation; here it is like any other.
"""

import jax
from jax import lax
import jax.numpy as jnp
import optax

from nasjax.distributions import logits as logits_lib
from nasjax.distributions import softmax
from nasjax.types import Arch, Distribution, Key, Params, Space


def _draw_pair(key, logits):
  """Return which two choices of each row are drawn, `bool[..., K]`.

  The largest two of logits with Gumbel noise are two draws without replacement.
  """
  noisy = logits + jax.random.gumbel(key, logits.shape)
  num_choices = logits.shape[-1]
  _, drawn = lax.top_k(noisy, min(2, num_choices))
  return jax.nn.one_hot(drawn, num_choices).sum(-2) > 0


def two_path(
  space: Space,
  init_scale: float = 1e-3,
  derive: logits_lib.Derive | None = None,
) -> Distribution:
  """Return one-hot samples that compare two operations of each decision.

  The params are the logits alpha, `f32[D, K]` for each leaf of `space.mask`.

  Args:
    space: the space; choices that its mask forbids are never drawn.
    init_scale: standard deviation of the first logits.
    derive: `(weights) -> arch`, the rule of `mode`; by default the largest
      weight of each decision.

  Returns:
    The distribution. Unlike in `one_hot` an operation is not used with its
    probability p: the first of the two draws has it, the pair does not.
    `log_prob` is that of p. Wrap the optimiser in `keep_share`.

  References:
    ProxylessNAS, https://arxiv.org/abs/1812.00332, section 3.2.1.
  """
  relaxation = softmax.softmax(space, init_scale, derive)

  def of_leaf(key, logits):
    pair_key, key = jax.random.split(key)
    pair = jnp.where(_draw_pair(pair_key, logits), logits, -jnp.inf)
    used = jax.random.categorical(key, pair)
    drawn = jax.nn.one_hot(used, logits.shape[-1], dtype=logits.dtype)
    return logits_lib.straight_through(drawn, jax.nn.softmax(pair))

  def sample(key: Key, params: Params) -> Arch:
    logits = logits_lib.apply_mask(params, space.mask)
    leaves, structure = jax.tree.flatten(logits)
    keys = jax.random.split(key, len(leaves))
    return structure.unflatten([of_leaf(*pair) for pair in zip(keys, leaves)])

  return relaxation._replace(sample=sample)


def keep_share(
  optimizer: optax.GradientTransformation,
) -> optax.GradientTransformation:
  """Keep the joint probability of the logits that have a gradient.

  Of each decision `alpha[..., K]` only entries with a gradient other than zero
  move, whatever momentum and weight decay say of the others, and the moved ones
  are shifted by

    -log(sum exp(alpha_new) / sum exp(alpha_old)),

  so all other choices keep their probabilities.

  Args:
    optimizer: of logits.

  Returns:
    The optimiser with this rule around it.

  References:
    ProxylessNAS, https://arxiv.org/abs/1812.00332, section 3.2.1.
  """

  def shift(gradient, update, logits):
    moved = gradient != 0
    update = jnp.where(moved, update, 0)
    old, new = (
      jax.nn.logsumexp(rows, -1, where=moved, keepdims=True)
      for rows in (logits, logits + update)
    )
    # Of a decision that does not move both are -inf.
    return jnp.where(moved, update - jnp.where(moved, new - old, 0), 0)

  def update(gradient, state, params=None, **kwargs):
    updates, state = optimizer.update(gradient, state, params, **kwargs)
    return jax.tree.map(shift, gradient, updates, params), state

  return optax.GradientTransformationExtraArgs(optimizer.init, update)
