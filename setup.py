"""Package metadata. Ranges live here, exact versions in constraints.txt."""

import pathlib
import re

import setuptools

_ROOT = pathlib.Path(__file__).parent


def _version() -> str:
  text = (_ROOT / 'nasjax' / '__init__.py').read_text()
  return re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE).group(1)


setuptools.setup(
  name='nasjax',
  version=_version(),
  description='Neural architecture search in JAX and Flax.',
  long_description=(_ROOT / 'README.md').read_text(),
  long_description_content_type='text/markdown',
  license='Apache-2.0',
  license_files=['LICENSE'],
  packages=setuptools.find_packages(include=['nasjax', 'nasjax.*']),
  package_data={'nasjax.data': ['*.npz']},
  python_requires='>=3.11',
  install_requires=[
    'absl-py>=2.1',
    'array-record>=0.5; platform_system == "Linux"',
    'chex>=0.1.90',
    'flax>=0.12',
    'importlib-resources>=6.0',  # tensorflow-datasets does not name it
    'jax>=0.10,<0.12',
    'matplotlib>=3.9',
    'ml-collections>=1.0',
    'numpy>=2.0',
    'optax>=0.2.5',
    'orbax-checkpoint>=0.11',
    'scikit-learn>=1.5',
    'scipy>=1.14',
    'tensorflow-datasets>=4.9.8',
  ],
  extras_require={
    'cuda': ['jax[cuda13]'],
    'cuda12': ['jax[cuda12]'],
    'tpu': ['jax[tpu]'],
    'tensorboard': ['tensorboardX>=2.6'],
    'dev': [
      'ipykernel>=6.29',
      'nbclient>=0.10',
      'nbformat>=5.10',
      'networkx>=3.3',
      'pytest>=8.0',
      'pytest-xdist>=3.6',
      'ruff>=0.9',
    ],
  },
  classifiers=[
    'Development Status :: 3 - Alpha',
    'Intended Audience :: Science/Research',
    'Programming Language :: Python :: 3.11',
    'Programming Language :: Python :: 3.12',
    'Programming Language :: Python :: 3.13',
    'Topic :: Scientific/Engineering :: Artificial Intelligence',
  ],
)
