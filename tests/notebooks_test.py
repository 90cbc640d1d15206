"""Every notebook is stored clean, and runs from its first cell to its last."""

import json
import os
import pathlib
import sys

from IPython.core import inputtransformer2
from jupyter_client import kernelspec, manager
import nbclient
import nbformat
import pytest

_ROOT = pathlib.Path(__file__).parents[1]
_NOTEBOOKS = sorted((_ROOT / 'notebooks').glob('*.ipynb'))
_NAMES = [path.stem for path in _NOTEBOOKS]
_TIMEOUT = 1200  # seconds a cell may take on a busy machine


def _code(notebook):
  return [cell for cell in notebook.cells if cell.cell_type == 'code']


def _outputs(notebook):
  return [output for cell in _code(notebook) for output in cell.outputs]


def _kernel(folder):
  """Returns the manager of a kernel of this interpreter, and of no other."""
  spec = folder / 'kernels' / 'python3'
  spec.mkdir(parents=True)
  command = ['-m', 'ipykernel_launcher', '-f', '{connection_file}']
  (spec / 'kernel.json').write_text(
    json.dumps(
      {
        'argv': [sys.executable, *command],
        'display_name': 'Python 3',
        'language': 'python',
      }
    )
  )
  specs = kernelspec.KernelSpecManager(
    kernel_dirs=[str(spec.parent)], ensure_native_kernel=False
  )
  return manager.AsyncKernelManager(
    kernel_name='python3', kernel_spec_manager=specs
  )


def test_there_are_notebooks():
  assert _NOTEBOOKS


@pytest.mark.parametrize('path', _NOTEBOOKS, ids=_NAMES)
def test_a_notebook_is_valid_and_stored_without_outputs(path):
  notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
  nbformat.validate(notebook)
  assert notebook.nbformat == 4
  assert _outputs(notebook) == []
  assert [c.execution_count for c in _code(notebook)] == [None] * len(
    _code(notebook)
  )


@pytest.mark.parametrize('path', _NOTEBOOKS, ids=_NAMES)
def test_every_cell_of_a_notebook_compiles(path):
  transform = inputtransformer2.TransformerManager().transform_cell
  cells = _code(nbformat.read(path, as_version=4))
  assert cells
  for cell in cells:
    compile(transform(cell.source), f'{path.name}, {cell.id}', 'exec')


@pytest.mark.slow
@pytest.mark.parametrize('path', _NOTEBOOKS, ids=_NAMES)
def test_a_notebook_runs_and_shows_pictures(path, tmp_path, monkeypatch):
  # A kernel as a reader has it: JAX with the flags of its own, no index to
  # install from, nothing of this user's settings.
  monkeypatch.delenv('XLA_FLAGS', raising=False)
  monkeypatch.delenv('PJRT_NPROC', raising=False)
  monkeypatch.setenv('PIP_NO_INDEX', '1')
  monkeypatch.setenv('PYTHONPATH', str(_ROOT))
  for name in ('IPYTHONDIR', 'JUPYTER_CONFIG_DIR', 'JUPYTER_RUNTIME_DIR'):
    monkeypatch.setenv(name, str(tmp_path / name.lower()))
  work = tmp_path / 'work'
  work.mkdir()
  notebook = nbformat.read(path, as_version=4)
  client = nbclient.NotebookClient(
    notebook,
    km=_kernel(tmp_path),
    timeout=_TIMEOUT,
    resources={'metadata': {'path': str(work)}},
  )
  client.execute(env=dict(os.environ))  # raises where a cell fails
  outputs = _outputs(notebook)
  assert [o for o in outputs if o.output_type == 'error'] == []
  assert sum('image/png' in o.get('data', {}) for o in outputs) >= 3
