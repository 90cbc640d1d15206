"""Scores of estimators that are trained beforehand, in several runs.

A supernet scores a whole space once it is trained. As a `Joint` its training is
what untrained networks have as the draw of their weights: `experiments.score`
then ranks the space by it, each run a column beside the sizes of networks.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from nasjax import batching
from nasjax.estimators.zero_cost import proxy
from nasjax.types import Batch, Estimator, Key


def pretrained(
  estimator: Estimator,
  batches: Callable[[Key, jax.Array], Batch],
  num_steps: int,
  num_runs: int = 1,
) -> proxy.Joint:
  """Return the scores of an estimator after its training.

  Runs differ in first weights, batches and draws. Estimators of the same key
  see the same batches in the same order.

  Args:
    estimator: to be trained.
    batches: `(key, t) -> batch` of its updates.
    num_steps: T, updates.
    num_runs: R.

  Returns:
    Scores `0`, ..., `R - 1`; their `init` is the training of all runs.

  Raises:
    ValueError: if a number is not positive.
  """
  if num_steps < 1 or num_runs < 1:
    raise ValueError(f'No {num_runs} runs of {num_steps} steps.')

  def train(key):
    init_key, batch_key, step_key = jax.random.split(key, 3)
    steps = jnp.arange(num_steps)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(step_key, steps)

    def step(state, inputs):
      t, key = inputs
      return estimator.update(key, state, batches(batch_key, t))[0], None

    return jax.lax.scan(step, estimator.init(init_key), (steps, keys))[0]

  def init(key, arch):
    del arch  # the training is that of all architectures
    return batching.map_archs(train, jax.random.split(key, num_runs))

  def raw(key, states, arch):
    found = jax.lax.map(lambda s: estimator.score(key, s, arch), states)
    return {str(r): found[r] for r in range(num_runs)}

  attributes = {
    str(r): dict(sign=1, norm='batch', failure=jnp.nan, paper='a training')
    for r in range(num_runs)
  }
  return proxy.joint(init, raw, attributes)
