"""Proposals by gradient ascent in the latent space of an autoencoder.

R. Luo et al., Neural Architecture Optimization, NeurIPS 2018,
https://arxiv.org/abs/1808.07233, section 3.4 and algorithm 1. For each of the k
best architectures, with H = [h_1 .. h_S] what the encoder makes of it and f the
predictor,

  h'_t = normalise(h_t + eta df / dh_t)

is decoded into a new architecture. Every step starts from H itself; eta grows
until there are enough new ones: a small step decodes to what it came from.

Deviations
  * Where the largest step leaves too few, mutations of the same architectures
    fill the proposal, and random ones where even those are known; the official
    code proposes fewer.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from nasjax import archive
from nasjax.estimators import autoencoder
from nasjax.networks import autoencoder as networks
from nasjax.spaces import sequences as spaces
from nasjax.types import Arch, Space

Propose = Callable[..., Arch]


class _Search(NamedTuple):
  """The attempts so far."""

  step: jax.Array  # i32[]
  tokens: jax.Array  # i32[B, T] new ones first, random ones in the rest
  count: jax.Array  # i32[] new ones


def _take(search, tokens, allowed):
  """Return the search with those that are allowed and not in it, in order."""
  size = len(search.tokens)
  is_held = jnp.arange(size) < search.count
  held = archive.equal(tokens, search.tokens) & is_held[None, :]
  # Of equal ones the first is taken.
  same = jnp.tril(archive.equal(tokens, tokens) & allowed[None, :], -1)
  is_new = allowed & ~jnp.any(held, axis=1) & ~jnp.any(same, axis=1)
  slots = jnp.where(is_new, search.count + jnp.cumsum(is_new) - 1, size)
  return search._replace(
    tokens=search.tokens.at[slots].set(tokens, mode='drop'),
    count=jnp.minimum(search.count + jnp.sum(is_new), size),
  )


def latent_ascent(
  space: Space,
  sequences: spaces.Sequences,
  latent: autoencoder.Latent,
  batch_size: int,
  num_seeds: int = 100,
  first_step: float = 1.0,
  increment: float = 1.0,
  max_steps: int = 100,
  max_mutations: int = 10,
) -> Propose:
  """Return what `model_based` asks for architectures that a model prefers.

  New is what has not been told, is valid and occurs once; equality is that of
  sequences, so two cells that compute the same may be two.

  The proposal always has B architectures. If `max_steps` steps do not give so
  many, up to `max_mutations` rounds of mutations of the k seeds follow, and
  what is then missing is random and may be known: with a predictor that is
  flat, or in a small space that is nearly exhausted, expect that.

  Args:
    space: the space.
    sequences: of the space.
    latent: functions of the model's state, `estimators.autoencoder.latent`.
    batch_size: B, architectures of one proposal.
    num_seeds: k (official: 100).
    first_step: the first eta. Official code takes eta = 1, 2, 3, ... with
      weight sharing and in SemiNAS, and 10, 20, 30 without.
    increment: of eta.
    max_steps: values of eta (official: 100; 50 in NAO's PyTorch code).
    max_mutations: rounds of mutations, one of every seed.

  Returns:
    `(key, state, told, pool=told) -> archs [B, ...]`; the seeds are the best
    of the pool.

  Raises:
    ValueError: if a size is not positive.
  """
  if min(batch_size, num_seeds, max_steps) < 1 or max_mutations < 0:
    raise ValueError(
      'latent_ascent needs batch_size, num_seeds and max_steps >= 1 and '
      f'max_mutations >= 0, got batch_size={batch_size}, num_seeds={num_seeds},'
      f' max_steps={max_steps}, max_mutations={max_mutations}.'
    )

  def propose(key, state, told, pool=None):
    sample_key, mutate_key = jax.random.split(key)
    pool = told if pool is None else pool
    k = min(num_seeds, archive.capacity(pool))
    seeds, values = archive.top(pool, k)
    outputs = jax.vmap(lambda arch: latent.encode(state, arch))(seeds)
    gradient = jax.vmap(jax.grad(lambda h: latent.predict(state, h)))(outputs)

    known = told._replace(archs=jax.vmap(sequences.encode)(told.archs))

    def ascend(step):
      eta = first_step + increment * step
      moved = networks.normalise(outputs + eta * gradient)
      tokens = jax.vmap(lambda h: latent.decode(state, h))(moved)
      return tokens, jax.vmap(sequences.is_valid)(tokens)

    def mutate(step):
      keys = jax.random.split(jax.random.fold_in(mutate_key, step), k)
      mutants = jax.vmap(space.mutate)(keys, seeds)
      return jax.vmap(sequences.encode)(mutants), jnp.ones(k, bool)

    def attempt(search):
      tokens, valid = jax.lax.cond(
        search.step < max_steps, ascend, mutate, search.step
      )
      # Empty and failed slots are among the best of a small pool.
      allowed = valid & (values > -jnp.inf) & ~archive.contains(known, tokens)
      search = _take(search, tokens, allowed)
      return search._replace(step=search.step + 1)

    def unfinished(search):
      too_few = search.count < batch_size
      return too_few & (search.step < max_steps + max_mutations)

    samples = jax.vmap(space.sample)(jax.random.split(sample_key, batch_size))
    samples = jax.vmap(sequences.encode)(samples)
    start = _Search(jnp.int32(0), samples, jnp.int32(0))
    search = jax.lax.while_loop(unfinished, attempt, start)
    return jax.vmap(sequences.decode)(search.tokens)

  return propose
