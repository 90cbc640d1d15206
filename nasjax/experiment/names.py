"""Finds the factory that a config names, and lists what exists if it cannot."""

from collections.abc import Callable, Iterable
import difflib
import importlib
import inspect
import pkgutil
from typing import Any


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
  """Return the error of a misspelt name, with the closest known ones."""
  known = sorted(known)
  close = difflib.get_close_matches(str(name), known, n=2, cutoff=0.6)
  hint = ' Did you mean ' + ' or '.join(map(repr, close)) + '?' if close else ''
  return ValueError(
    f'Unknown {kind} {name!r}.{hint} Known: {", ".join(known) or "none"}.'
  )


def _children(package):
  """Names of the modules in a package."""
  return [
    m.name
    for m in pkgutil.iter_modules(getattr(package, '__path__', ()))
    if not m.name.startswith('_')
  ]


def _factories(module):
  """Names of the public functions that a module offers."""
  public = getattr(module, '__all__', None) or [
    key
    for key, value in vars(module).items()
    if inspect.isfunction(value) and value.__module__ == module.__name__
  ]
  return [key for key in public if not key.startswith('_')]


def _import(path, name):
  """Import a module; a part of the path that is missing is a user's mistake."""
  try:
    return importlib.import_module(path)
  except ModuleNotFoundError as error:
    if error.name is None or not (path + '.').startswith(error.name + '.'):
      raise  # the module exists, something that it imports does not
    parent, _, child = error.name.rpartition('.')
    if not parent:
      raise ValueError(
        f'Cannot import {child!r} for name={name!r}. Is it installed?'
      ) from None
    package = importlib.import_module(parent)
    known = _children(package)
    if not known:
      raise ValueError(
        f'{parent!r} in name={name!r} is a module, not a package. It has: '
        f'{", ".join(_factories(package))}.'
      ) from None
    raise unknown(f'module in {parent}', child, known) from None


def resolve(name: str) -> Callable[..., Any]:
  """Return the factory that a section names.

  Args:
    name: a dotted path below `nasjax`, or `package.module:factory`.

  Returns:
    The factory.

  Raises:
    ValueError: if there is no such module or factory; lists what exists.
  """
  if not isinstance(name, str) or not name:
    raise ValueError(f'A name must be a dotted path, got {name!r}.')
  if ':' in name:
    path, _, attribute = name.partition(':')
  else:
    path, _, attribute = f'nasjax.{name}'.rpartition('.')
  module = _import(path, name)
  factory = getattr(module, attribute, None)
  if attribute.startswith('_') or not callable(factory):
    raise unknown(
      f'name in {path}', attribute, _factories(module) or _children(module)
    )
  return factory
