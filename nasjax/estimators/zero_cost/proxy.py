"""What all scores of untrained networks share.

A proxy is a number computed from a network at initialisation and, mostly, one
batch. Its `raw` value is what the paper defines; `oriented` makes an estimator
of it, where higher is better and what is not finite is -inf. Proxies that are
read from the same costly thing, a kernel say, come as a `Joint` too.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from nasjax import ops, partition
from nasjax.estimators import training
from nasjax.types import Arch, Batch, Estimator, Key, Params, Space


class Proxy(NamedTuple):
  """A score of untrained networks.

  Attributes:
    init: `(key, arch) -> variables` of the network; with an index architecture
      those of all architectures, so that one draw serves a whole space.
    raw: `(key, variables, arch) -> f32[]`, the value as published. The key
      draws what the proxy itself draws, random inputs say.
    sign: 1 where a higher value is better, -1 where a lower one is.
    norm: statistics of batch normalisation: 'batch' for those of the batch
      (examples then depend on each other), 'frozen' for running ones, which are
      0 and 1 at initialisation, 'none' where normalisation is left out,
      'unused' where no network runs.
    failure: what the authors' program returns where there is no value.
    paper: where it is defined.
  """

  init: Callable[[Key, Arch], Params]
  raw: Callable[[Key, Params, Arch], jax.Array]
  sign: int
  norm: str
  failure: float
  paper: str


class Joint(NamedTuple):
  """Several scores that share what is costly.

  Attributes:
    init: as of a `Proxy`.
    raw: `(key, variables, arch) -> {name: f32[]}`.
    proxies: each of them alone, by name; compiled, it computes nothing that
      only the others need.
  """

  init: Callable[[Key, Arch], Params]
  raw: Callable[[Key, Params, Arch], dict[str, jax.Array]]
  proxies: dict[str, Proxy]


def joint(
  init: Callable[[Key, Arch], Params],
  raw: Callable[[Key, Params, Arch], dict[str, jax.Array]],
  attributes: Mapping[str, Mapping[str, Any]],
) -> Joint:
  """Return scores that are computed together.

  Args:
    init: as of a `Proxy`.
    raw: `(key, variables, arch) -> {name: f32[]}`.
    attributes: sign, norm, failure and paper of every score, by name.

  Returns:
    The scores.
  """

  def one(name):
    return lambda key, variables, arch: raw(key, variables, arch)[name]

  proxies = {
    name: Proxy(init, one(name), **of_score)
    for name, of_score in attributes.items()
  }
  return Joint(init, raw, proxies)


def check_single(proxy: Proxy) -> None:
  """Raise a ValueError for a `Joint`, where one score is needed."""
  if isinstance(proxy, Joint):
    raise ValueError(
      'One score is needed, got several: pick one of .proxies, '
      f'{", ".join(proxy.proxies)}.'
    )


def oriented(proxy: Proxy, space: Space, fresh: bool = False) -> Estimator:
  """Return the estimator of a proxy: higher is better, failures are -inf.

  Args:
    proxy: the score.
    space: gives an index architecture, which brings all weights into being.
    fresh: whether every score draws weights of its own. By default all
      architectures share one draw, as programs do that reset their seed.

  Returns:
    The estimator; its state are the weights.

  Raises:
    ValueError: if it is a `Joint`.
  """
  check_single(proxy)

  def init(key):
    return () if fresh else proxy.init(key, space.sample(jax.random.key(0)))

  def score(key, state, arch):
    init_key, key = jax.random.split(key)
    variables = proxy.init(init_key, arch) if fresh else state
    raw = proxy.raw(key, variables, arch)
    return jnp.where(jnp.isfinite(raw), proxy.sign * raw, -jnp.inf)

  return Estimator(init, lambda key, state, batch: (state, {}), score)


def trained(
  proxy: Proxy,
  trainer: training.Trainer,
  batches: Callable[[Key, jax.Array], Batch],
  num_steps: int,
) -> Estimator:
  """Return the estimator that trains a network before it takes the proxy.

  Args:
    proxy: the score; its batch should be of images that are not trained on.
    trainer: from `training.train_child`, of the same network.
    batches: `(key, t) -> batch` of the training split.
    num_steps: updates; a fidelity below 1 takes that share of them.

  Returns:
    The estimator, without state.

  Raises:
    ValueError: if it is a `Joint`.
  """
  check_single(proxy)

  def score(key, state, arch, fidelity=1.0):
    del state
    proxy_key, train_key = jax.random.split(key)
    steps = jnp.ceil(jnp.asarray(fidelity) * num_steps).astype(jnp.int32)
    child = training.train(trainer, train_key, arch, batches, steps)
    variables = {'params': child.params, 'batch_stats': child.batch_stats}
    raw = proxy.raw(proxy_key, variables, arch)
    return jnp.where(jnp.isfinite(raw), proxy.sign * raw, -jnp.inf)

  return Estimator(lambda key: (), lambda key, state, batch: (state, {}), score)


def initializer(
  network: Any, image: chex.Array
) -> Callable[[Key, Arch], Params]:
  """Return `(key, arch) -> variables` of a network for such images."""
  return lambda key, arch: network.init(key, arch, image[:1])


def logits(
  network: Any, variables: Params, arch: Arch, image: chex.Array
) -> jax.Array:
  """Return logits with the statistics of the batch, `f32[N, C]`."""
  return network.apply(variables, arch, image, mutable=['batch_stats'])[0]


def tracking(network: Any) -> Any:
  """Return the network with running statistics, for frozen normalisation.

  Args:
    network: a module with an attribute `track`, as those of nasjax have.

  Raises:
    ValueError: if it has none.
  """
  if not hasattr(network, 'track'):
    raise ValueError(
      'Frozen normalisation needs a network with an attribute `track`, whose '
      f'running statistics it uses; {type(network).__name__} has none.'
    )
  return network.clone(track=True)


def without_norm(stats: Params) -> Params:
  """Return running statistics with which normalisation is the identity."""
  values = {'mean': 0.0, 'var': 1.0 - ops.EPSILON}
  return jax.tree_util.tree_map_with_path(
    lambda path, leaf: jnp.full_like(leaf, values[path[-1].key]), stats
  )


def is_weight(path: partition.Path) -> bool:
  """Return whether a leaf is the weight of a convolution or a linear layer."""
  return path[-1] == 'kernel'


def cross_entropy(
  network: Any, params: Params, arch: Arch, batch: Batch
) -> jax.Array:
  """Return the mean cross entropy of a batch, in nats."""
  outputs = logits(network, {'params': params}, arch, batch['image'])
  return optax.losses.softmax_cross_entropy_with_integer_labels(
    outputs, batch['label']
  ).mean()
