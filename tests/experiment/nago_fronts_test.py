"""What the fronts of generators read of their runs."""

import jax
import pytest

from configs import nago_digits
from experiments import nago_fronts
from nasjax.experiment import build, settings


def test_costs_are_counted_that_a_quick_run_does_not_describe():
  config = settings.plain(nago_digits.get_config('quick'))
  assert list(config['describe']) == ['params']
  space = build.build(config['space'])
  arch = space.sample(jax.random.key(0))
  cost = nago_fronts.cost_functions(config)
  found = {name: float(jax.jit(cost[name])(arch)) for name in cost}
  assert list(found) == ['params', 'memory']
  assert min(found.values()) > 0 and found['params'] != found['memory']


def test_runs_of_one_name_are_refused():
  assert list(nago_fronts.folders(['a/bohb', 'a/random'])) == ['bohb', 'random']
  with pytest.raises(ValueError, match='different names, got .*b/bohb'):
    nago_fronts.folders(['a/bohb', 'b/bohb'])
