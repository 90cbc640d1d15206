"""What a config of a study may hold, checked before anything is built."""

from collections.abc import Mapping
from typing import Any

from nasjax.experiment import build, names, settings, study_columns

# name: (type, default or None where it may be left out)
SCALARS = {
  'seed': (int, 0),
  'num_seeds': (int, 100),
  'seed_batch_size': (int, None),  # seeds in one vmap
  'chunk_size': (int, None),  # seeds between two writes; all by default
  'num_queries': (int, None),
  'num_workers': (int, 1),
  'count_duplicates': (bool, False),
  'sees': (str, None),  # a column that takes the place of the signal
  'num_rows': (int, None),  # of the table; by default the size of the space
  'baseline': (str, 'random_search'),  # what others are compared with
}
SECTIONS = ('data', 'space', 'index_of', 'signal', 'estimator', 'cost')
_REQUIRED = ('space', 'index_of', 'signal', 'columns', 'strategies')
# Of SCALARS, what each strategy may have a value of its own for.
_OWN = (
  'num_seeds',
  'seed_batch_size',
  'chunk_size',
  'num_workers',
  'count_duplicates',
  'sees',
)


def _amounts(config, key):
  """A tuple of positive numbers, rising."""
  values = tuple(config.get(key) or ())
  if any(isinstance(v, bool) or not isinstance(v, int | float) for v in values):
    raise ValueError(f'config.{key} must be numbers, got {values}.')
  if list(values) != sorted(set(values)) or any(v <= 0 for v in values):
    raise ValueError(f'config.{key} must rise from above 0, got {values}.')
  return values


def own(config: Mapping[str, Any], name: str) -> dict[str, Any]:
  """Return the plain values that hold for one strategy of a study."""
  return {k: config[k] for k in SCALARS} | config['settings'].get(name, {})


def _check_seen(path, values, columns):
  if values.get('sees') is not None and values['sees'] not in columns:
    raise names.unknown(f'column in {path}.sees:', values['sees'], columns)


def _check_settings(config, resolved):
  """`settings`: by strategy, values that differ from those of the study."""
  found = {}
  for name, values in dict(config.get('settings') or {}).items():
    if name not in config['strategies']:
      raise names.unknown(
        'strategy in config.settings:', name, config['strategies']
      )
    for key in values:
      if key not in _OWN:
        raise names.unknown(f'key in config.settings.{name}:', key, _OWN)
    _check_seen(f'config.settings.{name}', values, config['columns'])
    checked = settings.scalars(
      resolved | dict(values), {key: SCALARS[key] for key in _OWN}
    )
    found[name] = {key: checked[key] for key in values}
  return found


def check(config: dict[str, Any]) -> dict[str, Any]:
  """Check a whole config and fill in defaults, without building anything.

  Args:
    config: nested dicts.

  Returns:
    The resolved config.

  Raises:
    ValueError: for the first thing that is unknown, missing or of a wrong type.
  """
  known = (
    *SCALARS,
    *SECTIONS,
    *('columns', 'strategies', 'settings', 'budgets', 'times'),
    *('picks', 'fronts'),
  )
  for key in config:
    if key not in known:
      raise names.unknown('config key', key, known)
  for key in _REQUIRED:
    if not config.get(key):
      raise ValueError(f'The config has no section {key!r}.')
  resolved = settings.scalars(config, SCALARS)
  _check_seen('config', resolved, config['columns'])
  if resolved['num_queries'] is None:
    raise ValueError('config.num_queries must be int, got None.')
  resolved['budgets'] = _amounts(config, 'budgets') or (
    resolved['num_queries'],
  )
  resolved['times'] = _amounts(config, 'times')
  if resolved['budgets'][-1] > resolved['num_queries']:
    raise ValueError(
      f'config.budgets end at {resolved["budgets"][-1]}, but a search has '
      f'{resolved["num_queries"]} queries (config.num_queries).'
    )
  if resolved['baseline'] not in config['strategies']:
    raise names.unknown(
      'strategy in config.baseline:', resolved['baseline'], config['strategies']
    )
  resolved['settings'] = _check_settings(config, resolved)
  resolved |= study_columns.check(config, ['signal', *config['columns']])
  parts = list(SCALARS)
  for key in (*SECTIONS, 'columns', 'strategies'):
    if config.get(key) is None:
      continue
    plural = key in ('columns', 'strategies', 'index_of', 'cost')
    section = config[key]
    if key in ('index_of', 'cost'):
      section = {key: section}
    try:
      (build.check_values if plural else build.check)(section, parts)
    except ValueError as error:
      raise ValueError(f'config.{key}: {error}') from None
    resolved[key] = config[key]
    parts += [key, 'example'] if key == 'space' else [key]
  for name in config['strategies']:
    if not name.isidentifier() or name == 'plots':
      raise ValueError(
        f'config.strategies: {name!r} is no name for a folder and a column.'
      )
  return resolved
