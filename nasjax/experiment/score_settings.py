"""What a config of scoring may hold, checked before anything is built."""

from typing import Any

from nasjax.estimators import zero_cost
from nasjax.experiment import build, names, settings

# name: (type, default or None where there is none)
SCALARS = {
  'seed': (int, 0),  # of the weights, and of whatever takes a seed
  'chunk_size': (int, 64),  # architectures in one call of a program
  'arch_batch_size': (int, None),  # of them in one vmap
  'fresh': (bool, False),  # whether every architecture has weights of its own
  'share': (float, 0.1),  # of the best, for precision
  'num_resamples': (int, 200),  # of a bootstrap
  'checkpoint_every': (int, 1),  # chunks
  'keep_checkpoints': (int, 2),
}
SECTIONS = (
  'data',
  'batch',
  'space',
  'network',
  'population',
  'describe',
  'proxies',
)
_REQUIRED = ('space', 'population', 'proxies')
_SIZES = ('params', 'macs')
_OF_FOLDER = ('plots',)


def check(config: dict[str, Any]) -> dict[str, Any]:
  """Check a whole config and fill in defaults, without building anything.

  Args:
    config: nested dicts.

  Returns:
    The resolved config.

  Raises:
    ValueError: for the first thing that is unknown, missing or of a wrong type.
  """
  known = (*SCALARS, *SECTIONS, 'assembled', 'accuracies')
  for key in config:
    if key not in known:
      raise names.unknown('config key', key, known)
  resolved = settings.scalars(config, SCALARS)
  if not 0 < resolved['share'] <= 1:
    raise ValueError(
      f'config.share must lie in (0, 1], got {resolved["share"]}.'
    )
  sections = {
    key: config[key] for key in SECTIONS if config.get(key) is not None
  }
  for key in _REQUIRED:
    if not sections.get(key):
      raise ValueError(f'The config has no section {key!r}.')
  parts = list(SCALARS)
  for key, section in sections.items():
    plural = key in ('describe', 'proxies')
    try:
      (build.check_values if plural else build.check)(section, parts)
    except ValueError as error:
      raise ValueError(f'config.{key}: {error}') from None
    parts.append(key)
  for key in ('assembled', 'accuracies'):
    sections[key] = dict(config.get(key) or {})
  _check_columns(sections)
  return resolved | sections


def _check_columns(sections):
  """Names of columns are distinct, and every accuracy has sizes beside it."""
  described, accuracies = sections.get('describe', {}), sections['accuracies']
  for name in (*sections['proxies'], *sections['assembled']):
    if name in described or name in _OF_FOLDER or not name.isidentifier():
      raise ValueError(
        f'config: {name!r} is no name for a score: an identifier that is no '
        f'column of config.describe ({", ".join(described)}) and not '
        f'{", ".join(_OF_FOLDER)}.'
      )
  for column in accuracies:
    if column not in described:
      raise names.unknown('column in config.accuracies:', column, described)
  missing = [name for name in _SIZES if name not in described]
  if accuracies and missing:
    raise ValueError(
      'Scores are compared with the size of networks: config.describe needs '
      f'{" and ".join(missing)} where there are config.accuracies.'
    )


def check_columns(
  config: dict[str, Any], scores: dict[str, zero_cost.Joint]
) -> None:
  """Check that what is put together exists, and that names are distinct.

  Args:
    config: from `check`.
    scores: by section.

  Raises:
    ValueError: for a name that is unknown or given twice.
  """
  found = [name for joint in scores.values() for name in joint.proxies]
  found += list(config['assembled'])
  described = list(config.get('describe', {}))
  made = [f'{name}_{form}' for name in found for form in ('raw', 'score')]
  columns = ['index', 'scored_as', 'arch', *found, *made, *described]
  for name in columns:
    if columns.count(name) > 1:
      raise ValueError(f'There would be two columns {name!r}.')
  known = [
    name for name in found + described if name not in config['assembled']
  ]
  for name, members in config['assembled'].items():
    if not members:
      raise ValueError(f'config.assembled.{name} names no scores.')
    for member in members:
      if member not in known:
        raise names.unknown(f'score in config.assembled.{name}:', member, known)
