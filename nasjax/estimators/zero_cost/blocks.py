"""AZ-NAS: how a network's blocks, one by one, treat random images.

Lee and Ham, AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture
Search, 2024, https://arxiv.org/abs/2403.19232, section 3. With F_0 ... F_S the
outputs of the stem and of the blocks for images from N(0, 1), weights after He
et al. (fan of inputs), and E_s the entropy of the normalised eigenvalues of the
covariance of the channels of F_s:

  expressivity   sum_s E_s
  progressivity  min_s E_s - E_{s-1}
  trainability   mean_s 2 - n_s - 1 / (n_s + 1e-6), n_s the largest singular
                 value of the mean of g_in g_out^T over pixels; g_out are random
                 signs, g_in their gradient with respect to the block's input;
                 -inf if the two are equal

and the number of multiply-adds. `ranking.assembled` makes one score of the four
over all architectures that are compared. All blocks are pulled back in one
backward pass: each is cut from the one before (`layers.boundary`).

Deviations
  * Eigenvalues are taken in double precision, and those that rounding makes
    negative count as 0. The authors' program works in single precision and
    takes their logarithm: with fewer pixels in a batch than a block has
    channels it returns -inf.
"""

from typing import Any

import chex
import jax
import jax.numpy as jnp

from nasjax.estimators.zero_cost import initial, proxy
from nasjax.types import Batch

_PAPER = 'https://arxiv.org/abs/2403.19232'
_SCORES = ('expressivity', 'progressivity', 'trainability')


def _pick(tree, path):
  for key in path:
    tree = tree[key]
  return tree[0] if isinstance(tree, tuple) else tree


def _unstack(leaves):
  """One entry a block: `[N, H, W, C]` as it is, `[cells, ...]` in rows."""
  entries = []
  for leaf in leaves:
    entries += [leaf] if leaf.ndim == 4 else list(leaf)
  return entries


def _outputs(network, variables, arch, image):
  """The outputs of all blocks, by their paths."""
  _, reports = network.apply(
    variables, arch, image, mutable=['batch_stats', 'intermediates']
  )
  return [_pick(reports['intermediates'], path) for path in network.blocks]


def _perturbations(network, leaves):
  """Nested dicts of perturbations at the outputs of the blocks."""
  tree = {}
  for path, leaf in zip(network.blocks, leaves):
    *parents, name = path
    place = tree
    for parent in parents:
      place = place.setdefault(parent, {})
    place[name] = leaf
  return tree


def entropy(features: chex.Array) -> jax.Array:
  """Return the entropy of the eigenvalues of the covariance of channels.

  Args:
    features: `[N, H, W, C]`.
  """
  with jax.enable_x64(True):
    rows = features.reshape(-1, features.shape[-1]).astype(jnp.float64)
    rows = rows - rows.mean(0, keepdims=True)
    values = jnp.linalg.eigvalsh(rows.T @ rows / len(rows))
    shares = jnp.maximum(values / values.sum(), 0)
    result = -jnp.sum(shares * jnp.log(shares + 1e-8))
  return result.astype(features.dtype)


def transmission(g_in: chex.Array, g_out: chex.Array) -> jax.Array:
  """Return `2 - n - 1 / (n + 1e-6)` of a block, see the head of this file.

  Args:
    g_in: gradient at the input, `[N, H, W, C]`; where the block halves the
      image, windows of 2x2 pixels become channels.
    g_out: cotangent of the output, `[N, H', W', C']`.

  Returns:
    `f32[]`; -inf if the two are equal.
  """
  stride = g_in.shape[1] // g_out.shape[1]
  num, height, width, channels = g_in.shape
  windows = (num, height // stride, stride, width // stride, stride, channels)
  rows = g_in.reshape(windows).swapaxes(2, 3)
  rows = rows.reshape(-1, stride * stride * channels)
  columns = g_out.reshape(len(rows), -1)
  norm = jnp.linalg.norm(rows.T @ columns / len(rows), ord=2)
  score = 2 - norm - 1 / (norm + 1e-6)
  if g_in.shape != g_out.shape:
    return score
  return jnp.where(jnp.all(g_in == g_out), -jnp.inf, score)


def _transmissions(network, variables, arch, image, key):
  """The outputs of all blocks, and how well each but the first transmits."""
  shapes = jax.eval_shape(
    lambda x: _outputs(network, variables, arch, x), image
  )
  keys = jax.random.split(key, len(shapes))
  signs = [
    jax.random.rademacher(key, leaf.shape, leaf.dtype)
    for key, leaf in zip(keys, shapes)
  ]

  def total(shifts):
    shifted = {**variables, 'perturbations': _perturbations(network, shifts)}
    outputs = _outputs(network, shifted, arch, image)
    return sum(jnp.sum(x * sign) for x, sign in zip(outputs, signs)), outputs

  zeros = [jnp.zeros(leaf.shape, leaf.dtype) for leaf in shapes]
  incoming, outputs = jax.grad(total, has_aux=True)(zeros)
  pairs = zip(_unstack(incoming)[:-1], _unstack(signs)[1:])
  return _unstack(outputs), jnp.stack([transmission(*pair) for pair in pairs])


def az_nas(network: Any, batch: Batch) -> proxy.Joint:
  """Return expressivity, progressivity and trainability, see above.

  Args:
    network: a network that marks its blocks, see `layers.boundary`.
    batch: gives the shape of the random images.

  Returns:
    The three scores, from one forward and one backward pass.

  Raises:
    ValueError: if the network does not name its blocks.

  References:
    Lee and Ham, AZ-NAS, 2024, https://arxiv.org/abs/2403.19232.
  """
  if not hasattr(network, 'blocks'):
    raise ValueError(
      'AZ-NAS needs a network with an attribute `blocks`, the paths of what it '
      f'marks by layers.boundary; {type(network).__name__} has none.'
    )
  shape = batch['image'].shape

  def raw(key, variables, arch):
    image_key, sign_key = jax.random.split(key)
    image = jax.random.normal(image_key, shape)
    outputs, transmitted = _transmissions(
      network, variables, arch, image, sign_key
    )
    entropies = jnp.stack([entropy(x) for x in outputs])
    return {
      'expressivity': jnp.sum(entropies),
      'progressivity': jnp.min(jnp.diff(entropies)),
      'trainability': jnp.mean(transmitted),
    }

  init = initial.redrawn(proxy.initializer(network, batch['image']), 'in')
  attributes = dict(sign=1, norm='batch', failure=-jnp.inf, paper=_PAPER)
  return proxy.joint(init, raw, dict.fromkeys(_SCORES, attributes))


def expressivity(network: Any, batch: Batch) -> proxy.Proxy:
  """Return one of the scores of `az_nas` alone."""
  return az_nas(network, batch).proxies['expressivity']


def progressivity(network: Any, batch: Batch) -> proxy.Proxy:
  """Return one of the scores of `az_nas` alone."""
  return az_nas(network, batch).proxies['progressivity']


def trainability(network: Any, batch: Batch) -> proxy.Proxy:
  """Return one of the scores of `az_nas` alone."""
  return az_nas(network, batch).proxies['trainability']
