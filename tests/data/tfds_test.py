"""Tests of tensorflow-datasets, on sets prepared here without TensorFlow."""

import io
import subprocess
import sys

import jax
import numpy as np
import pytest

from nasjax import data
from nasjax.data import tfds as tfds_lib

tfds = pytest.importorskip('tensorflow_datasets')
pytest.importorskip('array_record')
pil_image = pytest.importorskip('PIL.Image')


def _image(i, shape):
  random = np.random.RandomState(i)
  return random.randint(0, 256, shape).astype(np.uint8)


def _prepare(set_name, folder, shapes, ids=False, version='1.0.0'):
  """Prepare a set of images of some shapes, as encoded PNG bytes."""

  class Tiny(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    # As in a script: tfds looks for the packages of other modules with
    # importlib_resources, which it does not install.
    __module__ = '__main__'
    name = set_name
    VERSION = tfds.core.Version(version)

    def _info(self):
      features = {
        'image': tfds.features.Image(shape=(None, None, shapes[0][-1])),
        'label': tfds.features.ClassLabel(num_classes=10),
      }
      if ids:
        features['id'] = tfds.features.Text()
      return tfds.core.DatasetInfo(
        builder=self, features=tfds.features.FeaturesDict(features)
      )

    def _split_generators(self, manager):
      del manager
      return {name: self._generate_examples() for name in ('train', 'test')}

    def _generate_examples(self):
      for i, shape in enumerate(shapes):
        file = io.BytesIO()
        pil_image.fromarray(_image(i, shape).squeeze()).save(file, 'PNG')
        file.seek(0)
        example = {'image': file, 'label': i % 3}
        yield i, example | ({'id': f'train_{i:05d}'} if ids else {})

  builder = Tiny(data_dir=str(folder), file_format='array_record')
  builder.download_and_prepare()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp('tfds')
  _prepare('tiny_colours', folder, [(5, 4, 3)] * 12)
  _prepare('tiny_greys', folder, [(5, 4, 1)] * 4)
  _prepare('tiny_mixture', folder, [(5, 4, 3), (4, 4, 3)])
  version = str(tfds.builder_cls('cifar10').VERSION)
  _prepare('cifar10', folder, [(32, 32, 3)] * 10, ids=True, version=version)
  return folder


def _sorted_images(images):
  return sorted(image.tobytes() for image in images)


def test_a_prepared_set_is_read_as_it_was_written(folder):
  dataset = data.from_tfds('tiny_colours', 'train', folder)
  written = [_image(i, (5, 4, 3)) for i in range(12)]
  assert dataset.images.shape == (12, 5, 4, 3)
  assert dataset.num_classes == 10
  assert _sorted_images(dataset.images) == _sorted_images(written)
  label = {image.tobytes(): i % 3 for i, image in enumerate(written)}
  assert dataset.labels.tolist() == [
    label[image.tobytes()] for image in dataset.images
  ]


def test_one_channel_stays_one_channel(folder):
  dataset = data.from_tfds('tiny_greys', 'test[:3]', folder)
  assert dataset.images.shape == (3, 5, 4, 1)


def test_a_source_is_streamed(folder):
  source = data.tfds_source('tiny_colours', 'train', folder)
  batch = next(data.stream(source, 4, jax.random.key(0)))
  assert batch['image'].shape == (4, 5, 4, 3)
  assert batch['label'].shape == (4,)


def test_cifar10_comes_in_the_original_order(folder):
  parts = data.load_cifar10(tfds_dir=folder)
  written = np.stack([_image(i, (32, 32, 3)) for i in range(10)])
  np.testing.assert_array_equal(parts['train'].images, written[:5])
  np.testing.assert_array_equal(parts['valid'].images, written[5:])
  np.testing.assert_array_equal(parts['valid'].labels, [2, 0, 1, 2, 0])
  np.testing.assert_array_equal(parts['test'].images, written)


@pytest.mark.parametrize(
  'name, split, options, message',
  [
    ('tiny_colours', 'valid', {}, "Unknown split 'valid'"),
    (
      'tiny_colours',
      'train',
      {'label': 'class'},
      'no feature class. Known: image, label',
    ),
    ('tiny_mixture', 'train', {}, 'one common shape'),
    (
      'mnist',
      'train',
      {},
      "'mnist' is not prepared.*Prepared there: cifar10:.*, tiny_colours:1.0.0",
    ),
    ('no_such_set', 'train', {}, "'no_such_set' is not prepared"),
  ],
)
def test_mistakes_are_explained(folder, name, split, options, message):
  with pytest.raises(ValueError, match=message):
    data.from_tfds(name, split, folder, **options)


def test_a_folder_without_the_set_says_how_to_prepare_it(tmp_path):
  with pytest.raises(ValueError) as error:
    data.from_tfds('mnist', 'train', tmp_path / 'nothing')
  command = tfds_lib.command('mnist', str(tmp_path / 'nothing'))
  for fragment in ('Prepared there: none', command, 'TensorFlow too'):
    assert fragment in str(error.value)


def test_the_command_is_python_that_finds_the_set(tmp_path):
  command = tfds_lib.command('mnist', str(tmp_path))
  program = command.removeprefix('python -c "').removesuffix('"')
  program, call = program.rsplit('.', 1)
  assert call == 'download_and_prepare()'  # which we do not wait for
  subprocess.run([sys.executable, '-c', program], check=True)


def test_reading_never_imports_tensorflow(folder):
  program = f"""
import sys
from nasjax import data
lazy = {{'tensorflow', 'tensorflow_datasets', 'sklearn'}}
assert not lazy & set(sys.modules), lazy & set(sys.modules)
dataset = data.from_tfds('tiny_colours', 'train', {str(folder)!r})
assert dataset.images.shape == (12, 5, 4, 3)
assert 'tensorflow' not in sys.modules
"""
  subprocess.run([sys.executable, '-c', program], check=True)
