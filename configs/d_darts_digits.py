r"""D-DARTS on handwritten digits, on a CPU: six cells that share nothing.

Heuillet, Tabia, Arioui and Youcef-Toumi, D-DARTS, 2021, table of CIFAR-10,
scaled down: 8x8 images, 6 cells of 4 channels instead of 8 of 16, the four
operations skip, max pool, separable and dilated 3x3, 7 epochs of 21 steps
instead of 50 of 260. Adam's rates for alpha times the number of steps are the
paper's up to a factor of four, beyond which weights reach the bar of 0.85 all
the same. What is found is trained beside random cells of the same space.

  python -m experiments.search --config=configs/d_darts_digits.py \
      --workdir=runs/d_darts_digits

`:deep` trains networks of 14 cells derived from the six, without a new search.
`:edge` keeps up to two operations on every edge; there are then no random cells
to compare with. `:quick` is the smallest setting of the same code path. The
ablation loss is that of the authors' program;
`--config.search.ablation=differentiable` gives it a gradient, `off` saves its
passes.
"""

from collections.abc import Callable
from typing import Any

import jax
import ml_collections

from configs import darts_digits
from nasjax.spaces import separate_cells

_OPTIONS = ('', 'deep', 'edge', 'quick')
_OPERATIONS = (
  'none',
  'max_pool_3x3',
  'skip_connect',
  'sep_conv_3x3',
  'dil_conv_3x3',
)


def each_cell() -> Callable[[Any], dict[str, jax.Array]]:
  """Return `(state) -> arrays`: the alphas of every cell, to be drawn apart."""

  def snapshot(state):
    alphas = state.arch_params['cells']  # [..., G, E, K], perhaps of seeds
    return {f'cell_{i}': alphas[..., i, :, :] for i in range(alphas.shape[-3])}

  return snapshot


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '', 'deep', 'edge' or 'quick'.

  Returns:
    The config.
  """
  if arg not in _OPTIONS:
    raise ValueError(f'Unknown option {arg!r}. Known: deep, edge, quick.')
  quick = arg == 'quick'
  num_cells, num_nodes = (3, 1) if quick else (6, 4)
  operations = _OPERATIONS[:-1] if quick else _OPERATIONS
  shape = dict(num_nodes=num_nodes, operations=operations)
  config = darts_digits.get_config('quick' if quick else '')

  config.space = dict(
    name='spaces.darts_cell.darts_cell', num_cells=num_cells, **shape
  )
  network = dict(name='networks.darts.Darts', channels=4, **shape)
  config.network = network | dict(
    num_cells=num_cells, cells=tuple(range(num_cells))
  )
  num_layers = 14 if arg == 'deep' else num_cells
  evaluated = network | dict(
    num_cells=num_layers,
    cells=separate_cells.layer_cells(num_layers, num_cells),
    operations_per_edge=2 if arg == 'edge' else 1,
    affine=True,
    pool_norm=False,
    track=True,
  )
  for column in config.describe.values():
    column.network = evaluated
  config.evaluation.trainer.network = evaluated
  search = config.search.to_dict()
  config.search = dict(
    name='systems.d_darts.d_darts',
    input_shape=search['input_shape'],
    steps_per_epoch=search['steps_per_epoch'],
    num_epochs=search['num_epochs'],
    arch_learning_rate=0.06,
    final_arch_learning_rate=0.02,
    learning_rate=0.025,
    parse='edge' if arg == 'edge' else 'sparse',
  )
  config.snapshot = dict(name='configs.d_darts_digits:each_cell')
  if arg == 'edge':
    config.num_random = 0
  return config


def sweep() -> list[dict]:
  """Return the seeds of three independent studies."""
  return [{'seed': seed} for seed in range(3)]
