"""How strongly a search weighs every option, in one form for all searches.

A snapshot (config.snapshot) of any of the differentiable searches: the mixture
that its alphas stand for, `f32[E, K]` by leaf, whatever state they lie in.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from nasjax.distributions import clipped, dirichlet, edge_normalised
from nasjax.searches import phases, progressive, stopping
from nasjax.spaces import genotypes
from nasjax.systems import darts_pt, r_darts
from nasjax.types import Arch, Mask, Params, State

ACTIVATIONS = ('softmax', 'sigmoid', 'dirichlet')


def current(state: State) -> tuple[Params, Mask | None]:
  """Return the alphas that a search has now, and what they may choose among.

  Of a search in stages they are those of the last stage that has begun, of
  several searches at once those of the best one.

  Args:
    state: of one search.

  Returns:
    Parameters of a distribution, and pytree of `bool[E, K]`, or None where all
    options are left.
  """
  if isinstance(state, phases.Phases):
    return current(state.second)[0], state.first.mask
  if isinstance(state, progressive.Progress):
    begun = sum((stage.step > 0).astype(jnp.int32) for stage in state.stages)
    last = jnp.maximum(begun - 1, 0)
    pick = lambda *leaves: jnp.stack(leaves)[last]
    alphas = [stage.arch_params for stage in state.stages]
    return jax.tree.map(pick, *alphas), jax.tree.map(pick, *state.masks)
  if isinstance(state, stopping.State):
    return current(state.search)
  if isinstance(state, darts_pt.State):
    return state.search.arch_params, state.mask
  if isinstance(state, r_darts.State):
    leader = jnp.argmax(state.values)
    return jax.tree.map(lambda x: x[leader], state.searches.arch_params), None
  return state.arch_params, None


def _activate(leaf, activation, none):
  """Weights of options; those that do not compete have no weight of none."""
  if activation == 'softmax':
    return jax.nn.softmax(leaf)
  if activation == 'dirichlet':
    weights = dirichlet.concentration(leaf)
    return weights / jnp.sum(weights, -1, keepdims=True)
  return jax.nn.sigmoid(leaf).at[..., none].set(0.0)


def weights(state: State, activation: str = 'softmax', none: int = 0) -> Arch:
  """Return the weights of all options.

  Args:
    state: of one search.
    activation: of logits, one of `ACTIVATIONS`; clipped weights and those with
      weights of edges are known by their parameters.
    none: the choice that 'sigmoid' leaves out.

  Returns:
    Pytree of `f32[..., E, K]`; zero for options that are not left.
  """
  params, mask = current(state)
  if isinstance(params, clipped.ClippedParams):
    return jax.tree.map(
      lambda alpha, alive: alive * jnp.clip(alpha, 0, 1), *params
    )
  logits = getattr(params, 'logits', params)
  beta = None
  if isinstance(params, edge_normalised.EdgeParams):
    logits, beta = params
  if mask is None:
    mask = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, bool), logits)

  def of_leaf(leaf, left):
    some = left | ~jnp.any(left, -1, keepdims=True)
    mixed = _activate(jnp.where(some, leaf, -jnp.inf), activation, none)
    return jnp.where(left, mixed, 0.0)

  mixed = jax.tree.map(of_leaf, logits, mask)
  if beta is None:
    return mixed

  def by_edge(leaf, beta):
    targets = genotypes.edges(genotypes.num_nodes_of(beta.shape[-1]))[1]
    return leaf * edge_normalised.edge_weights(beta, targets)[..., None]

  return jax.tree.map(by_edge, mixed, beta)


def snapshot(
  num_seeds: int, activation: str = 'softmax'
) -> Callable[[State], dict[str, jax.Array]]:
  """Return what a job stores over time: `weights` by leaf.

  Args:
    num_seeds: of the job; with several, arrays have a leading axis.
    activation: see `weights`.

  Returns:
    `(state) -> arrays`.

  Raises:
    ValueError: for an unknown activation.
  """
  if activation not in ACTIVATIONS:
    raise ValueError(
      f'Unknown activation {activation!r}. Known: {", ".join(ACTIVATIONS)}.'
    )
  one = lambda state: weights(state, activation)
  return jax.vmap(one) if num_seeds > 1 else one
