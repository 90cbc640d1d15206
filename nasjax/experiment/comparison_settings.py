"""What a config of a comparison may hold, checked before anything is built."""

from collections.abc import Mapping
from typing import Any

from nasjax.experiment import build, names, settings

OWN = ('methods', 'random', 'baselines', 'reference', 'form')
_RESERVED = ('best', 'evaluate', 'plots')
_NOT_OF_METHODS = ('describe', 'evaluation', 'search', 'spec')


def method(config: Mapping[str, Any], name: str) -> dict[str, Any]:
  """Return the config of the job that a method of a comparison is.

  Args:
    config: of the comparison.
    name: of the method.

  Returns:
    What all methods share, and what is its own in the place of that.
  """
  known = (*settings.SCALARS, *settings.SECTIONS)
  shared = {
    key: value
    for key, value in config.items()
    if key in known and key not in _NOT_OF_METHODS
  }
  own = config['methods'][name]
  # A section of its own that is None leaves out the shared one.
  merged = {k: v for k, v in (shared | own).items() if v is not None}
  return settings.check(merged | {'num_random': 0})


def _check_random(config):
  found = {}
  for name, section in dict(config.get('random') or {}).items():
    for key in section:
      if key not in ('num', 'space'):
        raise names.unknown(
          f'key in config.random.{name}:', key, ('num', 'space')
        )
    num = section.get('num')
    if isinstance(num, bool) or not isinstance(num, int) or num < 2:
      raise ValueError(
        f'config.random.{name}.num must be an int of at least 2, got {num!r}.'
      )
    if section.get('space') is not None:
      build.check(section['space'])
    found[name] = dict(section)
  if not found:
    raise ValueError('The config has no section "random".')
  return found


def _check_baselines(config, random):
  given = dict(config.get('baselines') or {})
  for name, baseline in given.items():
    if name not in config['methods']:
      raise names.unknown(
        'method in config.baselines:', name, config['methods']
      )
    if baseline not in random:
      raise names.unknown(f'config.baselines.{name}:', baseline, random)
  return dict.fromkeys(config['methods'], next(iter(random))) | given


def _check_names(config):
  """Methods and random groups are folders and rows of one table."""
  for name in (*config['methods'], *config['random']):
    if not str(name).isidentifier() or name in _RESERVED:
      raise ValueError(
        f'config.methods: {name!r} is no name for a folder and a row.'
      )
  for name in config['random']:
    if name in config['methods']:
      raise ValueError(f'config.random: {name!r} is the name of a method.')


def check(config: Mapping[str, Any]) -> dict[str, Any]:
  """Check a whole config and fill in defaults, without building anything.

  Args:
    config: nested dicts.

  Returns:
    The resolved config.

  Raises:
    ValueError: for the first thing that is unknown, missing or of a wrong type.
  """
  known = (*settings.SCALARS, *settings.SECTIONS, *OWN)
  for key in config:
    if key not in known or key in ('search', 'spec', 'num_random'):
      raise names.unknown('config key', key, known)
  for key in ('methods', 'space', 'snapshot', 'network'):
    if not config.get(key):
      raise ValueError(f'The config has no section "{key}".')
  for key in ('operations', 'num_cells'):
    if not config['network'].get(key):
      raise ValueError(
        f'config.network needs {key}: shares of operations are of its cells.'
      )
  random = _check_random(config)
  config = dict(config) | {'random': random}
  _check_names(config)
  for name in config['methods']:
    try:
      method(config, name)
    except ValueError as error:
      raise ValueError(f'config.methods.{name}: {error}') from None
  baselines = _check_baselines(config, random)
  # The evaluation is checked as that of a job of the first method would be.
  first = method(config, next(iter(config['methods'])))
  shared = {k: config[k] for k in settings.SECTIONS if k in config}
  resolved = settings.check(
    {k: config[k] for k in settings.SCALARS if k in config}
    | shared
    | {'search': first['search'], 'num_steps': first['num_steps']}
  )
  del resolved['search']
  reference = config.get('reference') or next(iter(config['methods']))
  if reference not in config['methods']:
    raise names.unknown(
      'method in config.reference:', reference, config['methods']
    )
  form = config.get('form')
  if form is not None:
    build.check(form, ('space',))
  return resolved | {
    'methods': config['methods'],
    'random': random,
    'baselines': baselines,
    'reference': reference,
    'form': form,
  }
