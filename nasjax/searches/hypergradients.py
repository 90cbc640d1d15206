"""Gradients of a validation loss through the training of the weights.

With weights `w`, architecture parameters `a` and one optimiser step `w'`,

  dL_val(w'(a), a) / da = grad_a L_val + (dw'/da)^T grad_w' L_val

`first_order` drops the second term; `exact`, `finite_difference` and `unrolled`
differ in how they compute it; `neumann` and `conjugate_gradient` replace `w'`
by the minimum of the training loss (implicit function theorem).

All factories return one `Hypergradient`, a function

  (train_loss, valid_loss, weights, arch_params, optimizer, optimizer_state)
    -> ((value, aux), gradient)

of `train_loss(weights, arch_params) -> f32[]`, of
`valid_loss(weights, arch_params) -> (f32[], aux)` and of the optax optimiser of
the weights with its current state. `value` and `aux` belong to the weights at
which the validation loss was differentiated.

References:
  Liu, Simonyan, Yang, DARTS: Differentiable Architecture Search, 2019,
  https://arxiv.org/abs/1806.09055, equations 5 to 8.
  Lorraine, Vicol, Duvenaud, Optimizing Millions of Hyperparameters by Implicit
  Differentiation, 2020, https://arxiv.org/abs/1911.02590.

Deviations:
  The learning rate xi, momentum and weight decay are those of the optimiser,
  whatever it is: `w'` is one call of its `update`.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp
import optax

from nasjax.types import Params

Hypergradient = Callable[..., tuple[tuple[jax.Array, Any], Params]]


def _step(optimizer, gradient, state, weights):
  updates, state = optimizer.update(gradient, state, weights)
  return optax.apply_updates(weights, updates), state


def _at(valid_loss, weights, arch_params):
  """Return the validation loss and its two partial gradients."""
  result, (cotangent, direct) = jax.value_and_grad(
    valid_loss, (0, 1), has_aux=True
  )(weights, arch_params)
  return result, cotangent, direct


def _implicit(solve):
  """Differentiate the minimiser of the training loss at the given weights."""

  def hypergradient(
    train_loss, valid_loss, weights, arch_params, optimizer, optimizer_state
  ):
    del optimizer, optimizer_state
    result, cotangent, direct = _at(valid_loss, weights, arch_params)
    _, pull_back = jax.vjp(jax.grad(train_loss), weights, arch_params)
    inverse = solve(lambda vector: pull_back(vector)[0], cotangent)
    return result, optax.tree.sub(direct, pull_back(inverse)[1])

  return hypergradient


def first_order() -> Hypergradient:
  """Return the partial gradient at the current weights: xi = 0.

  References:
    Liu et al., 2019, section 2.3, first-order approximation.
  """

  def hypergradient(
    train_loss, valid_loss, weights, arch_params, optimizer, optimizer_state
  ):
    del train_loss, optimizer, optimizer_state
    return jax.value_and_grad(valid_loss, 1, has_aux=True)(weights, arch_params)

  return hypergradient


def exact() -> Hypergradient:
  """Return the gradient through one optimiser step, by a Hessian product.

    g = grad_a L_val(w', a) - xi (d^2 L_train / da dw) grad_w' L_val(w', a)

  The training gradient is evaluated once, for `w'` and for the product.

  References:
    Liu et al., 2019, equation 7.
  """

  def hypergradient(
    train_loss, valid_loss, weights, arch_params, optimizer, optimizer_state
  ):
    gradient, pull_back = jax.vjp(
      lambda arch_params: jax.grad(train_loss)(weights, arch_params),
      arch_params,
    )
    unrolled_weights, pull_back_step = jax.vjp(
      lambda gradient: _step(optimizer, gradient, optimizer_state, weights)[0],
      gradient,
    )
    result, cotangent, direct = _at(valid_loss, unrolled_weights, arch_params)
    (indirect,) = pull_back(*pull_back_step(cotangent))
    return result, optax.tree.add(direct, indirect)

  return hypergradient


def finite_difference(radius: float = 0.01) -> Hypergradient:
  """Return the gradient through one step by central differences, as published.

    (d^2 L_train / da dw) v ~ (grad_a L_train(w + R v, a)
                               - grad_a L_train(w - R v, a)) / 2R,

  `R = radius / |v|` with the norm over all tensors. It approaches `exact` for
  smooth networks alone: across the kinks of a ReLU the difference measures
  another quantity.

  Args:
    radius: length of the step in weight space (paper: 0.01).

  References:
    Liu et al., 2019, equation 8.
  """

  def hypergradient(
    train_loss, valid_loss, weights, arch_params, optimizer, optimizer_state
  ):
    gradient = jax.grad(train_loss)(weights, arch_params)
    unrolled_weights, pull_back_step = jax.vjp(
      lambda gradient: _step(optimizer, gradient, optimizer_state, weights)[0],
      gradient,
    )
    result, cotangent, direct = _at(valid_loss, unrolled_weights, arch_params)
    (vector,) = pull_back_step(
      cotangent
    )  # -xi v for stochastic gradient descent
    norm = optax.tree.norm(vector)
    scale = radius / jnp.maximum(norm, jnp.finfo(norm.dtype).tiny)
    above, below = (
      jax.grad(train_loss, 1)(
        optax.tree.add_scale(weights, sign * scale, vector), arch_params
      )
      for sign in (1, -1)
    )
    indirect = optax.tree.scale(1 / (2 * scale), optax.tree.sub(above, below))
    return result, optax.tree.add(direct, indirect)

  return hypergradient


def unrolled(num_steps: int) -> Hypergradient:
  """Return the gradient through several optimiser steps on the same batch.

  Every step is recomputed in the backward pass, so memory holds `num_steps`
  copies of the weights and one step's activations.

  Args:
    num_steps: number of optimiser steps; 1 is the quantity of `exact`.

  Raises:
    ValueError: if there is no step.
  """
  if num_steps < 1:
    raise ValueError(f'num_steps must be at least 1, got {num_steps}.')

  def hypergradient(
    train_loss, valid_loss, weights, arch_params, optimizer, optimizer_state
  ):

    def loss(arch_params):

      @jax.checkpoint
      def step(carry, _):
        weights, state = carry
        gradient = jax.grad(train_loss)(weights, arch_params)
        return _step(optimizer, gradient, state, weights), None

      (unrolled_weights, _), _ = lax.scan(
        step, (weights, optimizer_state), length=num_steps
      )
      return valid_loss(unrolled_weights, arch_params)

    return jax.value_and_grad(loss, has_aux=True)(arch_params)

  return hypergradient


def neumann(num_terms: int, learning_rate: float) -> Hypergradient:
  """Return the implicit gradient with a truncated inverse Hessian.

    H^-1 v ~ eta sum_{j < num_terms} (I - eta H)^j v

  Args:
    num_terms: number of terms of the series.
    learning_rate: eta, below 2 / (largest eigenvalue of H) to converge.

  References:
    Lorraine et al., 2020, algorithm 3.
  """

  def solve(product, vector):

    def add_term(carry, _):
      term, total = carry
      term = optax.tree.add_scale(term, -learning_rate, product(term))
      return (term, optax.tree.add(total, term)), None

    (_, total), _ = lax.scan(add_term, (vector, vector), length=num_terms - 1)
    return optax.tree.scale(learning_rate, total)

  return _implicit(solve)


def conjugate_gradient(num_steps: int, damping: float = 0.0) -> Hypergradient:
  """Return the implicit gradient with conjugate-gradient solves.

  Args:
    num_steps: largest number of steps of the solver, which stops earlier at a
      relative residual of 1e-10.
    damping: `(H + damping I)^-1` stands for the inverse Hessian: the weight
      decay of the optimiser, or more where the loss is not convex.
  """

  def solve(product, vector):
    solution, _ = jax.scipy.sparse.linalg.cg(
      lambda v: optax.tree.add_scale(product(v), damping, v),
      vector,
      maxiter=num_steps,
      tol=1e-10,
    )
    return solution

  return _implicit(solve)
