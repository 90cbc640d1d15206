"""Tests for the options of config files."""

import re

import pytest

from nasjax.experiment import options

_DEFAULTS = {'num': 10, 'kind': 'all', 'wide': False}


def _parse(arg):
  return options.parse(
    arg, _DEFAULTS, quick={'num': 2}, choices={'kind': ('all', 'some')}
  )


@pytest.mark.parametrize(
  'arg, changed',
  [
    ('', {}),
    ('num=3', {'num': 3}),
    ('quick', {'num': 2, 'quick': True}),
    ('num=3,quick,wide', {'num': 3, 'quick': True, 'wide': True}),
    ('kind=some', {'kind': 'some'}),
  ],
)
def test_options_are_defaults_unless_given(arg, changed):
  assert _parse(arg) == _DEFAULTS | {'quick': False} | changed


@pytest.mark.parametrize(
  'arg, message',
  [
    ('nun=3', "Unknown option 'nun'. Did you mean 'num'? Known: kind, num"),
    ('num', "num must be int, got ''"),
    ('num=-3', "num must be int, got '-3'"),
    ('kind=', "kind must be str, got ''"),
    ('kind=none', "Unknown value of option kind: 'none'. Known: all, some"),
    ('wide=1', "wide must be given without a value, got '1'"),
  ],
)
def test_a_mistake_is_named(arg, message):
  with pytest.raises(ValueError, match=re.escape(message)):
    _parse(arg)


def test_without_quick_defaults_there_is_no_quick():
  with pytest.raises(ValueError, match="Unknown option 'quick'"):
    options.parse('quick', _DEFAULTS)
