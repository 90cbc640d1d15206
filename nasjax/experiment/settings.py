"""The config of a job: what may be in it, and the checks before any work.

Numbers at the top level: see `SCALARS`. Sections (each the call of a factory,
see `build.py`) are built in the order of `SECTIONS`; each may use those before
it, by name. Only `search` is required.

  data         whatever the others refer to, e.g. '@data.train'
  batches      `(key, t) -> batch` of the search
  space, network, distribution, optimizer, init_params, loss, estimator,
  strategy     parts of the search
  search       the `Search`
  snapshot     `(state) -> arrays` stored over time (default: arch_params)
  describe     columns of the results table by name, each a section or function
               that gives `(arch) -> f32[]` (parameters, MACs) or an `Estimator`
               without training (the test accuracy of a table)
  evaluation   trains what was found beside random architectures; besides the
               arguments of its factory it has the keys of `EVALUATION`
  references   architectures to compare with, by name, as their leaves; they are
               in every table
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nasjax import expressions
from nasjax.experiment import build, names

# name: (type, default or None where it is required or depends on num_steps)
SCALARS = {
  'seed': (int, 0),
  'num_seeds': (int, 1),  # independent repetitions of the search
  'num_steps': (int, None),
  'seed_batch_size': (int, None),  # seeds in one vmap: all for tables
  'num_random': (int, 0),  # random architectures to compare with
  'top_k': (int, 10),  # architectures to export for each seed
  'arch_batch_size': (int, None),
  'eval_every': (int, None),
  'log_every': (int, 1),
  'checkpoint_every': (int, None),
  'keep_checkpoints': (int, 3),
  'tensorboard': (bool, False),
  'max_bytes': (int, None),  # that an update of the search may take on a device
  'where': (str, None),  # condition on config.describe, see `feasible`
  'spec': (str, None),  # file of architectures to train, instead of a search
}
SECTIONS = (
  'data',
  'batches',
  'space',
  'network',
  'distribution',
  'optimizer',
  'init_params',
  'loss',
  'estimator',
  'strategy',
  'search',
  'snapshot',
  'describe',
  'evaluation',
)
# Keys of the evaluation section that the job itself reads. `baselines` are
# networks without choices, by name: what differs from this section. Each is
# trained `num_repeats` times, by the same batches.
EVALUATION = {
  'num_steps': None,
  'num_repeats': 1,
  'batches': None,
  'baselines': None,
}
_MAY_BE_ZERO = ('seed', 'num_random')


def plain(config: Any) -> dict[str, Any]:
  """Return a config as nested dicts, with references resolved.

  Args:
    config: a `ConfigDict`, or nested mappings.

  Returns:
    New nested dicts.

  Raises:
    ValueError: if it is neither.
  """
  if hasattr(config, 'to_dict'):
    config = config.to_dict()
  if not isinstance(config, Mapping):
    raise ValueError(f'A config must be a mapping, got {type(config)}.')
  return {
    key: plain(value) if isinstance(value, Mapping) else value
    for key, value in config.items()
  }


def scalars(
  config: Mapping[str, Any],
  known: Mapping[str, tuple[type, Any]],
  may_be_zero: Sequence[str] = ('seed',),
) -> dict[str, Any]:
  """Return the plain values of a config, with defaults, after a check.

  Args:
    config: nested dicts.
    known: (type, default) by name; a default of None says that a value may be
      left out.
    may_be_zero: names of ints that may be 0; others are at least 1.

  Returns:
    A value for every known name.

  Raises:
    ValueError: for a value of a wrong type or too small.
  """
  values = {}
  for key, (kind, default) in known.items():
    values[key] = value = config.get(key, default)
    if value is None and default is None:
      continue
    fits = isinstance(value, (int, float) if kind is float else kind)
    if not fits or (kind is not bool and isinstance(value, bool)):
      raise ValueError(f'config.{key} must be {kind.__name__}, got {value!r}.')
    low = 0 if key in may_be_zero else 1
    if kind is int and value < low:
      raise ValueError(f'config.{key} must be at least {low}, got {value}.')
  return values


def _check_evaluation(section, parts):
  for baseline in baselines(section).values():
    _check_evaluation(baseline, parts)
  options, section = split_evaluation(section)
  for key in ('num_steps', 'num_repeats'):
    value = options[key]
    if not isinstance(value, int) or value < 1:
      raise ValueError(
        f'config.evaluation.{key} must be a positive int, got {value!r}.'
      )
  if options['batches'] is not None:
    build.check(options['batches'], parts)
  build.check(section, parts + ['archs', 'rows'])


def split_evaluation(
  section: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
  """Return the job's own keys of the evaluation section, and all others."""
  return (
    {key: section.get(key, default) for key, default in EVALUATION.items()},
    {key: value for key, value in section.items() if key not in EVALUATION},
  )


def baselines(section: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
  """Return the evaluation sections of the baselines of one, by name."""
  rest = {key: value for key, value in section.items() if key != 'baselines'}
  given = section.get('baselines') or {}
  return {name: rest | changes for name, changes in given.items()}


def check(config: Mapping[str, Any]) -> dict[str, Any]:
  """Check a whole config and fill in defaults, without building anything.

  Args:
    config: from `plain`.

  Returns:
    The resolved config: all of `SCALARS`, and the sections that are given.

  Raises:
    ValueError: for the first thing that is unknown, missing or of a wrong type.
  """
  for key in config:
    if key not in (known := (*SCALARS, *SECTIONS, 'references')):
      raise names.unknown('config key', key, known)
  resolved = scalars(config, SCALARS, _MAY_BE_ZERO)
  if resolved['num_steps'] is None:
    raise ValueError('config.num_steps must be int, got None.')
  sections = {
    key: config[key] for key in SECTIONS if config.get(key) is not None
  }
  if 'search' not in sections:
    raise ValueError(
      'The config has no section "search". It has: '
      f'{", ".join(sections) or "no section"}.'
    )
  parts = list(SCALARS)
  for key, section in sections.items():
    try:
      if key == 'evaluation':
        _check_evaluation(section, parts)
      elif key == 'describe':
        build.check_values(section, parts)
      else:
        build.check(section, parts)
    except ValueError as error:
      raise ValueError(f'config.{key}: {error}') from None
    parts.append(key)
  if resolved['spec'] is not None and 'evaluation' not in sections:
    raise ValueError('Training of config.spec needs config.evaluation.')
  references = config.get('references') or {}
  if (resolved['num_random'] or references or 'evaluation' in sections) and (
    'space' not in sections
  ):
    raise ValueError(
      'Random architectures, references and an evaluation need config.space.'
    )
  if references:
    sections['references'] = references
  if resolved['where'] is not None:
    try:
      expressions.parse(resolved['where'], sections.get('describe', {}))
    except ValueError as error:
      raise ValueError(
        f'config.where, on the columns of config.describe: {error}'
      ) from None
  return resolved | sections
