"""Checkpoints of a search: atomic, the last few kept, checked when read.

A state is one pytree. Its leaves are stored by orbax beside a manifest (path,
shape, type and the digest of all bytes), so that a damaged file and a state of
another config are both noticed. Typed keys are stored as their key data.
"""

import hashlib
import pathlib
from typing import Any
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from nasjax.types import State


class CheckpointError(ValueError):
  """There are checkpoints, and none can be continued from."""


class StructureError(CheckpointError):
  """The state in a checkpoint is not the state of this search."""


def manager(directory: pathlib.Path, keep: int = 3) -> ocp.CheckpointManager:
  """Open a folder of checkpoints; use it as a context manager.

  Args:
    directory: the folder, created when it does not exist.
    keep: how many of the newest checkpoints stay.

  Returns:
    The open folder.
  """
  options = ocp.CheckpointManagerOptions(
    max_to_keep=keep, enable_async_checkpointing=False
  )
  return ocp.CheckpointManager(
    pathlib.Path(directory).resolve(), options=options
  )


def _is_key(leaf):
  return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _describe(state):
  """One [path, shape, dtype] a leaf."""
  return [
    [jax.tree_util.keystr(path), list(leaf.shape), str(leaf.dtype)]
    for path, leaf in jax.tree_util.tree_leaves_with_path(state)
  ]


def _digest(arrays):
  digest = hashlib.blake2b(digest_size=16)
  for array in arrays:
    digest.update(np.ascontiguousarray(array).tobytes())
  return digest.hexdigest()


def save(folder: ocp.CheckpointManager, step: int, state: State) -> None:
  """Write a checkpoint; it exists completely or not at all.

  Args:
    folder: from `manager`.
    step: number of updates behind the state.
    state: pytree of arrays.
  """
  leaves = jax.tree.leaves(state)
  arrays = jax.device_get(
    [jax.random.key_data(x) if _is_key(x) else x for x in leaves]
  )
  arrays = [np.asarray(array) for array in arrays]
  manifest = {
    'leaves': _describe(state),
    'keys': {
      str(i): str(jax.random.key_impl(x))
      for i, x in enumerate(leaves)
      if _is_key(x)
    },
    'digest': _digest(arrays),
  }
  # Orbax stores neither empty trees nor arrays without elements.
  stored = {str(i): x for i, x in enumerate(arrays) if x.size}
  stored['step'] = np.asarray(step)
  folder.save(
    step,
    args=ocp.args.Composite(
      state=ocp.args.StandardSave(stored), manifest=ocp.args.JsonSave(manifest)
    ),
  )
  folder.wait_until_finished()


def _read(folder, step, template) -> State:
  """Read one checkpoint; all exceptions but StructureError mean damage."""
  manifest = folder.restore(
    step, args=ocp.args.Composite(manifest=ocp.args.JsonRestore())
  )['manifest']
  expected = _describe(template)
  if manifest['leaves'] != expected:
    found = {tuple(map(str, leaf)) for leaf in manifest['leaves']}
    here = {tuple(map(str, leaf)) for leaf in expected}
    raise StructureError(
      f'The checkpoint of step {step} has another structure than this '
      f'search: only in the checkpoint {sorted(found - here)[:3]}, only in '
      f'the search {sorted(here - found)[:3]}.'
    )
  stored = folder.restore(
    step, args=ocp.args.Composite(state=ocp.args.StandardRestore())
  )['state']
  structs = jax.tree.leaves(template)
  arrays = [
    np.asarray(stored[str(i)])
    if str(i) in stored
    else np.zeros(x.shape, x.dtype)
    for i, x in enumerate(structs)
  ]
  if _digest(arrays) != manifest['digest']:
    raise OSError('the stored numbers do not match their digest')
  leaves = [
    jax.random.wrap_key_data(jnp.asarray(x), impl=manifest['keys'][str(i)])
    if str(i) in manifest['keys']
    else jnp.asarray(x)
    for i, x in enumerate(arrays)
  ]
  return jax.tree.unflatten(jax.tree.structure(template), leaves)


def restore(
  folder: ocp.CheckpointManager, template: Any
) -> tuple[int, State] | None:
  """Read the newest checkpoint that is whole, and delete damaged newer ones.

  Args:
    folder: from `manager`.
    template: pytree with the structure, shapes and types of the state, such as
      `jax.eval_shape(search.init, key)`.

  Returns:
    The step and the state, or None when there is no checkpoint.

  Raises:
    StructureError: if the state has another structure.
    CheckpointError: if there are checkpoints and none is whole.
  """
  steps = sorted(folder.all_steps(), reverse=True)
  damaged = []
  for step in steps:
    try:
      state = _read(folder, step, template)
    except StructureError:
      raise
    except Exception as error:  # whatever the readers of broken files raise
      damaged.append((step, error))
    else:
      for bad, reason in damaged:
        warnings.warn(
          f'The checkpoint of step {bad} is damaged '
          f'({str(reason).splitlines()[0][:200]}); continuing from step '
          f'{step}.',
          stacklevel=2,
        )
        folder.delete(bad)
      return step, state
  if damaged:
    raise CheckpointError(
      f'No checkpoint in {folder.directory} can be read (steps '
      f'{", ".join(str(step) for step in steps)}). Delete that folder to '
      f'start again from step 0.'
    )
  return None
