"""Curvature of the validation loss, and the rule that stops a search by it.

Zela, Elsken, Saikia, Marrakchi, Brox, Hutter, Understanding and Robustifying
Differentiable Architecture Search, 2020, https://arxiv.org/abs/1909.09656:
the dominant eigenvalue of the Hessian with respect to the architecture
parameters (section 4) and early stopping (DARTS-ES, section 5).

Deviations:
  The authors' program adds the weight decay of the architecture parameters to
  the Hessian. Here the Hessian is that of the given loss: add the decay to the
  eigenvalue to compare.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import flatten_util, lax
import jax.numpy as jnp

from nasjax.types import Arch, Batch, Distribution, Key, Metrics, Params


class Stop(NamedTuple):
  """The decision of the stop rule; epochs count from 0."""

  stopped: jax.Array  # bool[]
  detected: jax.Array  # i32[] epoch whose eigenvalue fired it
  epoch: jax.Array  # i32[] epoch whose architecture to return


def hessian_product(
  function: Callable[[Params], jax.Array], point: Params
) -> Callable[[Params], Params]:
  """Return `v -> H v` with the Hessian of a scalar function at a point.

  Reverse over reverse, because custom vjps have no forward mode. The function
  is evaluated once, however many products follow.

  Args:
    function: scalar function of a pytree.
    point: pytree at which the Hessian is taken.

  Returns:
    A function from a pytree like `point` to another.
  """
  _, pull_back = jax.vjp(jax.grad(function), point)
  return lambda vector: pull_back(vector)[0]


def dominant_eigenvalue(
  key: Key,
  loss: Callable[[Params], jax.Array],
  arch_params: Params,
  num_steps: int = 32,
) -> jax.Array:
  """Return the largest signed eigenvalue of a Hessian, by Lanczos iteration.

  All architecture parameters count as one vector. As many steps as parameters
  give the eigenvalue to rounding; fewer give a lower bound that is close when
  the eigenvalue stands apart.

  Args:
    key: for the first vector.
    loss: validation loss on one batch as a function of the parameters.
    arch_params: where the Hessian is taken.
    num_steps: number of Hessian products.

  Returns:
    `f32[]`.

  References:
    Zela et al., 2020, section 4.
  """
  point, unravel = flatten_util.ravel_pytree(arch_params)
  product = hessian_product(lambda flat: loss(unravel(flat)), point)
  num_steps = min(num_steps, point.size)
  start = jax.random.normal(key, point.shape, point.dtype)
  tolerance = 100 * jnp.finfo(point.dtype).eps

  def step(carry, i):
    basis, vector, scale = carry
    basis = basis.at[i].set(vector)
    image = product(vector)
    diagonal = jnp.sum(vector * image)
    scale = jnp.maximum(scale, jnp.linalg.norm(image))
    for _ in range(2):  # once loses orthogonality to rounding
      image = image - (basis @ image) @ basis
    norm = jnp.linalg.norm(image)
    alive = norm > tolerance * scale
    vector = jnp.where(alive, image / jnp.where(alive, norm, 1), 0)
    return (basis, vector, scale), (diagonal, jnp.where(alive, norm, 0))

  basis = jnp.zeros((num_steps, point.size), point.dtype)
  _, (diagonal, off_diagonal) = lax.scan(
    step,
    (basis, start / jnp.linalg.norm(start), jnp.zeros((), point.dtype)),
    jnp.arange(num_steps),
  )
  # Once the vectors span an invariant space the rest is empty; a repeated
  # Rayleigh quotient keeps its zeros from posing as eigenvalues.
  empty = jnp.cumsum(off_diagonal == 0)[:-1] > 0
  diagonal = diagonal.at[1:].set(jnp.where(empty, diagonal[0], diagonal[1:]))
  upper = jnp.diag(off_diagonal[:-1], 1)
  return jnp.linalg.eigvalsh(jnp.diag(diagonal) + upper + upper.T)[-1]


def curvature(
  loss: Callable[[Params, Arch, Key, Batch], tuple[jax.Array, Metrics]],
  distribution: Distribution,
  batches: Callable[[Key, jax.Array], Batch],
  num_steps: int = 32,
) -> Callable[[Key, Any], Metrics]:
  """Return the measurement of a search's curvature, on one batch for ever.

  For `run.epochs`. The batch and the draws of the loss are the same each time,
  so that epochs differ by the search alone.

  Args:
    loss: that of the search, `(weights, arch, key, batch) -> (f32[], metrics)`.
    distribution: that of the search.
    batches: `(key, t) -> batch` of validation examples; the first is taken.
    num_steps: Hessian products, see `dominant_eigenvalue`.

  Returns:
    `(key, state) -> dict(dominant_eigenvalue, monitor_loss)` for states with
    `weights` and `arch_params`, as those of `bilevel`.

  References:
    Zela et al., 2020, section 4.
  """
  batch = batches(jax.random.key(0), 0)

  def observe(key, state):
    sample_key, loss_key = jax.random.split(jax.random.key(0))

    def of_arch(arch_params):
      arch = distribution.sample(sample_key, arch_params)
      return loss(state.weights, arch, loss_key, batch)[0]

    return {
      'dominant_eigenvalue': dominant_eigenvalue(
        key, of_arch, state.arch_params, num_steps
      ),
      'monitor_loss': of_arch(state.arch_params),
    }

  return observe


def early_stop(
  eigenvalues: jax.Array,
  window: int = 5,
  factor: float = 1.3,
  distance: int = 4,
  first_epoch: int = 10,
) -> Stop:
  """Decide whether the eigenvalues seen so far have grown too fast.

  With epochs counted from 0 and `A(c)` the mean over the `window` epochs
  centred on c, the rule fires at the first epoch e whose centre
  `c = e - floor(window / 2)` has

    A(c) / A(c - distance) > factor    and    c - distance >= first_epoch,

  and returns the architecture of epoch `c - distance`. The window looks ahead,
  so the decision comes `floor(window / 2)` epochs after its centre. Eigenvalues
  are taken to be positive.

  Args:
    eigenvalues: `[E]` the dominant eigenvalue after each epoch.
    window: odd number of epochs averaged (paper: 5).
    factor: largest growth allowed (paper: 1.3).
    distance: epochs between the two averages (paper: 4).
    first_epoch: earliest epoch to go back to (paper: 10).

  Returns:
    The decision. A rule that has not fired names the last epoch twice.

  Raises:
    ValueError: if the window is not odd.

  References:
    Zela et al., 2020, section 5.1.
  """
  if window < 1 or window % 2 == 0:
    raise ValueError(f'window must be odd, got {window}.')
  eigenvalues = jnp.asarray(eigenvalues)
  last = jnp.asarray(len(eigenvalues) - 1, jnp.int32)
  if len(eigenvalues) < window + distance:
    return Stop(jnp.asarray(False), last, last)
  half = window // 2
  num_means = len(eigenvalues) - window + 1
  means = sum(eigenvalues[i : i + num_means] for i in range(window)) / window
  epochs = jnp.arange(len(means) - distance, dtype=jnp.int32) + half
  fires = means[distance:] / means[:-distance] > factor
  fires &= epochs >= first_epoch
  stopped = fires.any()
  epoch = epochs[jnp.argmax(fires)]
  return Stop(
    stopped,
    jnp.where(stopped, epoch + distance + half, last),
    jnp.where(stopped, epoch, last),
  )
