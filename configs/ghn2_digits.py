r"""GHN-2 on handwritten digits: weights for networks that were never trained.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
scaled down: networks of 2 to 4 cells of one or two nodes, nine operations, 4 or
8 channels (paper: 4 to 18, one to four, fifteen, 32 to 128), 8x8 images,
meta-batches of 4 (8) and blocks of 16x16 weights of 3x3 (64x64 of 11x11). A
hypernetwork is trained on 700 digits; then 40 random networks are scored with
predicted weights on 700 others, in batches of 64, and the best is found.

  python -m experiments.search --config=configs/ghn2_digits.py \
      --workdir=runs/ghn2

How good predicted weights are on networks of every split, beside the baselines:

  python -m experiments.ghn2_digits --workdir=runs/ghn2_splits

Options come after a colon, separated by commas:

  quick   three steps of a tiny hypernetwork
  method  ghn2 (default); ghn1: without virtual edges, normalisation of
          predicted weights and of embeddings, a network a step; mlp: GHN-2 that
          sees no edges; ghn3: three layers of a graph transformer, 32 features
          (GHN-3-T: 64), trained by AdamW with a penalty on predicted norms
  steps   of the hypernetwork (default 2,000)
"""

from typing import Any

import jax
import ml_collections

from nasjax.experiment import options
from nasjax.spaces import deepnets, deepnets_layouts
from nasjax.types import Arch

METHODS = ('ghn2', 'ghn1', 'mlp', 'ghn3')
_DEFAULTS = dict(method='ghn2', steps=2000)
_META_BATCH, _SCORED, _PROPOSAL = 4, 40, 8


def layout(quick: bool) -> deepnets_layouts.Layout:
  """Return the layout of the networks."""
  if not quick:
    return deepnets_layouts.DIGITS
  names = ('skip_connect', 'conv_1x1')
  return deepnets_layouts.DIGITS._replace(
    operations=names, depths=(2,), steps=(1,), widths=(2,)
  )


def model(method: str, quick: bool) -> dict[str, Any]:
  """Return the section of a hypernetwork."""
  section = dict(
    name='networks.hypernetwork.Hypernetwork',
    features=8 if quick else 32,
    channels=4 if quick else 16,
    kernel=3,
  )
  encoder = lambda name, **settings: dict(
    encoder=dict(function=f'networks.graph_encoders.{name}', **settings)
  )
  differences = {
    'ghn2': encoder('GatedGnn'),
    'ghn1': encoder('GatedGnn', cutoff=1) | dict(layer_norm=False),
    'mlp': encoder('Perceptron'),
    'ghn3': encoder('Graphormer') | dict(centred=True, small_start=True),
  }
  return section | differences[method]


def training(method: str, quick: bool) -> dict[str, Any]:
  """Return how a hypernetwork is trained."""
  first, third = method == 'ghn1', method == 'ghn3'
  optimizer = 'adamw' if third else 'adam'
  return dict(
    optimizer=dict(function=f'estimators.ghn_optimizers.{optimizer}'),
    meta_batch=1 if first else 2 if quick else _META_BATCH,
    normalise=not first,
    norm_penalty=3e-5 if third else 0.0,
  )


def num_params(arch: Arch, networks: deepnets_layouts.Layout) -> jax.Array:
  """Return how many parameters a network has."""
  return deepnets.num_params(networks, arch)


def assemble(
  name: str,
  quick: bool,
  steps: int,
  scored: int,
  proposal: int,
  test_batch: int,
  search: dict[str, Any],
  **sections: Any,
) -> ml_collections.ConfigDict:
  """Return the config of a hypernetwork for the networks of a layout.

  Args:
    name: of the module whose `layout(quick)` is that of the networks.
    quick: whether it is the quick form.
    steps: updates of the hypernetwork.
    scored: networks of the search behind them.
    proposal: of these, scored at once.
    test_batch: images of a batch of the validation part.
    search: further settings of `systems.ghn2`.
    **sections: further sections.

  Returns:
    The config.
  """
  networks = dict(name=f'configs.{name}:layout', quick=quick)
  space = dict(name='spaces.deepnets.deepnets', layout=networks)
  counting = dict(function='configs.ghn2_digits:num_params', networks=networks)
  valid = dict(
    name='data.streams.evaluation_batches',
    dataset='@data.valid',
    batch_size=350 if quick else test_batch,
  )
  strategy = dict(
    name='strategies.random_search.random_search',
    space=space,
    batch_size=2 if quick else proposal,
  )
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_random=1 if quick else 10,
      num_steps=steps + (1 if quick else scored // proposal),
      space=space,
      describe=dict(params=counting),
      search=dict(
        name='systems.ghn2.ghn2',
        layout=networks,
        valid=valid,
        num_train_steps=steps,
        strategy=strategy,
        **search,
      ),
      **sections,
    )
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
  given = options.parse(arg, _DEFAULTS, dict(steps=3), dict(method=METHODS))
  quick, method, steps = given['quick'], given['method'], given['steps']
  batches = dict(
    name='data.streams.batches',
    dataset='@data.train',
    batch_size=8 if quick else 32,
  )
  return assemble(
    'ghn2_digits',
    quick,
    steps,
    *(_SCORED, _PROPOSAL, 64),
    search=dict(model=model(method, quick), **training(method, quick)),
    num_seeds=1 if quick else 3,
    data=dict(name='data.arrays.digits'),
    batches=batches,
  )
