"""Turns a section of a config into the call of one factory.

A section is the keyword arguments of a factory plus `name`, where the factory
lives: a dotted path below `nasjax` (`systems.random_search.random_search`) or,
for code from outside, `package.module:factory` (`optax:sgd`). A value that is a
section itself is built first, alone or in a list. Two other values stand for
objects:

  '@data.train'                           the `train` of the part `data`
  dict(function='optax:l2_loss', ...)     a function, with arguments fixed,
                                          built as those of sections are

Parameters that the section leaves out are taken from the parts already built,
by their name; plain values of the config only where there is no default, but
the seed always. Everything that can be wrong is checked before the call.
"""

from collections.abc import Iterable, Mapping, Sequence
import functools
import inspect
import types
import typing
from typing import Any

import jax

from nasjax.experiment import names


def is_section(value: Any) -> bool:
  """Return whether a value of a config describes the call of a factory."""
  return isinstance(value, Mapping) and 'name' in value


def is_function(value: Any) -> bool:
  """Return whether a value of a config stands for a function itself."""
  return isinstance(value, Mapping) and 'function' in value


def is_reference(value: Any) -> bool:
  """Return whether a value of a config stands for a part: '@data.train'."""
  return isinstance(value, str) and value.startswith('@')


def _describes(value):
  return is_section(value) or is_function(value) or is_reference(value)


def _look_up(reference, parts):
  """The part, or the entry of a part, that a reference stands for."""
  name, *path = reference[1:].split('.')
  if name not in parts:
    raise names.unknown(f'part in {reference!r}:', name, parts)
  value = parts[name]
  for key in path:
    if isinstance(value, Mapping) and key in value:
      value = value[key]
    elif not key.startswith('_') and hasattr(value, key):
      value = getattr(value, key)
    else:
      known = (
        value if isinstance(value, Mapping) else getattr(value, '_fields', ())
      )
      raise names.unknown(f'entry in {reference!r}:', key, known)
  return value


def _accepts(annotation, value):
  """Whether a value fits an annotation, as far as that can be judged."""
  if annotation in (float, int) and isinstance(value, bool):
    return False
  if hasattr(value, 'dtype') or annotation is inspect.Parameter.empty:
    return True
  if annotation is float:
    return isinstance(value, int | float)
  if annotation in (int, str, bool, type(None)):
    return isinstance(value, annotation)
  if annotation is jax.Array:
    return not isinstance(value, str | Mapping | None)
  origin = typing.get_origin(annotation)
  if origin in (typing.Union, types.UnionType):
    return any(_accepts(a, value) for a in typing.get_args(annotation))
  if origin in (tuple, list, Sequence):
    return isinstance(value, tuple | list)
  return value is not None or annotation is Any


def _signature(factory):
  try:
    return inspect.signature(factory, eval_str=True)
  except NameError:  # an annotation that only exists for type checkers
    return inspect.signature(factory)


def check(section: Mapping[str, Any], parts: Iterable[str] = ()) -> None:
  """Check that a section could be built, without building anything.

  Args:
    section: keyword arguments of a factory plus `name`.
    parts: names of the parts that will exist when it is built.

  Raises:
    ValueError: if the name, an argument or the type of a value is wrong, or a
      required argument is missing.
  """
  if not is_section(section):
    raise ValueError(
      f'A section needs a name and the arguments of a factory, got '
      f'{dict(section) if isinstance(section, Mapping) else section!r}.'
    )
  name = section['name']
  parameters = _signature(names.resolve(name)).parameters
  kinds = {p.kind for p in parameters.values()}
  given = {key: value for key, value in section.items() if key != 'name'}
  for key, value in given.items():
    nested = [v for v in _items(value) if _describes(v)]
    for item in nested:
      _check_nested(item, parts)
    if key in parameters:
      annotation = parameters[key].annotation
      if not nested and not _accepts(annotation, value):
        raise ValueError(
          f'Argument {key!r} of {name!r} must be '
          f'{inspect.formatannotation(annotation)}, got {value!r}.'
        )
    elif inspect.Parameter.VAR_KEYWORD not in kinds:
      raise names.unknown(f'argument of {name!r}:', key, parameters)
  missing = [
    key
    for key, p in parameters.items()
    if p.default is p.empty
    and key not in given
    and key not in parts
    and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
  ]
  if missing:
    raise ValueError(
      f'{name!r} needs {", ".join(map(repr, missing))}: give it as an '
      f'argument or as a section of the config.'
    )


def check_values(values: Mapping[str, Any], parts: Iterable[str] = ()) -> None:
  """Check a dict of sections, functions and references, see `check`."""
  for key, value in values.items():
    if not _describes(value):
      raise ValueError(
        f'{key!r} must be a section (name=...), a function (function=...) or '
        f"a reference ('@part'), got {value!r}."
      )
    _check_nested(value, parts)


def build_values(values: Mapping[str, Any], **parts: Any) -> dict[str, Any]:
  """Build a dict of sections, functions and references, see `build`."""
  return {key: _make(value, parts) for key, value in values.items()}


def _check_nested(item, parts):
  if is_section(item):
    check(item, parts)
  elif is_function(item):
    known = _signature(names.resolve(item['function'])).parameters
    for key, value in item.items():
      if key != 'function' and key not in known:
        raise names.unknown(f'argument of {item["function"]!r}:', key, known)
      if is_section(value) or is_function(value) or is_reference(value):
        _check_nested(value, parts)
  elif item[1:].split('.')[0] not in parts:
    raise names.unknown(f'part in {item!r}:', item[1:].split('.')[0], parts)


def _make(value, parts):
  if is_section(value):
    return build(value, **parts)
  if is_function(value):
    fixed = {k: _make(v, parts) for k, v in value.items() if k != 'function'}
    function = names.resolve(value['function'])
    return functools.partial(function, **fixed) if fixed else function
  return _look_up(value, parts) if is_reference(value) else value


def _items(value):
  return value if isinstance(value, tuple | list) else (value,)


def _is_meant(parameter, part):
  # The steps of a search are not those of every fit in it.
  optional = parameter.default is not parameter.empty
  plain = isinstance(part, int | float | str | None)
  return not (optional and plain) or parameter.name == 'seed'


def build(section: Mapping[str, Any], **parts: Any) -> Any:
  """Call the factory that a section describes.

  Args:
    section: keyword arguments of a factory plus `name`; values that are
      sections, alone or in a list, are built first.
    **parts: objects built before; each is passed on when the factory has a
      parameter of that name that the section does not give.

  Returns:
    The result of the factory.

  Raises:
    ValueError: as `check`.
  """
  check(section, parts)
  factory = names.resolve(section['name'])
  arguments = {
    key: parts[key]
    for key, parameter in _signature(factory).parameters.items()
    if key in parts and _is_meant(parameter, parts[key])
  }
  for key, value in section.items():
    if isinstance(value, tuple | list):
      arguments[key] = type(value)(_make(v, parts) for v in value)
    elif key != 'name':
      arguments[key] = _make(value, parts)
  return factory(**arguments)


def build_sections(
  config: Mapping[str, Any], keys: Sequence[str], parts: Mapping[str, Any]
) -> dict[str, Any]:
  """Build sections of a config in turn; each may use those before it.

  Args:
    config: nested dicts.
    keys: of the sections, of which some may be missing; 'describe' is a dict of
      sections.
    parts: what there is before them.

  Returns:
    The parts and what was built.

  Raises:
    ValueError: as `build`, with the name of the section.
  """
  parts = dict(parts)
  for key in keys:
    if key not in config:
      continue
    make = build_values if key == 'describe' else build
    try:
      parts[key] = make(config[key], **parts)
    except ValueError as error:
      raise ValueError(f'config.{key}: {error}') from error
  return parts
