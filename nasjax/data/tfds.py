"""Image sets of `tensorflow-datasets`, read without TensorFlow.

`tfds.data_source` gives random access to sets that are prepared as array_record
files; reading and decoding them takes NumPy and Pillow. Preparing a set takes
TensorFlow where its builder yields raw arrays (cifar10, mnist), and does not
where it yields encoded images. Seen with tensorflow-datasets 4.9.10.
"""

from collections.abc import Sequence
import os
import pathlib
from typing import Any

from nasjax.data import arrays


def _import_tfds():
  """Return the package, or say how to install it."""
  try:
    import tensorflow_datasets  # lazy: it is an extra
  except ImportError as error:
    raise ImportError(
      f'Reading tensorflow-datasets needs a package more ({error}): pip '
      'install tensorflow-datasets array_record pillow.'
    ) from error
  return tensorflow_datasets


def command(name: str, data_dir: str) -> str:
  """Return the shell command that prepares a set as array_record files."""
  # Not `tfds build`, which needs TensorFlow whatever it builds.
  return (
    f'python -c "import tensorflow_datasets as tfds; tfds.builder({name!r}, '
    f"data_dir={data_dir!r}, file_format='array_record')"
    '.download_and_prepare()"'
  )


def _not_prepared(name, data_dir):
  """Return the error of a set that is absent or in another file format."""
  folder = pathlib.Path(data_dir)
  known = sorted(
    f'{path.parent.relative_to(folder).parent}:{path.parent.name}'
    for pattern in ('*/*/dataset_info.json', '*/*/*/dataset_info.json')
    for path in folder.glob(pattern)
  )
  return ValueError(
    f'{name!r} is not prepared as array_record files in {data_dir}. '
    f'Prepared there: {", ".join(known) or "none"}. Prepare it once: '
    f'{command(name, data_dir)} -- That needs importlib_resources installed, '
    'and TensorFlow too for builders that yield raw arrays (cifar10, mnist); '
    'reading does not.'
  )


def tfds_source(
  name: str, split: str, data_dir: str | os.PathLike[str]
) -> Sequence[dict[str, Any]]:
  """Open a split of a prepared image set for random access.

  Args:
    name: of the set, e.g. 'cifar10', or 'name/config:version'.
    split: e.g. 'train', or a slice such as 'train[:100]'.
    data_dir: folder that holds the prepared set.

  Returns:
    A sequence whose items are dicts of NumPy arrays, read when asked for; what
    `nasjax.data.stream` takes.

  Raises:
    ImportError: if tensorflow-datasets is not installed.
    ValueError: if the set is not prepared there, or has no such split.

  References:
    https://www.tensorflow.org/datasets/data_source
  """
  tfds = _import_tfds()
  data_dir = os.path.expanduser(os.fspath(data_dir))
  try:
    return tfds.data_source(
      name, split=split, data_dir=data_dir, download=False
    )
  except (NotImplementedError, tfds.core.DatasetNotFoundError) as error:
    # The first is how tfds says that there are no array_record files.
    raise _not_prepared(name, data_dir) from error


def from_tfds(
  name: str,
  split: str,
  data_dir: str | os.PathLike[str],
  image: str = 'image',
  label: str = 'label',
  mean: Sequence[float] | None = None,
  std: Sequence[float] | None = None,
) -> arrays.Dataset:
  """Read a split of a prepared image set that fits in memory.

  Args:
    name: of the set, e.g. 'cifar10', or 'name/config:version'.
    split: e.g. 'train', or a slice such as 'train[:100]'.
    data_dir: folder that holds the prepared set.
    image: name of the feature that holds the image.
    label: name of the feature that holds the class.
    mean: `[C]`, as in `from_numpy`.
    std: `[C]`, as in `from_numpy`.

  Returns:
    The data set.

  Raises:
    ImportError: if tensorflow-datasets is not installed.
    ValueError: if the set is not prepared there, has no such split or feature,
      or images of several shapes.
  """
  source = tfds_source(name, split, data_dir)
  features = source.dataset_info.features
  missing = sorted({image, label} - set(features))
  if missing:
    raise ValueError(
      f'{name!r} has no feature {", ".join(missing)}. Known: '
      f'{", ".join(sorted(features))}.'
    )
  examples = [source[i] for i in range(len(source))]
  return arrays.from_numpy(
    [example[image] for example in examples],
    [example[label] for example in examples],
    getattr(features[label], 'num_classes', None),
    mean,
    std,
  )
