"""Tests of profiles of spaces."""

import csv
import json

import jax
import numpy as np
import pytest

from configs import profile_mobile, profile_nasbench201
from nasjax import experiment
from nasjax.experiment import profiles
from nasjax.spaces import categorical, darts_cell


def _rows(path):
  with open(path, newline='') as file:
    return list(csv.DictReader(file))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('profile') / 'run'
  config = profile_nasbench201.get_config('quick')
  outcome = profiles.execute(profiles.prepare(config, workdir))
  return workdir, config, outcome


def test_the_files_have_every_architecture_and_every_option(folder):
  workdir, config, outcome = folder
  cells = _rows(workdir / 'profile.csv')
  assert len(cells) == config.num_switched
  timed = [row for row in cells if row['child']]
  assert len(timed) == len([row for row in cells if row['again']]) == 3
  assert all(float(row['switched']) > 0 for row in cells)
  options = _rows(workdir / 'table.csv')
  changed = {(row['decision'], row['option']) for row in options}
  assert len(changed) == len(options) == 6 * (4 - 1)
  assert json.loads((workdir / 'results.json').read_text()) == outcome
  assert (workdir / 'report.html').read_text().count('<img') == 5


def test_what_is_measured_is_not_measured_again(folder):
  workdir, config, outcome = folder
  before = (workdir / profiles.FILE).read_text()
  again = profiles.execute(profiles.prepare(config, workdir))
  assert (workdir / profiles.FILE).read_text() == before
  assert again == outcome


def test_the_text_names_all_comparisons_and_forms(folder):
  text = experiment.profile_tables.text(folder[2])
  for name in ('timed again', 'table against switches', 'exchanged'):
    assert name in text


def test_more_programs_than_allowed_are_refused_before_any_is_compiled(
  tmp_path,
):
  config = profile_nasbench201.get_config('quick')
  config.max_compiles = 2
  with pytest.raises(ValueError, match='3 architectures .* max_compiles = 2'):
    profiles.prepare(config, tmp_path)
  # Without a program for many, every exchanged option has one of its own.
  config.max_compiles, config.num_switched = 20, None
  with pytest.raises(ValueError, match='22 architectures .* max_compiles = 20'):
    profiles.prepare(config, tmp_path)


def test_several_resolutions_cannot_be_timed_at_one(tmp_path):
  config = profile_mobile.get_config('quick')
  config.space.layout.resolutions = (8, 16)
  config.network.layout.resolutions = (8, 16)
  with pytest.raises(ValueError, match='several resolutions'):
    profiles.prepare(config, tmp_path)


@pytest.mark.parametrize(
  'space', [categorical.categorical({'op': (3, 3)}), darts_cell.darts_cell()]
)
def test_drawn_architectures_are_distinct_and_fewer_are_the_first(space):
  archs = profiles.draw(space, 12, seed=3)
  texts = [str(jax.tree.map(np.ndarray.tolist, arch)) for arch in archs]
  assert len(set(texts)) == 12
  jax.tree.map(
    np.testing.assert_array_equal, archs[:5], profiles.draw(space, 5, seed=3)
  )


def test_a_space_with_fewer_architectures_gives_them_all():
  archs = profiles.draw(categorical.categorical({'op': (2, 2)}), 9, seed=0)
  assert sorted(tuple(arch['op']) for arch in archs) == [
    (0, 0),
    (0, 1),
    (1, 0),
    (1, 1),
  ]


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    (dict(num_cells=3), 'Unknown config key'),
    (dict(network_name=''), "no 'network_name'"),
    (dict(num_rounds='many'), 'config.num_rounds must be int'),
    (dict(space=dict(name='spaces.nasbench.cell')), 'config.space'),
    (dict(input_shape=(8, 8)), 'config.network'),
  ],
)
def test_mistakes_are_named(changes, message, tmp_path):
  config = profile_nasbench201.get_config('quick').to_dict() | changes
  with pytest.raises(ValueError, match=message):
    profiles.prepare(config, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()
