"""Options of a config file: what follows the colon on the command line.

A config file is a program, `get_config(arg) -> ConfigDict`; its options choose
between whole recipes, where `--config.key=value` changes one value of one.
"""

from collections.abc import Mapping

from nasjax.experiment import names

Option = bool | int | str


def parse(
  arg: str,
  defaults: Mapping[str, Option],
  quick: Mapping[str, Option] | None = None,
  choices: Mapping[str, tuple[str, ...]] | None = None,
) -> dict[str, Option]:
  """Return the value of every option.

  Example:
    >>> parse('num=3,quick', dict(num=10, size=8), quick=dict(size=2))
    {'num': 3, 'size': 2, 'quick': True}

  Args:
    arg: 'name=value' pairs, and names of options that are on or off, separated
      by commas.
    defaults: of all options; their types are those of the values, and the
      options that are bool are off unless named.
    quick: other defaults, of the option 'quick', which exists if they do.
    choices: the values that an option may have.

  Returns:
    The options.

  Raises:
    ValueError: for an unknown name or value, or a value of another type.
  """
  defaults = dict(defaults) | ({} if quick is None else {'quick': False})
  words = [word.partition('=') for word in arg.split(',') if word]
  given = {}
  for name, equals, value in words:
    if name not in defaults:
      raise names.unknown('option', name, defaults)
    kind, allowed = type(defaults[name]), (choices or {}).get(name)
    if kind is bool and not equals:
      value = True
    elif kind is bool or not value or (kind is int and not value.isdecimal()):
      expected = 'given without a value' if kind is bool else kind.__name__
      raise ValueError(f'Option {name} must be {expected}, got {value!r}.')
    elif allowed and value not in allowed:
      raise names.unknown(f'value of option {name}:', value, allowed)
    given[name] = kind(value)
  return defaults | (quick or {} if given.get('quick') else {}) | given
