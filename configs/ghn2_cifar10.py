r"""GHN-2 on DeepNets-1M and CIFAR-10, with the settings of the paper.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100: a hypernetwork of 32 features, whose blocks
have 64x64 weights of 11x11, is trained for 300 epochs on networks of 4 to 18
cells, one to four nodes, fifteen operations and 32 to 128 channels, eight of
them and 64 images an update. Then 500 networks of as many kinds are scored with
predicted weights on images that steer, and the best is found; the paper tests
its networks with 32 channels on test images. For an accelerator: how long an
update takes a CPU is what `benchmarks.ghn2_cifar10` measures.

  python -m experiments.search --config=configs/ghn2_cifar10.py \
      --workdir=runs/ghn2_cifar10 --config.data.tfds_dir=DIR

Without `tfds_dir` there are the 20,000 images under `$NASJAX_DATA_DIR`. Of the
images that train, a tenth is kept to score networks (paper: 5,000 of 50,000).

Options come after a colon, separated by commas:

  quick   two updates of a tiny hypernetwork and few operations, on digits
  method  ghn2 (default), ghn1, mlp or ghn3, as in `configs/ghn2_digits.py`; no
          paper has GHN-3 on CIFAR-10: its sizes are those of GHN-3-T
  epochs  of training, of 45,000 images each (default 300)
"""

import ml_collections

from configs import ghn2_digits
from nasjax import data
from nasjax.experiment import options
from nasjax.spaces import deepnets_layouts

_BATCH, _META_BATCH = 64, 8
_SCORED, _PROPOSAL = 500, 10


def images(tfds_dir: str | None = None) -> dict[str, data.Dataset]:
  """Return CIFAR-10, a tenth of whose training images is 'valid'."""
  whole = data.load_cifar10('halves', tfds_dir=tfds_dir)
  train = data.merge([whole['train'], whole['valid']])
  parts = data.split(train, {'train': 0.9, 'valid': 0.1}, keep_statistics=True)
  return parts | {'test': whole['test']}


def layout(quick: bool) -> deepnets_layouts.Layout:
  """Return the layout of the networks."""
  if not quick:
    return deepnets_layouts.CIFAR
  return deepnets_layouts.CIFAR._replace(
    operations=('skip_connect', 'msa'),
    depths=(2,),
    steps=(1,),
    widths=(8,),
    kernels=(3,),
    stems=('simple',),
    stem_pools=(False,),
    hidden=(0,),
    reductions=1,
    image=(8, 8, 1),
  )


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: options, see above.

  Returns:
    The config.

  Raises:
    ValueError: for an option that does not exist.
  """
  given = options.parse(
    arg,
    dict(method='ghn2', epochs=300),
    dict(epochs=1),
    dict(method=ghn2_digits.METHODS),
  )
  quick, method = given['quick'], given['method']
  # All 45,000 images an epoch, in batches of 64.
  steps = 2 if quick else given['epochs'] * (45_000 // _BATCH)
  model = ghn2_digits.model(method, quick) | dict(kernel=3 if quick else 11)
  if not quick:
    model |= dict(features=64 if method == 'ghn3' else 32, channels=64)
  training = ghn2_digits.training(method, quick)
  if not quick and method != 'ghn1':
    training['meta_batch'] = _META_BATCH
  batches = dict(
    name='data.streams.batches',
    dataset='@data.train',
    batch_size=8 if quick else _BATCH,
  )
  if not quick:
    batches['augment'] = dict(name='data.augment.cifar_augment')
  cifar10 = dict(name='configs.ghn2_cifar10:images', tfds_dir=None)
  return ghn2_digits.assemble(
    'ghn2_cifar10',
    quick,
    steps,
    *(_SCORED, _PROPOSAL, _BATCH),
    search=dict(model=model, **training),
    num_seeds=1,
    data=dict(name='data.arrays.digits') if quick else cifar10,
    batches=batches,
  )
