"""Batches of images as functions of a key and a step.

The batch of step t depends on `(key, t)` alone: a run that is resumed, rewound
or branched sees the same data. An epoch is a permutation of all examples, fresh
for every epoch, cut into consecutive batches; the incomplete last one is
dropped.
"""

import collections
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
import itertools
from typing import Any

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from nasjax.data import arrays
from nasjax.data import augment as augment_lib
from nasjax.types import Batch, Key

Augment = Callable[[Key, jax.Array], jax.Array]


def _num_steps(num_examples, batch_size):
  """Return the number of batches in an epoch, or raise."""
  if not 1 <= batch_size <= num_examples:
    raise ValueError(
      f'Expected a batch_size from 1 to the {num_examples} images that '
      f'there are, got {batch_size}.'
    )
  return num_examples // batch_size


def _order(key, epoch, num_examples):
  """Return the permutation of an epoch, i32[N]."""
  # One sort of random bits: random.permutation sorts twice.
  key = jax.random.fold_in(key, epoch)
  return jnp.argsort(jax.random.bits(key, (num_examples,)))


def batches(
  dataset: arrays.Dataset, batch_size: int, augment: Augment | None = None
) -> Callable[[Key, int | jax.Array], Batch]:
  """Return the training batches of a data set that fits on the device.

  Call it outside of `jit` where the images are large: called inside, they
  become constants of the program, which then takes seconds more to compile.

  Args:
    dataset: the data set; its images stay u8 on the device.
    batch_size: B.
    augment: `(key, images) -> f32[B, H, W, C]` of raw images; by default they
      are normalised and no more.

  Returns:
    `(key, t) -> dict(image=f32[B, H, W, C], label=i32[B])`, pure. The key is
    that of the run, the same for all t.

  Raises:
    ValueError: if there is no complete batch.
  """
  num_examples = len(dataset.labels)
  num_steps = _num_steps(num_examples, batch_size)
  data = jnp.asarray(dataset.images), jnp.asarray(dataset.labels)

  def normalise(key, images):
    del key
    return augment_lib.normalise(images, dataset.mean, dataset.std)

  @jax.jit
  def take(data, key, t):
    images, labels = data
    order_key, augment_key = jax.random.split(key)
    order = _order(order_key, t // num_steps, num_examples)
    start = t % num_steps * batch_size
    rows = lax.dynamic_slice_in_dim(order, start, batch_size)
    image = (augment or normalise)(
      jax.random.fold_in(augment_key, t), images[rows]
    )
    return {'image': image, 'label': labels[rows]}

  return lambda key, t: take(data, key, jnp.asarray(t, jnp.int32))


def joint(
  **streams: Callable[[Key, jax.Array], Batch],
) -> Callable[[Key, int | jax.Array], Batch]:
  """Return batches that consist of one batch of each stream.

  `joint(train=batches(a, 64), valid=batches(b, 64))` is what a bilevel search
  takes.

  Args:
    **streams: functions `(key, t) -> batch`.

  Returns:
    `(key, t) -> dict` with the names of the streams, which get different keys.
  """

  def batch(key, t):
    keys = jax.random.split(key, len(streams))
    return {name: streams[name](k, t) for name, k in zip(sorted(streams), keys)}

  return batch


def stack(
  batches: Callable[[Key, jax.Array], Batch], num_steps: int
) -> Callable[[Key, int | jax.Array], Batch]:
  """Return the batches of many steps at a time, for `run.epochs`.

  Args:
    batches: `(key, t) -> batch`, one step at a time.
    num_steps: T.

  Returns:
    `(key, e) -> batch` whose leaves are those of steps e T to e T + T - 1,
    `[T, ...]`.
  """

  def stacked(key, epoch):
    steps = epoch * num_steps + jnp.arange(num_steps)
    return jax.vmap(lambda t: batches(key, t))(steps)

  return stacked


def evaluation_batches(dataset: arrays.Dataset, batch_size: int) -> Batch:
  """Return all images of a data set, in order, as stacked batches.

  The last batch is filled up with images of weight 0: real ones, since black
  ones would change the batch statistics of a network that normalises by them.

  Args:
    dataset: the data set.
    batch_size: B; T batches hold the N images.

  Returns:
    `dict(image=f32[T, B, H, W, C], label=i32[T, B], weight=f32[T, B])`, the
    images normalised, the weights 1 or 0.

  Raises:
    ValueError: if the batch size is not positive.
  """
  if batch_size < 1:
    raise ValueError(f'Expected a batch_size of 1 or more, got {batch_size}.')
  num_examples = len(dataset.labels)
  shape = (-(-num_examples // batch_size), batch_size)
  position = np.arange(np.prod(shape)).reshape(shape)
  rows = position % num_examples
  image = jnp.asarray(dataset.images[rows])
  return {
    'image': augment_lib.normalise(image, dataset.mean, dataset.std),
    'label': jnp.asarray(dataset.labels[rows]),
    'weight': jnp.asarray(position < num_examples, jnp.float32),
  }


def weighted_mean(values: Callable[[Batch], Any], stacked: Batch) -> Any:
  """Return the exact mean of a quantity over the images of a data set.

  Args:
    values: `(batch) -> pytree of [B]`, one value an image, e.g. whether its
      class was predicted.
    stacked: batches as from `evaluation_batches`, one in memory at a time.

  Returns:
    Pytree of `f32[]`.
  """
  weight = stacked['weight']
  return jax.tree.map(
    lambda value: jnp.sum(value * weight) / jnp.sum(weight),
    lax.map(values, stacked),
  )


def _read(source, orders, batch_size, start, workers, ahead):
  """Yield (step, list of examples), some batches ahead of who asks."""
  num_steps = len(source) // batch_size
  pending = collections.deque()
  pool = futures.ThreadPoolExecutor(workers)
  try:
    for t in itertools.count(start):
      epoch, step = divmod(t, num_steps)
      if t == start or step == 0:
        order = orders(epoch)
      rows = order[step * batch_size : (step + 1) * batch_size]
      pending.append(
        (t, [pool.submit(source.__getitem__, int(row)) for row in rows])
      )
      if len(pending) > ahead:
        t, examples = pending.popleft()
        yield t, [example.result() for example in examples]
  finally:
    pool.shutdown(cancel_futures=True)


def stream(
  source: Sequence[dict[str, Any]],
  batch_size: int,
  key: Key,
  augment: Augment | None = None,
  start: int = 0,
  workers: int = 8,
  ahead: int = 2,
) -> Iterator[Batch]:
  """Read batches of a data set that does not fit on the device.

  The examples, their order and the augmentation are those of `batches` with
  the same key.

  Args:
    source: anything with a length whose items are
      `dict(image=[H, W, C], label=int, ...)`, all images of one shape.
    batch_size: B.
    key: that of the run.
    augment: as in `batches`; by default the images are passed on as they are.
    start: step of the first batch: where a resumed run goes on.
    workers: threads that read and decode.
    ahead: batches that are read while the current one is used.

  Returns:
    Endless iterator over `dict(image=[B, H, W, C], label=i32[B])` of steps
    start, start + 1, ...

  Raises:
    ValueError: if there is no complete batch.
  """
  num_examples = len(source)
  _num_steps(num_examples, batch_size)
  order_key, augment_key = jax.random.split(key)
  apply = jax.jit(augment or (lambda key, images: images))

  def orders(epoch):
    return np.asarray(_order(order_key, epoch, num_examples))

  def batch(t, examples):
    image = np.stack([example['image'] for example in examples])
    label = np.array([example['label'] for example in examples], np.int32)
    return {
      'image': apply(jax.random.fold_in(augment_key, t), image),
      'label': jnp.asarray(label),
    }

  steps = _read(source, orders, batch_size, start, workers, ahead)
  return (batch(t, examples) for t, examples in steps)
