"""Tests of batches as functions of a key and a step."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import data

_KEY = jax.random.key(7)


def _numbered(num_images=23):
  """A data set whose images carry their own number in a float pixel."""
  images = np.arange(num_images, dtype=np.float32).reshape(-1, 1, 1, 1)
  return data.from_numpy(
    images, np.arange(num_images) % 3, mean=[0.0], std=[1.0]
  )


def _rgb(num_images=10):
  random = np.random.RandomState(0)
  images = random.randint(0, 256, (num_images, 6, 6, 3)).astype(np.uint8)
  return data.from_numpy(images, np.arange(num_images) % 4)


def _numbers(batch):
  return np.asarray(batch['image']).ravel().astype(int).tolist()


def test_an_epoch_shows_every_image_once_but_for_the_last_incomplete_batch():
  batches = data.batches(_numbered(), 5)
  for epoch in range(3):
    seen = sum((_numbers(batches(_KEY, 4 * epoch + t)) for t in range(4)), [])
    assert len(set(seen)) == 20


def test_an_epoch_of_complete_batches_is_a_permutation_and_never_the_same():
  batches = data.batches(_numbered(20), 5)
  epochs = [
    sum((_numbers(batches(_KEY, 4 * epoch + t)) for t in range(4)), [])
    for epoch in range(4)
  ]
  assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
  assert len(set(map(tuple, epochs))) == 4


def test_stacked_batches_are_those_of_the_steps_in_a_row():
  batches = data.joint(
    train=data.batches(_numbered(), 5), valid=data.batches(_numbered(), 4)
  )
  stacked = data.streams.stack(batches, 3)
  for epoch in range(3):
    rows = [batches(_KEY, 3 * epoch + t) for t in range(3)]
    chex.assert_trees_all_equal(
      stacked(_KEY, np.int32(epoch)),
      jax.tree.map(lambda *x: jnp.stack(x), *rows),
    )


def test_images_keep_their_labels():
  batches = data.batches(_numbered(), 7)
  for t in range(5):
    batch = batches(_KEY, t)
    assert batch['label'].dtype == jnp.int32
    np.testing.assert_array_equal(batch['label'], np.array(_numbers(batch)) % 3)


def test_a_batch_is_a_function_of_key_and_step_in_any_order():
  dataset = _rgb()
  augment = data.cifar_augment(dataset.mean, dataset.std, padding=1)
  batches = data.batches(dataset, 4, augment)
  forward = [batches(_KEY, t) for t in range(6)]
  again = data.batches(dataset, 4, augment)
  for t in (5, 0, 3, 1, 4, 2):
    chex.assert_trees_all_equal(forward[t], again(_KEY, jnp.array(t)))
  assert np.any(forward[0]['image'] != batches(jax.random.key(8), 0)['image'])


def test_the_same_image_is_augmented_anew_in_every_step():
  dataset = data.from_numpy(
    np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1), [0], 2
  )
  batches = data.batches(
    dataset, 1, data.cifar_augment(dataset.mean, dataset.std, padding=3)
  )
  images = [np.asarray(batches(_KEY, t)['image']).ravel() for t in range(8)]
  assert len(np.unique(images, axis=0)) > 4


class BatchesVariants(chex.TestCase):
  @chex.variants(with_jit=True, without_jit=True)
  def test_jit_and_scan_give_the_batches_of_the_loop(self):
    dataset = _rgb()
    batches = data.batches(
      dataset, 4, data.cifar_augment(dataset.mean, dataset.std, padding=1)
    )
    loop = [batches(_KEY, t) for t in range(5)]
    for t in range(5):
      # XLA may fuse a division into another rounding.
      chex.assert_trees_all_close(
        self.variant(batches)(_KEY, t), loop[t], atol=1e-6
      )
    _, scanned = jax.lax.scan(
      lambda carry, t: (carry, batches(_KEY, t)), 0, jnp.arange(5)
    )
    chex.assert_trees_all_close(
      scanned, jax.tree.map(lambda *b: jnp.stack(b), *loop), atol=1e-6
    )


def test_eager_operations_give_the_batch_of_the_compiled_ones():
  batches = data.batches(_rgb(), 4)
  compiled = batches(_KEY, 3)
  with jax.disable_jit():
    chex.assert_trees_all_close(batches(_KEY, 3), compiled, atol=1e-6)


def test_batches_compile_once():
  traces = []

  def augment(key, images):
    del key
    traces.append(images.shape)
    return images

  batches = data.batches(_numbered(), 5, augment)
  for t in (0, 1, jnp.array(7), np.int64(9)):
    batches(_KEY, t)
  assert traces == [(5, 1, 1, 1)]


def test_the_augmentation_receives_raw_u8_images_of_one_channel():
  dtypes = []

  def augment(key, images):
    del key
    dtypes.append(images.dtype)
    return images / 2

  dataset = data.from_numpy(np.zeros((4, 2, 2), np.uint8), [0, 1, 0, 1])
  batch = data.batches(dataset, 2, augment)(_KEY, 0)
  assert dtypes == [np.uint8]
  assert batch['image'].shape == (2, 2, 2, 1)


def test_batches_are_normalised_by_default():
  dataset = _rgb(12)
  batch = data.batches(dataset, 12)(_KEY, 0)['image']
  assert batch.dtype == jnp.float32
  np.testing.assert_allclose(jnp.mean(batch, (0, 1, 2)), 0, atol=1e-5)
  np.testing.assert_allclose(jnp.std(batch, (0, 1, 2)), 1, atol=1e-5)


def test_joint_batches_come_from_their_streams_with_different_keys():
  batches = data.batches(_numbered(), 5)
  joint = data.joint(train=batches, valid=batches)(_KEY, 2)
  assert sorted(joint) == ['train', 'valid']
  assert _numbers(joint['train']) != _numbers(joint['valid'])
  swapped = data.joint(valid=batches, train=batches)(_KEY, 2)
  chex.assert_trees_all_equal(joint, swapped)


@pytest.mark.parametrize('batch_size', [0, -1, 24])
def test_a_batch_size_without_a_complete_batch_is_refused(batch_size):
  message = f'from 1 to the 23 images that there are, got {batch_size}'
  with pytest.raises(ValueError, match=message):
    data.batches(_numbered(), batch_size)
  with pytest.raises(ValueError, match=message):
    data.stream([{}] * 23, batch_size, _KEY)


@pytest.mark.parametrize(
  'batch_size, num_batches', [(5, 5), (23, 1), (40, 1), (1, 23)]
)
def test_evaluation_batches_hold_every_image_once(batch_size, num_batches):
  stacked = data.evaluation_batches(_numbered(), batch_size)
  assert stacked['image'].shape == (num_batches, batch_size, 1, 1, 1)
  weight = np.asarray(stacked['weight']).ravel()
  numbers = np.array(_numbers(stacked))
  np.testing.assert_array_equal(numbers[weight == 1], np.arange(23))
  np.testing.assert_array_equal(numbers, np.arange(len(numbers)) % 23)
  np.testing.assert_array_equal(np.ravel(stacked['label']), numbers % 23 % 3)


def test_the_weighted_mean_is_exact_for_any_batch_size():
  dataset = _numbered()

  @jax.jit
  def evaluate(stacked):
    return data.weighted_mean(
      lambda batch: {
        'accuracy': batch['label'] == 1,
        'pixel': jnp.sum(batch['image'], (1, 2, 3)),
      },
      stacked,
    )

  for batch_size in (4, 23, 50):
    means = evaluate(data.evaluation_batches(dataset, batch_size))
    np.testing.assert_allclose(means['accuracy'], 8 / 23, rtol=1e-6)
    np.testing.assert_allclose(means['pixel'], 11, rtol=1e-6)


def test_evaluation_refuses_an_empty_batch():
  with pytest.raises(ValueError, match='1 or more, got 0'):
    data.evaluation_batches(_numbered(), 0)


@pytest.mark.parametrize('start', [0, 3])
def test_a_stream_gives_the_batches_of_the_device_from_any_step(start):
  dataset = _rgb()
  source = [
    {'image': image, 'label': int(label), 'id': b'unused'}
    for image, label in zip(dataset.images, dataset.labels)
  ]
  augment = data.cifar_augment(dataset.mean, dataset.std, padding=1)
  batches = data.batches(dataset, 4, augment)
  stream = data.stream(source, 4, _KEY, augment, start=start)
  for t, batch in enumerate(itertools.islice(stream, 5), start):
    chex.assert_trees_all_close(batch, batches(_KEY, t), atol=1e-6)
  stream.close()


def test_a_stream_passes_raw_images_on_and_reads_only_a_little_ahead():
  read = []

  class Source:
    def __len__(self):
      return 100

    def __getitem__(self, i):
      read.append(i)
      return {'image': np.full((2, 2, 1), i, np.uint8), 'label': i}

  stream = data.stream(Source(), 5, _KEY, ahead=2)
  batch = next(stream)
  assert batch['image'].dtype == jnp.uint8
  np.testing.assert_array_equal(batch['image'][:, 0, 0, 0], batch['label'])
  stream.close()
  assert len(read) <= 15


def test_a_stream_passes_an_error_of_its_source_on():
  class Source(list):
    def __getitem__(self, i):
      raise OSError(f'cannot read {i}')

  with pytest.raises(OSError, match='cannot read'):
    next(data.stream(Source([0] * 4), 2, _KEY))
