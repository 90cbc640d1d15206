"""Form: what the linter asks for, length, docstrings, exports, shared state."""

import ast
from collections.abc import Iterator
import pathlib
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).parents[1]

_FILE_LIMIT = 250
_SYSTEM_LIMIT = 150
_FUNCTION_LIMIT = 60
_HELPERS_LIMIT = 3
_SHORT = 8  # lines: its first sentence can say all about a function
_PROTOCOLS = ('Space', 'Distribution', 'Estimator', 'Strategy', 'Search')


def _is_system(path: str) -> bool:
  return path.startswith('nasjax/systems/') and '__init__' not in path


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
  return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))


def _lines(nodes: list[ast.stmt]) -> set[int]:
  return {i for n in nodes for i in range(n.lineno, n.end_lineno + 1)}


def _body(function: ast.FunctionDef) -> set[int]:
  """Returns the lines of a body, without docstring and nested functions."""
  has_docstring = ast.get_docstring(function) is not None
  nested = [f for f in _functions(function) if f is not function]
  # From the first line to the last: blank lines and comments count.
  body = function.body[has_docstring:]
  if not body:
    return set()
  span = set(range(body[0].lineno, body[-1].end_lineno + 1))
  return span - _lines(nested)


def too_long(path: str, source: str) -> list[str]:
  """Returns what is longer than one reading."""
  limit = _SYSTEM_LIMIT if _is_system(path) else _FILE_LIMIT
  length = len(source.splitlines())
  wrong = [f'{path}: {length} lines of {limit}'] if length > limit else []
  for function in _functions(ast.parse(source)):
    length = len(_body(function))
    if length > _FUNCTION_LIMIT:
      wrong.append(
        f'{path}:{function.lineno}: {function.name} has {length} lines of '
        f'{_FUNCTION_LIMIT}'
      )
  return wrong


def _sections_due(path: str, function: ast.FunctionDef) -> list[str]:
  returns = ast.unparse(function.returns) if function.returns else 'None'
  is_factory = returns.split('.')[-1] in _PROTOCOLS
  arguments = function.args
  due = []
  if is_factory or len(_body(function)) > _SHORT:
    due += ['Args:'] * bool(
      arguments.posonlyargs
      or arguments.args
      or arguments.kwonlyargs
      or arguments.vararg
    )
    due += ['Returns:'] * (returns != 'None')
  return due + ['References:'] * _is_system(path)


def poor_docstrings(path: str, source: str) -> list[str]:
  """Returns public functions and classes whose docstring lacks something."""
  tree, wrong = ast.parse(source), []
  if not ast.get_docstring(tree):
    wrong.append(f'{path}: no docstring')
  for node in tree.body:
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
      continue
    if node.name.startswith('_'):
      continue
    docstring = ast.get_docstring(node)
    if not docstring:
      wrong.append(f'{path}:{node.lineno}: {node.name} has no docstring')
    elif isinstance(node, ast.FunctionDef):
      wrong += [
        f'{path}:{node.lineno}: {node.name} lacks {section}'
        for section in _sections_due(path, node)
        if section not in docstring
      ]
  return wrong


def untyped(path: str, source: str) -> list[str]:
  """Returns public functions with an argument or result without a type."""
  wrong = []
  for node in ast.parse(source).body:
    if isinstance(node, ast.FunctionDef) and not node.name.startswith('_'):
      arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
      if not node.returns or not all(a.annotation for a in arguments):
        wrong.append(f'{path}:{node.lineno}: {node.name} has no types')
  return wrong


def crowded_system(path: str, source: str) -> list[str]:
  """Returns why a system file is not one factory and its few helpers."""
  if not _is_system(path):
    return []
  functions = [
    node.name
    for node in ast.parse(source).body
    if isinstance(node, ast.FunctionDef)
  ]
  public = [name for name in functions if not name.startswith('_')]
  wrong = []
  if public != [pathlib.PurePath(path).stem]:
    wrong.append(f'{path}: its one public factory bears its name, not {public}')
  if len(functions) - len(public) > _HELPERS_LIMIT:
    wrong.append(f'{path}: more than {_HELPERS_LIMIT} private helpers')
  return wrong


def shared_state(path: str, source: str) -> list[str]:
  """Returns statements that change what another function sees."""
  return [
    f'{path}:{node.lineno}: {ast.unparse(node)}'
    for node in ast.walk(ast.parse(source))
    if isinstance(node, ast.Global | ast.Nonlocal)
  ]


def wrong_exports(path: str, source: str) -> list[str]:
  """Returns what is wrong with the `__all__` of an `__init__`."""
  bound, exported = set(), None
  for node in ast.parse(source).body:
    if isinstance(node, ast.Import | ast.ImportFrom):
      bound |= {alias.asname or alias.name for alias in node.names}
    if isinstance(node, ast.Assign) and ast.unparse(node.targets) == '__all__':
      exported = list(ast.literal_eval(node.value))
  if exported is None:
    return [f'{path}: no __all__']
  wrong = [f'{path}: not sorted'] if exported != sorted(exported) else []
  differences = sorted(bound ^ set(exported))
  return wrong + [f'{path}: {name} is not in both' for name in differences]


def _violations(rule):
  paths = list((_ROOT / 'nasjax').rglob('*.py'))
  assert paths
  return [
    wrong
    for path in paths
    for wrong in rule(path.relative_to(_ROOT).as_posix(), path.read_text())
  ]


@pytest.mark.parametrize(
  'rule', [too_long, poor_docstrings, untyped, crowded_system, shared_state]
)
def test_nasjax_follows(rule):
  assert _violations(rule) == []


def test_every_folder_exports_what_it_imports():
  folders = {path.parent for path in (_ROOT / 'nasjax').rglob('*.py')}
  inits = sorted(folder / '__init__.py' for folder in folders)
  missing = [path.as_posix() for path in inits if not path.exists()]
  assert missing == []
  wrong = [wrong_exports(path.as_posix(), path.read_text()) for path in inits]
  assert [line for lines in wrong for line in lines] == []


@pytest.mark.parametrize(
  'folder',
  'spaces distributions estimators strategies searches systems'.split(),
)
def test_no_method_is_left_out_of_its_folder(folder):
  init = _ROOT / 'nasjax' / folder / '__init__.py'
  modules = {path.stem for path in init.parent.glob('*.py')} - {'__init__'}
  modules |= {path.parent.name for path in init.parent.glob('*/__init__.py')}
  exported = ast.literal_eval(init.read_text().split('__all__ = ')[1])
  assert set(exported) == modules


_HEAD = '"""Head."""\n\n\n'
_NESTED = 'def f():\n  def g():\n' + '    x = 1\n' * 60
_LONG = '  x += 1\n' * 9
_SECTIONS = '\n\n  Args:\n    x: it.\n\n  Returns:\n    y.\n  '
_BAD = [
  (too_long, '\n' * 251),
  (too_long, 'def f():\n' + '  x = 1\n' * 61),
  (too_long, _NESTED + '    x = 1\n'),
  (poor_docstrings, 'x = 1\n'),
  (poor_docstrings, _HEAD + 'def f():\n  pass\n'),
  (poor_docstrings, _HEAD + 'class A:\n  x: int\n'),
  (poor_docstrings, _HEAD + 'def f(x):\n  """Do."""\n' + _LONG),
  (poor_docstrings, _HEAD + 'def f() -> Space:\n  """Do."""\n  return x\n'),
  (untyped, 'def f(x) -> int:\n  return x\n'),
  (untyped, 'def f(x: int):\n  return x\n'),
  (shared_state, 'def f():\n  global x\n'),
]
_BAD_SYSTEM = [
  (too_long, '\n' * 151),
  (poor_docstrings, _HEAD + 'def a():\n  """Do."""\n  return x\n'),
  (crowded_system, 'def b(): pass\n'),
  (
    crowded_system,
    'def a(): pass\n' + ''.join(f'def _{i}(): pass\n' for i in range(4)),
  ),
]
_GOOD = [
  (too_long, _NESTED + '  x = 1\n'),
  (poor_docstrings, _HEAD + f'def f(x):\n  """Do.{_SECTIONS}"""\n' + _LONG),
  (poor_docstrings, _HEAD + 'def _f():\n  pass\n'),
  (untyped, 'def f(x: int) -> int:\n  return x\n'),
  (crowded_system, 'def f(): pass\ndef g(): pass\n'),
]


def _example_id(argument):
  return getattr(argument, '__name__', '')


@pytest.mark.parametrize('rule, source', _BAD, ids=_example_id)
def test_bad_form_is_found(rule, source):
  assert len(rule('nasjax/a.py', source)) == 1


@pytest.mark.parametrize('rule, source', _BAD_SYSTEM, ids=_example_id)
def test_a_bad_system_is_found(rule, source):
  assert len(rule('nasjax/systems/a.py', source)) == 1


@pytest.mark.parametrize('rule, source', _GOOD, ids=_example_id)
def test_good_form_passes(rule, source):
  assert rule('nasjax/a.py', source) == []


@pytest.mark.parametrize(
  'source',
  [
    'from x import a',
    "from x import b, a\n__all__ = ('b', 'a')\n",
    "from x import a, b\n__all__ = ('a',)\n",
    "from x import a\n__all__ = ('a', 'b')\n",
  ],
)
def test_a_wrong_export_is_found(source):
  assert len(wrong_exports('nasjax/__init__.py', source)) == 1


def test_a_sorted_export_of_all_imports_passes():
  source = "from x import a, b\n__all__ = ('a', 'b')\n"
  assert wrong_exports('nasjax/__init__.py', source) == []


@pytest.mark.parametrize('command', [['check'], ['format', '--check']])
def test_the_linter_is_content(command):
  ruff = [sys.executable, '-m', 'ruff', *command, '--no-cache', '--quiet', '.']
  done = subprocess.run(ruff, cwd=_ROOT, capture_output=True, text=True)
  assert done.returncode == 0, done.stdout + done.stderr
