"""Encoder, predictor and decoder of architectures written as sequences.

R. Luo, F. Tian, T. Qin, E. Chen and T.-Y. Liu, Neural Architecture
Optimization, NeurIPS 2018, https://arxiv.org/abs/1808.07233, sections 3.1-3.3;
R. Luo, X. Tan, R. Wang, T. Qin, E. Chen and T.-Y. Liu, Semi-Supervised Neural
Architecture Search, NeurIPS 2020, https://arxiv.org/abs/2002.10389. Both as in
the official PyTorch code. With n(v) = v / |v|:

  encoder    h_t = n(LSTM(embedding of R tokens)_t)         H = [h_1 .. h_S]
  summary    e = n(mean_t h_t)
  predictor  f(H) = linear(MLP(e))
  decoder    s_t = LSTM(embedding of the last token), from the state (e, e)
             a = softmax(W s_t . H)
             logits = linear(tanh(V [a H; s_t]))

In SemiNAS the encoder reads in both directions, and encoder, predictor and
decoder have residual connections.
"""

import math

import chex
from flax import linen as nn
import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from nasjax.networks import layers, recurrent
from nasjax.types import Params


def normalise(x: chex.Array) -> jax.Array:
  """Return vectors of length 1 along the last axis; zero stays zero."""
  square = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
  return x * lax.rsqrt(jnp.maximum(square, 1e-24))


def _linear(features, fan_in, use_bias=True):
  """A linear layer, its kernel and bias within the same bound."""
  init = layers.fan_in_uniform(fan_in)
  return nn.Dense(features, use_bias, kernel_init=init, bias_init=init)


class Autoencoder(nn.Module):
  """Encoder, predictor and decoder; any leading axes.

  Attributes:
    vocabulary: V, number of tokens.
    embedding: E, size of the encoder's embedding of a token.
    hidden: d, size of the states.
    group: R, tokens that the encoder reads at once; it divides T.
    widths: of the hidden layers of the predictor.
    bidirectional: whether the encoder reads both ways.
    residual: whether all three parts have residual connections; then E = d, the
      last width is d and R = 1.
    bounded: whether a sigmoid bounds the prediction.
    dropout: rate, of embeddings.
    mlp_dropout: rate, of the hidden layers of the predictor.
  """

  vocabulary: int
  embedding: int = 64
  hidden: int = 64
  group: int = 1
  widths: tuple[int, ...] = (16, 64)
  bidirectional: bool = True
  residual: bool = True
  bounded: bool = False
  dropout: float = 0.1
  mlp_dropout: float = 0.1

  def setup(self):
    """Build the layers of the three parts."""
    widths = (self.hidden, *self.widths)
    same = self.embedding == self.hidden == widths[-1] and self.group == 1
    if self.residual and not same:
      raise ValueError(
        'Residual connections need embedding = hidden = the last of widths and '
        f'group = 1, got embedding={self.embedding}, hidden={self.hidden}, '
        f'widths={self.widths}, group={self.group}.'
      )
    one = nn.initializers.normal(1.0)
    self.embed = nn.Dense(self.embedding, use_bias=False, kernel_init=one)
    self.forward = recurrent.Lstm(self.hidden)
    if self.bidirectional:
      self.backward = recurrent.Lstm(self.hidden)
      self.join = _linear(self.hidden, 2 * self.hidden)
    self.mlp = [
      _linear(width, before) for before, width in zip(widths, widths[1:])
    ]
    self.head = _linear(1, widths[-1])
    self.embed_last = nn.Dense(self.hidden, use_bias=False, kernel_init=one)
    self.decoder = recurrent.Lstm(self.hidden)
    self.query = _linear(self.hidden, self.hidden, use_bias=False)
    self.mix = _linear(self.hidden, 2 * self.hidden, use_bias=False)
    self.emit = _linear(self.vocabulary, self.hidden)
    self.drop = nn.Dropout(self.dropout)
    self.mlp_drop = nn.Dropout(self.mlp_dropout)

  def encode(self, tokens: chex.Array, train: bool = False) -> jax.Array:
    """Return H, `f32[..., T / R, d]`, of tokens `i32[..., T]`."""
    # A product with one-hot vectors: the gradient of a look-up is a slow loop.
    x = self.embed(jax.nn.one_hot(tokens, self.vocabulary))
    x = self.drop(x, deterministic=not train)
    steps = x.shape[-2] // self.group
    x = x.reshape(*x.shape[:-2], steps, self.group * self.embedding)
    zero = jnp.zeros((*x.shape[:-2], self.hidden))
    outputs, _ = self.forward(x, (zero, zero))
    if self.bidirectional:
      back, _ = self.backward(x, (zero, zero), reverse=True)
      outputs = self.join(jnp.concatenate([outputs, back], axis=-1))
    return normalise(outputs + x if self.residual else outputs)

  def _add(self, x, residual):
    return (x + residual) * math.sqrt(0.5) if self.residual else x

  def summary(self, outputs: chex.Array) -> jax.Array:
    """Return e, `f32[..., d]`, of H."""
    return normalise(jnp.mean(outputs, axis=-2))

  def predict(self, outputs: chex.Array, train: bool = False) -> jax.Array:
    """Return the predicted target, `f32[...]`, of H."""
    summary = x = self.summary(outputs)
    for layer in self.mlp:
      x = self.mlp_drop(nn.relu(layer(x)), deterministic=not train)
    value = self.head(self._add(x, summary))[..., 0]
    return nn.sigmoid(value) if self.bounded else value

  def start(self, outputs: chex.Array) -> chex.ArrayTree:
    """Return the first state of the decoder."""
    return self.summary(outputs), self.summary(outputs)

  def decode(
    self,
    outputs: chex.Array,
    last: chex.Array,
    state: chex.ArrayTree,
    train: bool = False,
  ) -> tuple[jax.Array, chex.ArrayTree]:
    """Return logits `f32[..., T, V]` after the tokens `last i32[..., T]`."""
    x = self.embed_last(jax.nn.one_hot(last, self.vocabulary))
    x = self.drop(x, deterministic=not train)
    hidden, state = self.decoder(x, state)
    x = self._add(hidden, x)
    weights = nn.softmax(self.query(x) @ jnp.swapaxes(outputs, -1, -2))
    mixed = jnp.concatenate([weights @ outputs, x], axis=-1)
    x = self._add(jnp.tanh(self.mix(mixed)), x)
    return self.emit(x), state

  def __call__(
    self, tokens: chex.Array, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Return the prediction `f32[...]` and, of every token, the logits."""
    outputs = self.encode(tokens, train)
    last = jnp.concatenate(
      [jnp.zeros_like(tokens[..., :1]), tokens[..., :-1]], axis=-1
    )
    logits, _ = self.decode(outputs, last, self.start(outputs), train)
    return self.predict(outputs, train), logits


def nao(vocabulary: int, group: int = 1, bounded: bool = True) -> Autoencoder:
  """Return the network of NAO, with the sizes of the PyTorch code (NAO_V1).

  Args:
    vocabulary: V.
    group: R; 2 there, for pairs of a predecessor and an operation.
    bounded: whether a sigmoid bounds the prediction, as there.

  Returns:
    The network.
  """
  return Autoencoder(
    vocabulary,
    embedding=48,
    hidden=96,
    group=group,
    widths=(200, 200, 200),
    bidirectional=False,
    residual=False,
    bounded=bounded,
    dropout=0.0,
  )


def seminas(vocabulary: int) -> Autoencoder:
  """Return the network of SemiNAS, with the sizes of the official code."""
  return Autoencoder(vocabulary)


def generate(
  network: Autoencoder, params: Params, outputs: chex.Array, mask: np.ndarray
) -> jax.Array:
  """Return the most likely tokens, chosen greedily among those allowed.

  Args:
    network: the network.
    params: its weights.
    outputs: H, `f32[..., S, d]`.
    mask: tokens allowed at every position, `bool[T, V]`.

  Returns:
    `i32[..., T]`.
  """
  variables = {'params': params}

  def step(carry, allowed):
    state, token = carry
    logits, state = network.apply(
      variables, outputs, token[..., None], state, method='decode'
    )
    allowed = jnp.broadcast_to(allowed, logits[..., 0, :].shape)
    token = jnp.argmax(jnp.where(allowed, logits[..., 0, :], -jnp.inf), -1)
    token = token.astype(jnp.int32)
    return (state, token), token

  state = network.apply(variables, outputs, method='start')
  token = jnp.zeros(outputs.shape[:-2], jnp.int32)
  _, tokens = lax.scan(step, (state, token), jnp.asarray(mask))
  return jnp.moveaxis(tokens, 0, -1)
