"""The README's examples run, and it lists the systems that exist."""

import pathlib
import re

import pytest

from nasjax import systems

_ROOT = pathlib.Path(__file__).parents[1]
_README = (_ROOT / 'README.md').read_text()
_EXAMPLES = re.findall(r'^```python\n(.*?)^```$', _README, re.DOTALL | re.M)


def test_there_are_examples():
  assert _EXAMPLES


@pytest.mark.parametrize('example', range(len(_EXAMPLES)))
def test_an_example_runs_and_prints(example, capsys):
  exec(compile(_EXAMPLES[example], f'README.md, {example}', 'exec'), {})
  assert capsys.readouterr().out


def test_the_table_lists_every_system():
  listed = re.findall(r'^\| `systems\.(\w+)` \|', _README, re.M)
  assert listed == sorted(systems.__all__)


@pytest.mark.parametrize('name', ['README.md', 'BUILD.md', 'CONTRIBUTING.md'])
def test_a_link_into_the_repository_leads_somewhere(name):
  links = re.findall(r'\]\((?!https?:)([^)#]+)', (_ROOT / name).read_text())
  missing = [link for link in links if not (_ROOT / link).exists()]
  assert missing == []
