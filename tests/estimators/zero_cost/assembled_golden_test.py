"""AZ-NAS and Zen-score against the authors' programs, with the same draws.

The programs ran unchanged in double precision (torch 2.13.0, numpy 2.4.6,
scipy 1.17.1), on the network of NAS-Bench-201 that comes with the first:

  az_nas.npz  https://github.com/cvlab-yonsei/AZ-NAS, commit 5e6683a:
              NB201/ZeroShotProxy/compute_az_nas_score.py, `compute_nas_score`;
              ranks: cell 8 of NB201/tss_general.ipynb
  zen.npz     https://github.com/idstcv/ZenNAS, commit d1d617e:
              ZeroShotProxy/compute_zen_score.py, `compute_nas_score`, with the
              gamma of 0.01 and the one repeat of its evolution_search.py

What they draw was replaced by the numbers in the files: `normals` in the order
of the kernels of the network here, images and noise, all from N(0, 1) rounded
to half precision, and `signs` block by block from the stem on.
"""

import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import ranking
from nasjax.estimators import zero_cost
from nasjax.estimators.zero_cost import initial
from nasjax.networks import NasBench201

FOLDER = pathlib.Path(__file__).parents[2] / 'golden'
NETWORK = NasBench201(channels=2, cells_per_stage=2)
# The last two fail: a cell that does nothing, and one that gives zeros.
CELLS = ('mixed', 'sparse', 'identity', 'disconnected')
PARTS = ('expressivity', 'progressivity', 'trainability')
BATCH = {'image': jnp.zeros((4, 8, 8, 3), jnp.float32)}  # gives the shape
PRECISIONS = {True: 1e-9, False: 1e-4}  # double or not, tolerance


def _replay(monkeypatch, file, names):
  """Let the draws of jax be those of a file, in the order of the names."""
  normals = iter([file[name] for name in names])
  signs = iter(file['signs']) if 'signs' in file else None

  def normal(key, shape, dtype=float):
    del key
    drawn = next(normals)
    assert drawn.shape == shape
    return jnp.asarray(drawn, dtype)

  def rademacher(key, shape, dtype=int):
    del key
    drawn = [next(signs) for _ in range(math.prod(shape))]
    return jnp.asarray(drawn, dtype).reshape(shape)

  monkeypatch.setattr(jax.random, 'normal', normal)
  monkeypatch.setattr(jax.random, 'rademacher', rademacher)


def _variables(init, cell, fan):
  """Initial variables; networks start in single precision."""
  with jax.enable_x64(False):
    variables = jax.jit(init)(jax.random.key(0), cell)
  if not jax.config.jax_enable_x64:
    return variables
  variables = jax.tree.map(lambda leaf: leaf.astype(float), variables)
  if fan is None:
    return variables
  # The same draws, without rounding.
  params = initial.normal_weights(jax.random.key(0), variables['params'], fan)
  return {**variables, 'params': params}


def _raw(scored, file, fan):
  """Raw scores of all cells, by one program."""
  cells = [{'op': jnp.asarray(file[f'op/{name}'])} for name in CELLS]
  variables = _variables(scored.init, cells[0], fan)
  raw = jax.jit(lambda arch: scored.raw(jax.random.key(1), variables, arch))
  return [raw(cell) for cell in cells]


@pytest.mark.parametrize('double', PRECISIONS)
def test_parts_of_az_nas_equal_the_authors_program(monkeypatch, double):
  file = dict(np.load(FOLDER / 'az_nas.npz'))
  _replay(monkeypatch, file, ['normals'] * (1 + double) + ['image'])
  with jax.enable_x64(double):
    raw = _raw(zero_cost.az_nas(NETWORK, BATCH), file, 'in')
  found = np.array([[scores[part] for part in PARTS] for scores in raw])
  expected = [[file[f'score/{c}/{part}'] for part in PARTS] for c in CELLS]
  found[np.isnan(found)] = -np.inf  # failures as published
  tolerance = PRECISIONS[double]
  np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize('double', PRECISIONS)
def test_zen_equals_the_authors_program(monkeypatch, double):
  file = dict(np.load(FOLDER / 'zen.npz'))
  _replay(monkeypatch, file, ['normals', 'image', 'noise'])
  with jax.enable_x64(double):
    found = _raw(zero_cost.zen(NETWORK, BATCH), file, None)
  expected = [file[f'score/{cell}'] for cell in CELLS]
  np.testing.assert_allclose(found, expected, rtol=PRECISIONS[double])


@pytest.mark.parametrize('double', PRECISIONS)
def test_ranks_are_assembled_as_in_the_authors_notebook(double):
  """Four scores of 24 cells, with ties and failures."""
  file = np.load(FOLDER / 'az_nas.npz')
  with jax.enable_x64(double):
    found = ranking.assembled(jnp.asarray(file['table']))
  tolerance = 1e-12 if double else 1e-6
  np.testing.assert_allclose(found, file['assembled'], rtol=tolerance)
