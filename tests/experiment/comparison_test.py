"""Tests of comparisons: the folder, the tables, resuming, mistakes."""

import csv
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nasjax import networks
from nasjax.experiment import comparison, comparison_records, folder, metrics
from nasjax.spaces import cell_statistics, darts_cell, separate_cells

PARTS = 'tests.experiment.parts'
OPERATIONS = ('none', 'max_pool_3x3', 'avg_pool_3x3', 'skip_connect')
SHAPE = dict(num_nodes=2, operations=OPERATIONS)
SPACE = dict(name='spaces.darts_cell.darts_cell', **SHAPE)
SEPARATE = SPACE | dict(num_cells=3)


def _method(**settings):
  return dict(search=dict(name=f'{PARTS}:cell_search', **settings))


CONFIG = dict(
  num_seeds=3,
  seed_batch_size=3,
  num_steps=8,
  eval_every=2,
  space=SPACE,
  network=dict(name='networks.darts.Darts', num_cells=3, **SHAPE),
  snapshot=dict(name='experiment.mixtures.snapshot'),
  methods=dict(
    drifting=_method(drift=20.0),
    plain=_method(),
    separate=_method(drift=-20.0) | dict(space=SEPARATE),
  ),
  random=dict(random=dict(num=4), random_separate=dict(num=3, space=SEPARATE)),
  baselines=dict(separate='random_separate'),
  reference='plain',
  form=dict(name='spaces.separate_cells.unshared', num_cells=3),
  describe=dict(
    skips=dict(
      name='spaces.cell_statistics.num_chosen',
      names=('skip_connect',),
      operations=OPERATIONS,
    )
  ),
  evaluation=dict(name=f'{PARTS}:cell_population', num_steps=3),
)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('comparison') / 'run'
  return workdir, comparison.compare(CONFIG, workdir)


def test_every_network_is_a_row_and_every_group_has_its_baseline(whole):
  _, outcome = whole
  counts = {}
  for row in outcome['rows']:
    counts[row['name']] = counts.get(row['name'], 0) + 1
    assert np.shape(row['arch']['cells']) == (3, 5)
  assert counts == {
    **dict(drifting=3, plain=3, separate=3),
    **dict(random=4, random_separate=3),
  }
  groups = {row['name']: row for row in outcome['methods']}
  assert groups['drifting']['baseline'] == 'random'
  assert groups['separate']['baseline'] == 'random_separate'
  assert 'baseline' not in groups['random']
  means = {
    name: np.mean(
      [row['test_accuracy'] for row in outcome['rows'] if row['name'] == name]
    )
    for name in groups
  }
  for name, baseline in (('plain', 'random'), ('separate', 'random_separate')):
    difference = means[name] - means[baseline]
    assert groups[name]['difference'] == pytest.approx(difference, abs=1e-6)
  # 4 of 5 edges are used, all by skips: 12 in three cells.
  assert groups['drifting']['skips'] == 12 and groups['separate']['skips'] == 0
  assert groups['drifting']['high'] < 0 < groups['separate']['low']


def test_curves_of_skips_are_those_of_a_loop_over_the_snapshots(whole):
  workdir, _ = whole
  with open(workdir / 'curves.csv') as file:
    rows = [row for row in csv.DictReader(file) if row['kind'] == 'all']
  found = {(r['method'], int(r['step'])): float(r['mean']) for r in rows}
  for row in metrics.read(workdir / 'plain' / 'search' / 'snapshots.jsonl'):
    shares = []
    for seed in range(3):
      skip = total = 0.0
      for kind in separate_cells.kinds(3):
        for edge in row[kind][seed]:
          skip, total = skip + edge[3], total + sum(edge[1:])
      shares.append(skip / total)
    assert found['plain', row['step']] == pytest.approx(np.mean(shares))
  assert found['plain', 0] == pytest.approx(1 / 3)
  assert found['drifting', 8] > 0.99 > 0.01 > found['separate', 8]


def test_the_folder_holds_the_tables_and_a_page_that_loads_nothing(whole):
  workdir, outcome = whole
  stored = json.loads((workdir / 'results.json').read_text())
  assert [row['name'] for row in stored['methods']] == [
    row['name'] for row in outcome['methods']
  ]
  page = (workdir / 'report.html').read_text()
  assert page.count('data:image/png;base64') == page.count('<img') >= 12
  assert 'http' not in page and 'separate: cell 0' in page
  for name in ('results.csv', 'comparison.csv', 'plain/best/search.json'):
    assert (workdir / name).exists()


@pytest.mark.parametrize('phase', ['plain', 'evaluate'])
def test_a_comparison_that_was_stopped_ends_like_one_that_was_not(
  whole, phase, tmp_path, monkeypatch
):
  event = folder.event

  def stop(workdir, name, **fields):
    event(workdir, name, **fields)
    if fields.get('phase') == phase or (
      workdir.name == phase and fields.get('phase') == 'search'
    ):
      raise KeyboardInterrupt

  monkeypatch.setattr(folder, 'event', stop)
  with pytest.raises(KeyboardInterrupt):
    comparison.compare(CONFIG, tmp_path / 'run')
  monkeypatch.setattr(folder, 'event', event)
  study = comparison.prepare(CONFIG, tmp_path / 'run')
  done = [name for name, job in study.methods.items() if job is None]
  assert (
    done == ['drifting', 'plain', 'separate'][: 1 if phase == 'plain' else 3]
  )
  again = comparison.execute(study)
  assert metrics.dumps(again['rows']) == metrics.dumps(whole[1]['rows'])
  for name in ('curves.csv', 'results.csv'):
    assert (tmp_path / 'run' / name).read_bytes() == (
      whole[0] / name
    ).read_bytes()


def test_a_method_that_diverges_is_missing_and_the_others_go_on(tmp_path):
  methods = dict(CONFIG['methods'], broken=_method(nan=True))
  outcome = comparison.compare(CONFIG | dict(methods=methods), tmp_path / 'run')
  assert outcome['missing'] == ['broken']
  assert {row['name'] for row in outcome['methods']} >= {'plain', 'random'}


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'method': 3}, "key 'method'"),
    ({'methods': {}}, 'no section "methods"'),
    ({'snapshot': None}, 'no section "snapshot"'),
    ({'network': dict(name='networks.darts.Darts')}, 'needs operations'),
    ({'methods': {'plots': _method()}}, "'plots' is no name"),
    ({'methods': {'a': _method(drifts=1)}}, "methods.a: .*'drifts'"),
    ({'random': {'plain': dict(num=3)}}, "'plain' is the name of a method"),
    ({'random': {'random': dict(num=1)}}, 'at least 2'),
    ({'baselines': {'plain': 'luck'}}, "'luck'"),
    ({'reference': 'luck'}, "'luck'"),
    ({'form': dict(name='spaces.separate_cells.unshared')}, 'num_cells'),
  ],
)
def test_a_mistake_is_named_before_any_work(changes, message, tmp_path):
  with pytest.raises(ValueError, match=message):
    comparison.prepare(CONFIG | changes, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


def test_another_config_in_the_folder_is_refused(whole):
  with pytest.raises(folder.FolderError, match='num_steps: 8 there, 9 here'):
    comparison.prepare(CONFIG | dict(num_steps=9), whole[0])


def test_the_accuracy_of_a_stopped_search_is_that_before_the_stop(tmp_path):
  (tmp_path / 'search').mkdir()
  metrics.append(
    tmp_path / 'search' / 'metrics.jsonl',
    [
      {
        'step': step,
        'valid_accuracy': [step if step < 5 else 0, step],
        'stopped': [float(step >= 5), 0.0],
      }
      for step in range(1, 9)
    ],
  )
  found = comparison_records.supernet(tmp_path)
  assert found == {'valid_accuracy': [4.0, 8.0]}


def test_networks_of_separate_rows_compute_what_those_of_two_kinds_do():
  operations = ('none', 'max_pool_3x3', 'skip_connect', 'sep_conv_3x3')
  settings = dict(channels=2, num_cells=4, num_nodes=1, operations=operations)
  two = networks.Darts(**settings)
  rows = networks.Darts(**settings, cells=(0, 1, 2, 3))
  space = darts_cell.darts_cell(num_nodes=1, operations=operations)
  key = jax.random.key(1)
  x = jax.random.normal(key, (3, 8, 8, 1))
  form = separate_cells.unshared(4)
  archs = jax.vmap(space.sample)(jax.random.split(key, 6))
  variables = jax.jit(two.init)(key, space.sample(key), x)

  @jax.jit
  def both(arch):
    return two.apply(variables, arch, x), rows.apply(variables, form(arch), x)

  shared, separate = jax.lax.map(both, archs)
  np.testing.assert_allclose(shared, separate, rtol=1e-5, atol=1e-6)
  assert len(np.unique(np.asarray(shared).round(4), axis=0)) > 1
  shapes = jax.eval_shape(rows.init, key, form(space.sample(key)), x)
  assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, variables)


def test_skips_are_named_as_the_networks_name_them():
  assert cell_statistics.SKIP in darts_cell.OPERATIONS
  assert set(cell_statistics.FREE) < set(darts_cell.OPERATIONS)
