"""The architectures that a run scores: a whole space, a sample, a list.

all_of   every architecture of a space
random   so many distinct ones
unique   every one, of which those with equal networks share a score
listed   those of a file or of a config
"""

from collections.abc import Callable, Hashable, Sequence
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import batching
from nasjax.experiment import export, metrics
from nasjax.types import Arch, Space

_MAX_SIZE = 2**24  # spaces above are sampled, not enumerated


class Population(NamedTuple):
  """Architectures, and whose score each of them gets."""

  label: str  # for people
  archs: Arch  # of np.ndarray [N, ...]
  index: np.ndarray  # i64[N] number in the space, or in the list
  scored: np.ndarray  # i64[M] positions of those that are scored, rising
  source: np.ndarray  # i64[N] whose score each gets, a position in `scored`


def _each(label, archs, index):
  """A population in which each has a score of its own."""
  every = np.arange(len(index))
  archs = jax.tree.map(np.asarray, archs)
  return Population(label, archs, np.asarray(index), every, every)


def _enumerate(space, numbers):
  numbers = jnp.asarray(numbers, jnp.int32)
  return jax.jit(lambda i: batching.map_archs(space.index, i, len(numbers)))(
    numbers
  )


def _enumerable(space):
  return space.index is not None and space.size <= _MAX_SIZE


def all_of(space: Space) -> Population:
  """Return every architecture of a space.

  Args:
    space: one that can be enumerated.

  Returns:
    The population, in the order of the space.

  Raises:
    ValueError: if the space has no enumeration or is too large for one.
  """
  if not _enumerable(space):
    raise ValueError(
      f'A space of {space.size or "unknown"} architectures cannot be scored '
      f'as a whole (at most {_MAX_SIZE:,}): use experiment.population.random.'
    )
  numbers = np.arange(space.size)
  return _each(f'all {space.size:,}', _enumerate(space, numbers), numbers)


def random(space: Space, num: int, seed: int = 0) -> Population:
  """Return distinct architectures, each as likely as any other.

  Args:
    space: the space; where it cannot be enumerated, draws of `sample` that have
      come before are left out.
    num: how many.
    seed: of the draw.

  Returns:
    The population. Their numbers are those of the space, or of the draw where
    it cannot be enumerated.

  Raises:
    ValueError: if there are not so many.
  """
  if num < 1 or (space.size is not None and num > space.size):
    raise ValueError(
      f'num must lie between 1 and the {space.size or "unknown"} '
      f'architectures of the space, got {num}.'
    )
  label = f'{num:,} distinct random ones of {space.size or "unknown"}'
  if space.size is not None:
    label = f'{num:,} distinct random ones of {space.size:,}'
  label += f', seed {seed}'
  if _enumerable(space):
    # RandomState: unlike Generator, it promises the same stream for ever.
    numbers = np.random.RandomState(seed).permutation(space.size)[:num]
    return _each(label, _enumerate(space, numbers), numbers)
  return _each(label, _distinct(space, num, seed), np.arange(num))


def _distinct(space, num, seed):
  """The first `num` different draws of a space."""
  draw = jax.jit(jax.vmap(space.sample))
  found = {}
  # Ten times as many as needed: a space with so few is no space to sample.
  for key in jax.random.split(jax.random.key(seed), 10):
    archs = jax.tree.map(np.asarray, draw(jax.random.split(key, num)))
    for i in range(num):
      arch = export.at(archs, i)
      found.setdefault(_identity(arch), arch)
    if len(found) >= num:
      kept = list(found.values())[:num]
      return jax.tree.map(lambda *leaves: np.stack(leaves), *kept)
  raise ValueError(
    f'{10 * num} draws of the space gave {len(found)} distinct architectures, '
    f'not {num}.'
  )


def _identity(arch):
  leaves = jax.tree.leaves(arch)
  return b'|'.join(np.asarray(leaf).tobytes() for leaf in leaves)


def unique(space: Space, signature: Callable[[Arch], Hashable]) -> Population:
  """Return every architecture, those of equal networks with one score.

  The first of every class is scored; its score is that of the whole class.

  Args:
    space: one that can be enumerated.
    signature: what architectures with equal networks share, such as
      `spaces.nasbench201_classes.signature`; its docstring says for which
      scores.

  Returns:
    The population, in the order of the space.

  Raises:
    ValueError: as `all_of`.
  """
  whole = all_of(space)
  classes = [
    signature(export.at(whole.archs, i)) for i in range(len(whole.index))
  ]
  first = {}
  for position, name in enumerate(classes):
    first.setdefault(name, position)
  number = {name: i for i, name in enumerate(first)}
  return whole._replace(
    label=f'{whole.label} in {len(first):,} classes of equal networks, one '
    'score a class',
    scored=np.array(list(first.values())),
    source=np.array([number[name] for name in classes]),
  )


def listed(space: Space, specs: str | Sequence[Any]) -> Population:
  """Return the architectures of a list.

  Args:
    space: the space that they are of.
    specs: architectures as their leaves, `({'op': (3, 1, 3, 0, 2, 3)}, ...)`,
      or the path of a JSON file with such a list, or of one that a search has
      written.

  Returns:
    The population, in the order of the list.

  Raises:
    ValueError: if there is none, or one that is not of the space.
  """
  template = space.sample(jax.random.key(0))
  if isinstance(specs, str):
    label = f'those of {pathlib.Path(specs).name}'
    archs = _read(pathlib.Path(specs), template)
  else:
    label = 'those of the config'
    archs = [export.from_json(export.to_json(s), template) for s in specs]
  if not archs:
    raise ValueError('The list holds no architecture.')
  for arch in archs:
    export.check_choices(arch, space.mask)
  stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *archs)
  return _each(f'{len(archs):,}, {label}', stacked, np.arange(len(archs)))


def _read(path, template):
  if not path.is_file():
    raise ValueError(f'There is no file {path} with architectures.')
  content = metrics.read_json(path)
  if isinstance(content, list):
    return [export.from_json(spec, template) for spec in content]
  return export.read(path, template)
