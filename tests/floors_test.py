"""Imports go down one floor or stay, and each library has its place."""

import ast
from collections.abc import Iterator
import pathlib

import pytest

_ROOT = pathlib.Path(__file__).parents[1]

_FLOORS = {
  'types': 0,
  'choice': 0,
  'expressions': 0,
  'keys': 0,
  'archive': 0,
  'batching': 0,
  'pareto': 0,
  'partition': 0,
  'ranking': 0,
  'schedules': 0,
  'graphs': 0,
  'ops': 0,
  'data': 0,
  'spaces': 1,
  'networks': 2,
  'distributions': 3,
  'estimators': 4,
  'strategies': 5,
  'searches': 6,
  'systems': 7,
  'experiment': 8,
  '__init__': 9,  # of nasjax itself
}
_MAY_IMPORT_DATA = ('data', 'experiment', '__init__')
_CONVOLUTIONS = frozenset(
  {
    'conv',
    'conv_general_dilated',
    'conv_general_dilated_local',
    'conv_general_dilated_patches',
    'conv_transpose',
    'conv_with_general_padding',
    'Conv',
    'ConvTranspose',
  }
)


def _imports(tree: ast.AST, into_functions: bool = True) -> Iterator[str]:
  """Yields the dotted names that a module imports."""
  for node in ast.iter_child_nodes(tree):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      module = '.' * node.level + (node.module or '')
      yield from (f'{module}.{alias.name}' for alias in node.names)
    function = isinstance(node, ast.FunctionDef | ast.Lambda)
    if into_functions or not function:
      yield from _imports(node, into_functions)


def _part(path: str) -> str:
  """Returns the floor's folder or the module: 'nasjax/ops/x.py' -> 'ops'."""
  return path.removesuffix('.py').split('/')[1]


def upward_imports(path: str, source: str) -> list[str]:
  """Returns the imports of a module in nasjax/ that its floor forbids."""
  part, wrong = _part(path), []
  for name in _imports(ast.parse(source)):
    if name.startswith('.'):
      wrong.append(f'{path}: relative import {name}')
    if name.split('.')[0] != 'nasjax':
      continue
    target = (name.split('.') + ['__init__'])[1]
    if target not in _FLOORS:
      wrong.append(f'{path}: {name} has no floor')
    elif _FLOORS[target] > _FLOORS[part]:
      wrong.append(f'{path}: {name} is above {part}')
    elif target == 'data' and part not in _MAY_IMPORT_DATA:
      wrong.append(f'{path}: arrays are passed to {part}, not read by it')
  return wrong


def misplaced_libraries(path: str, source: str) -> list[str]:
  """Returns imports of flax and tensorflow where they do not belong."""
  tree, wrong = ast.parse(source), []
  if not path.startswith('nasjax/networks/'):
    wrong += [
      f'{path}: {name} belongs to networks/'
      for name in _imports(tree)
      if name.split('.')[0] == 'flax'
    ]
  wrong += [
    f'{path}: {name} at import time'
    for name in _imports(tree, into_functions=False)
    if name.split('.')[0] == 'tensorflow'
  ]
  return wrong


def bare_convolutions(path: str, source: str) -> list[str]:
  """Returns convolutions of lax and linen outside ops/, slow inside loops."""
  if path.startswith('nasjax/ops/'):
    return []
  wrong = []
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.Attribute) and node.attr in _CONVOLUTIONS:
      owner = ast.unparse(node.value).split('.')[-1]
      if owner in ('lax', 'nn', 'linen'):
        wrong.append(f'{path}:{node.lineno}: {owner}.{node.attr}')
    if isinstance(node, ast.ImportFrom) and 'nasjax' not in (node.module or ''):
      names = {alias.name for alias in node.names} & _CONVOLUTIONS
      wrong += [f'{path}:{node.lineno}: {name}' for name in sorted(names)]
  return wrong


def _sources(*folders: str) -> list[tuple[str, str]]:
  paths = [p for folder in folders for p in (_ROOT / folder).rglob('*.py')]
  return [(p.relative_to(_ROOT).as_posix(), p.read_text()) for p in paths]


def _violations(rule, *folders):
  sources = _sources(*folders)
  assert sources
  return [wrong for path, source in sources for wrong in rule(path, source)]


def test_imports_only_go_downwards():
  assert _violations(upward_imports, 'nasjax') == []


def test_every_part_of_nasjax_has_a_floor():
  parts = {_part(path) for path, _ in _sources('nasjax')}
  assert parts <= set(_FLOORS)


def test_flax_lives_in_networks_and_tensorflow_is_never_needed():
  folders = ('nasjax', 'experiments', 'configs')
  assert _violations(misplaced_libraries, *folders) == []


def test_convolutions_come_from_ops():
  assert _violations(bare_convolutions, 'nasjax') == []


@pytest.mark.parametrize(
  'path, source',
  [
    ('nasjax/choice.py', 'from nasjax import spaces'),
    ('nasjax/ops/pooling.py', 'import nasjax.networks.layers'),
    ('nasjax/spaces/cell.py', 'from nasjax.networks import layers'),
    ('nasjax/estimators/ntk.py', 'def f():\n  from nasjax.searches import run'),
    ('nasjax/systems/darts.py', 'from nasjax.experiment import build'),
    ('nasjax/data/arrays.py', 'from nasjax.spaces import darts_cell'),
    ('nasjax/systems/darts.py', 'from nasjax import data'),
    ('nasjax/networks/cell.py', 'from nasjax.data import arrays'),
    ('nasjax/searches/run.py', 'import nasjax'),
    ('nasjax/searches/run.py', 'from nasjax import utils'),
    ('nasjax/searches/run.py', 'from . import bilevel'),
  ],
)
def test_an_upward_import_is_found(path, source):
  assert len(upward_imports(path, source)) == 1


@pytest.mark.parametrize(
  'path, source',
  [
    ('nasjax/experiment/loop.py', 'from flax import serialization'),
    ('nasjax/choice.py', 'import flax.linen as nn'),
    ('configs/darts.py', 'def f():\n  import flax'),
    ('nasjax/networks/cell.py', 'import tensorflow as tf'),
    ('nasjax/data/tfds.py', 'if True:\n  from tensorflow import io'),
  ],
)
def test_a_misplaced_library_is_found(path, source):
  assert len(misplaced_libraries(path, source)) == 1


@pytest.mark.parametrize(
  'source',
  [
    'lax.conv(x, w, (1, 1), "SAME")',
    'y = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME")',
    'nn.Conv(8, (3, 3))(x)',
    'from jax.lax import conv_general_dilated',
  ],
)
def test_a_bare_convolution_is_found(source):
  assert len(bare_convolutions('nasjax/networks/cell.py', source)) == 1


@pytest.mark.parametrize(
  'rule, path, source',
  [
    (upward_imports, 'nasjax/networks/cell.py', 'from nasjax import choice'),
    (upward_imports, 'nasjax/experiment/loop.py', 'from nasjax import data'),
    (upward_imports, 'nasjax/spaces/a.py', 'from nasjax.spaces import b'),
    (misplaced_libraries, 'nasjax/networks/cell.py', 'import flax.linen as nn'),
    (
      misplaced_libraries,
      'nasjax/data/tfds.py',
      'import tensorflow_datasets as tfds\ndef f():\n  import tensorflow',
    ),
    (bare_convolutions, 'nasjax/ops/convolution.py', 'lax.conv(x, w)'),
    (bare_convolutions, 'nasjax/networks/cell.py', 'ops.conv(x, w)'),
  ],
)
def test_what_is_in_its_place_passes(rule, path, source):
  assert rule(path, source) == []
