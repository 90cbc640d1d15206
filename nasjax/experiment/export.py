"""What a search found, as JSON that needs nasjax only to be used again.

  {"found":  [{"seed", "arch"}, ...]            what the method returns
   "top":    [{"seed", "rank", "value", "arch"}, ...]   the best it has seen
   "pareto": [{"seed", "value", "arch"}, ...]}  where it has several objectives

An architecture is written as its leaves: `{"op": [3, 1, 3, 0, 2, 3]}`.
"""

from collections.abc import Iterator, Mapping
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import archive as archive_lib
from nasjax import pareto as pareto_lib
from nasjax.experiment import metrics
from nasjax.types import Arch, Mask, State


def to_json(arch: Arch) -> Any:
  """Return an architecture as plain values that JSON can hold.

  Args:
    arch: nested dicts, named tuples, lists and tuples of numbers or arrays.

  Returns:
    Dicts and lists of numbers.
  """
  if isinstance(arch, Mapping):
    return {key: to_json(value) for key, value in arch.items()}
  if hasattr(arch, '_asdict'):
    return to_json(arch._asdict())
  if isinstance(arch, list | tuple) and not all(
    isinstance(item, int) for item in arch
  ):
    return [to_json(item) for item in arch]
  return np.asarray(arch).tolist()


def from_json(spec: Any, template: Arch) -> Arch:
  """Return the architecture that `to_json` wrote.

  Args:
    spec: its plain lists.
    template: an architecture of the same space, for structure and types.

  Returns:
    Pytree of arrays like the template.

  Raises:
    ValueError: if the names or shapes are those of another space.
  """
  flat = jax.tree_util.tree_leaves_with_path(
    to_json(template), is_leaf=_is_numbers
  )
  given = jax.tree_util.tree_leaves_with_path(spec, is_leaf=_is_numbers)

  def show(leaves):
    return {jax.tree_util.keystr(p): np.shape(x) for p, x in leaves}

  if show(flat) != show(given):
    raise ValueError(
      f'The architecture is not one of this space: expected {show(flat)}, '
      f'got {show(given)}.'
    )
  leaves = [
    jnp.asarray(value, jnp.asarray(leaf).dtype)
    for (_, value), leaf in zip(given, jax.tree.leaves(template))
  ]
  return jax.tree.unflatten(jax.tree.structure(template), leaves)


def _is_numbers(node):
  """Whether a node of plain lists is one array, however nested."""
  while isinstance(node, list) and node:
    node = node[0]
  return not isinstance(node, Mapping | list)


def at(tree: Any, i: int) -> Any:
  """Return the i-th entry along the leading axis of every leaf."""
  return jax.tree.map(lambda leaf: leaf[i], tree)


def archives(state: State) -> Iterator[archive_lib.Archive]:
  """Yield every archive in a state, wherever it is."""
  nodes = jax.tree.leaves(
    state, is_leaf=lambda node: isinstance(node, archive_lib.Archive)
  )
  return (node for node in nodes if isinstance(node, archive_lib.Archive))


def _distinct(archs, order):
  """The positions in `order`, without repeated architectures."""
  leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(archs)]
  seen = set()
  for i in order:
    identity = b'|'.join(leaf[i].tobytes() for leaf in leaves)
    if identity not in seen:
      seen.add(identity)
      yield i


def top(archive: archive_lib.Archive, k: int) -> list[dict[str, Any]]:
  """Return the k best distinct architectures of an archive.

  Args:
    archive: on the host; values `[N]`, or `[N, M]`, of which the first
      objective counts here.
    k: how many at most.

  Returns:
    Dicts of rank (from 1), value and arch, best first.
  """
  values = np.asarray(archive.values)
  key = values if values.ndim == 1 else values[:, 0]
  order = [i for i in np.argsort(-key, kind='stable') if np.isfinite(key[i])]
  chosen = list(_distinct(archive.archs, order))[:k]
  return [
    {
      'rank': rank + 1,
      'value': values[i],
      'arch': to_json(at(archive.archs, i)),
    }
    for rank, i in enumerate(chosen)
  ]


def pareto(archive: archive_lib.Archive) -> list[dict[str, Any]]:
  """Return the distinct architectures that no other one dominates.

  Args:
    archive: on the host, values `[N, M]`.

  Returns:
    Dicts of value and arch, by falling first objective.
  """
  values = np.asarray(archive.values)
  best = np.asarray(pareto_lib.non_dominated(jnp.asarray(values)))
  order = [i for i in np.argsort(-values[:, 0], kind='stable') if best[i]]
  return [
    {'value': values[i], 'arch': to_json(at(archive.archs, i))}
    for i in _distinct(archive.archs, order)
  ]


def result(archs: Arch, state: State, num_seeds: int, k: int) -> dict[str, Any]:
  """Collect what a search found.

  Args:
    archs: the architecture found by every seed, pytree of `[S, ...]`.
    state: the final state, with a leading axis S on every leaf.
    num_seeds: S.
    k: how many of the best of each seed.

  Returns:
    Plain lists and dicts: 'found', and 'top' and 'pareto' where the state holds
    an archive.
  """
  archs, state = jax.tree.map(np.asarray, (archs, _host(state)))
  found = {
    'found': [
      {'seed': seed, 'arch': to_json(at(archs, seed))}
      for seed in range(num_seeds)
    ]
  }
  # What a search has found; a strategy's population is the second best.
  store = getattr(state, 'found', None)
  if not isinstance(store, archive_lib.Archive):
    store = next(archives(state), None)
  if store is None:
    return found
  rows = [
    (seed, archive_lib.Archive(*at(store, seed))) for seed in range(num_seeds)
  ]
  found['top'] = [{'seed': s, **row} for s, one in rows for row in top(one, k)]
  if store.values.ndim == 3:
    found['pareto'] = [
      {'seed': s, **row} for s, one in rows for row in pareto(one)
    ]
  return found


def _host(state):
  """Arrays on the host; keys have no numpy form and are of no interest."""
  return jax.tree.map(
    lambda x: (
      np.zeros(x.shape)
      if jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
      else np.asarray(x)
    ),
    state,
  )


def write(path: pathlib.Path, specs: Mapping[str, Any]) -> None:
  """Write the result of a search as JSON."""
  path = pathlib.Path(path)
  path.parent.mkdir(parents=True, exist_ok=True)
  metrics.write_json(path, specs)


def check_choices(arch: Arch, mask: Mask) -> None:
  """Raise unless every decision is one of the choices that there are.

  Args:
    arch: index architecture, pytree of `[D]`.
    mask: the space's, pytree of `bool[D, K]`; its shapes count, since a space
      may use choices that its relaxations do not have.

  Raises:
    ValueError: if a number is negative or not below K.
  """

  def check(path, allowed, leaf):
    size = allowed.shape[-1]
    if not np.all((0 <= np.asarray(leaf)) & (np.asarray(leaf) < size)):
      raise ValueError(
        f'{jax.tree_util.keystr(path)} of an architecture must be numbers '
        f'from 0 to {size - 1}, got {np.asarray(leaf).tolist()}.'
      )

  jax.tree_util.tree_map_with_path(check, mask, arch)


def read(path: pathlib.Path, template: Arch) -> list[Arch]:
  """Read the architectures that a search found.

  Args:
    path: a file from `write`.
    template: any architecture of the space.

  Returns:
    One architecture a seed.

  Raises:
    ValueError: if there is no such file, or it is of another space.
  """
  path = pathlib.Path(path)
  if not path.is_file():
    raise ValueError(f'There is no file {path} with architectures.')
  specs = metrics.read_json(path)
  if not isinstance(specs, Mapping) or not specs.get('found'):
    raise ValueError(f'{path} holds no architectures ("found": [...]).')
  return [from_json(row['arch'], template) for row in specs['found']]
