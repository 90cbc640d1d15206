"""Every config runs to its report in its quick form."""

import importlib
import json
import pathlib

import pytest

from nasjax import experiment

_CONFIGS = sorted(
  path.stem
  for path in (pathlib.Path(__file__).parents[1] / 'configs').glob('*.py')
  if path.stem != '__init__'
)
_SCORES = [name for name in _CONFIGS if name.startswith('score_')]
_SEARCHES = [name for name in _CONFIGS if name not in _SCORES]


@pytest.mark.parametrize('name', _SEARCHES)
def test_the_quick_form_runs_to_its_report(name, tmp_path):
  config = importlib.import_module(f'configs.{name}').get_config('quick')
  outcome = experiment.run(config, tmp_path / 'run')
  assert {row['name'] for row in outcome['rows']} == {'found', 'random'}
  stored = json.loads((tmp_path / 'run' / 'results.json').read_text())
  assert len(stored['rows']) == len(outcome['rows'])
  page = (tmp_path / 'run' / 'report.html').read_text()
  assert page.rstrip().endswith('</html>')


@pytest.mark.parametrize('name', _SCORES)
def test_the_quick_form_of_scores_runs_to_its_report(name, tmp_path):
  config = importlib.import_module(f'configs.{name}').get_config('quick')
  outcome = experiment.score(config, tmp_path / 'run')
  named = {row['score'] for row in outcome['correlations']}
  assert named == {'params', 'macs', *config.proxies}
  page = (tmp_path / 'run' / 'report.html').read_text()
  assert page.rstrip().endswith('</html>')


@pytest.mark.parametrize('name', _CONFIGS)
def test_an_unknown_option_is_named(name):
  module = importlib.import_module(f'configs.{name}')
  with pytest.raises(ValueError, match='Known: .*quick'):
    module.get_config('swift')


@pytest.mark.parametrize('name', _CONFIGS)
def test_the_head_gives_the_command(name):
  module = importlib.import_module(f'configs.{name}')
  assert f'--config=configs/{name}.py' in ' '.join(module.__doc__.split())


def test_networks_for_images_of_another_shape_are_refused(tmp_path):
  config = importlib.import_module('configs.darts_digits').get_config('quick')
  config.search.input_shape = (8, 8, 3)
  with pytest.raises(ValueError, match=r'\(8, 8, 3\), but .* \(8, 8, 1\)'):
    experiment.prepare(config, tmp_path / 'run')
  assert not (tmp_path / 'run').exists()
