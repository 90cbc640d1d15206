"""Sets JAX up before any test imports it, and skips what has no data.

XLA reads its flags when JAX starts, so they are set here, at import.
"""

import os
import pathlib

import pytest

# Sharding is tested on four devices, which share the cores of the machine.
_FLAGS = (
  '--xla_force_host_platform_device_count=4',
  # Tests compile more than they run: 40 % less time with an empty cache.
  '--xla_backend_optimization_level=0',
)

os.environ['JAX_PLATFORMS'] = 'cpu'
os.environ['PJRT_NPROC'] = '5'  # a thread more, see `batching.num_threads`
os.environ['XLA_FLAGS'] = ' '.join([os.environ.get('XLA_FLAGS', ''), *_FLAGS])

import jax  # noqa: E402


def _cache_dir() -> str:
  home = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
  default = pathlib.Path(home) / 'nasjax' / 'tests'
  return os.environ.get('NASJAX_TEST_CACHE') or str(default)


def pytest_configure(config):
  # Compiled programs outlive the run; processes of pytest-xdist share them.
  # Most take less than the second from which JAX would store them.
  jax.config.update('jax_compilation_cache_dir', _cache_dir())
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
  # A shape that is stretched in silence is nearly always a mistake.
  jax.config.update('jax_numpy_rank_promotion', 'raise')


def _in_rows(items):
  """Put the tests of a row of descriptors side by side.

  What they share is built and compiled once and forgotten with the next row;
  processes of pytest-xdist get neighbours, so few rows are built twice.
  """
  places = {}

  def place(item):
    values = item.callspec.params if hasattr(item, 'callspec') else {}
    row = tuple(values.get(name) for name in ('kind', 'name'))
    return item.path, row if None not in row else None

  for item in items:
    places.setdefault(place(item), len(places))
  items.sort(key=lambda item: places[place(item)])


def pytest_collection_modifyitems(items):
  _in_rows(items)
  if os.environ.get('NASJAX_DATA_DIR'):
    return
  skip = pytest.mark.skip(reason='NASJAX_DATA_DIR is not set')
  for item in items:
    if item.get_closest_marker('data'):
      item.add_marker(skip)


@pytest.fixture(scope='module', autouse=True)
def _forget_programs():
  # A process can map only so many pages of code: those of thousands of tests
  # are too many, and the compiler aborts.
  yield
  jax.clear_caches()


@pytest.fixture(scope='session')
def data_dir() -> pathlib.Path:
  """The folder of real benchmark tables and data sets; use with `data`."""
  return pathlib.Path(os.environ['NASJAX_DATA_DIR'])
