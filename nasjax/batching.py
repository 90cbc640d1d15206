"""The one place that batches architectures.

`map_archs` runs a function of one architecture over many: one after another in
`lax.map` (a `lax.switch` then runs one branch only), `batch_size` at a time
under `vmap` (what accelerators, tables and small predictors want), and spread
over all local devices by `shard_map`. The numbers do not depend on the way.
"""

from collections.abc import Callable
import os
from typing import Any
import warnings

import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from nasjax.types import Arch

THREADS = 'PJRT_NPROC'  # what XLA reads its number of threads from
_AXIS = 'archs'


def map_archs(
  f: Callable[..., Any],
  archs: Arch,
  batch_size: int | None = None,
  shared: tuple[Any, ...] = (),
) -> Any:
  """Apply a function to every architecture.

  Blocks of `batch_size` architectures are distributed over the local devices;
  what fits into one block stays on one device, and so do few architectures that
  do not divide among the devices of a CPU, and a call inside another
  `map_archs` or inside any context with a mesh, where placement is the
  caller's. `f` may close over arrays; what may have come out of another
  `map_archs`, a state say, lies on all devices and is passed as `shared`. For
  `vmap` over many whole searches on several devices, map the searches with this
  function and let one block hold the architectures of each.

  Args:
    f: function of one architecture (or of any pytree: an architecture with its
      key, a seed) and of what is shared.
    archs: pytree whose leaves have a leading axis B.
    batch_size: architectures that one `vmap` takes; None for one at a time.
    shared: further arguments of `f`, the same for all.

  Returns:
    The results, stacked along a leading axis B.

  Raises:
    ValueError: if there is no architecture, or if leaves differ in B.
  """
  sizes = {leaf.shape[0] for leaf in jax.tree.leaves(archs)}
  if len(sizes) != 1 or 0 in sizes:
    raise ValueError(
      'map_archs needs one common, positive leading axis B of all leaves, '
      f'got sizes {sorted(sizes)}.'
    )
  num_archs, batch_size = sizes.pop(), batch_size or 1
  mesh = _mesh(num_archs, batch_size)
  if mesh is None:
    return _map_on_device(f, archs, batch_size, shared)

  # Every device gets as many: repeat the last one, drop the copies' results.
  padding = -num_archs % mesh.size
  padded = jax.tree.map(lambda leaf: _repeat_last(leaf, padding), archs)
  spec = jax.sharding.PartitionSpec(_AXIS)
  # No checks of replication: they reject loops in `f` whose carry starts from
  # a constant.
  results = jax.shard_map(
    lambda block, shared: _map_on_device(f, block, batch_size, shared),
    mesh=mesh,
    in_specs=(spec, jax.sharding.PartitionSpec()),
    out_specs=spec,
    check_vma=False,
  )(padded, shared)
  return jax.tree.map(lambda leaf: leaf[:num_archs], results)


def place(tree: Any, num_archs: int, batch_size: int | None = None) -> Any:
  """Put values where those are that come with the results of `map_archs`.

  The first state of a loop that maps architectures is then of the same type as
  all later ones, and the loop is compiled once.

  Args:
    tree: pytree of arrays.
    num_archs: B, the architectures that the loop maps.
    batch_size: of that map.

  Returns:
    The same values, on all devices if the map uses them all.
  """
  mesh = _mesh(num_archs, batch_size or 1)
  if mesh is None:
    return tree
  everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
  return jax.lax.with_sharding_constraint(tree, everywhere)


def _mesh(num_archs, batch_size):
  """The devices that so many architectures are spread over; None for one."""
  devices = jax.local_devices()
  placed = not jax.sharding.get_abstract_mesh().empty
  if num_archs <= batch_size or len(devices) == 1 or placed:
    return None
  padding = -num_archs % len(devices)
  if devices[0].platform == 'cpu' and 4 * padding > num_archs:
    # Devices of a host share its cores: one alone has all of them, and no work
    # for copies.
    return None
  if devices[0].platform == 'cpu' and num_threads() <= len(devices):
    warnings.warn(
      f'XLA counts {num_threads()} threads for {len(devices)} devices of the '
      'host: programs may compute wrong gradients, or hang. Set the variable '
      f'{THREADS} to {len(devices) + 1} or more before JAX starts, or '
      'call nasjax.experiment.launch.set_up_jax().',
      stacklevel=3,
    )
  return jax.sharding.Mesh(np.array(devices), (_AXIS,))


def num_threads() -> int:
  """Threads in the pool that all CPU devices share; must be more than devices.

  A device takes a thread for the whole of a program. If none is left, what
  programs hand to the pool piles up; once the queue of a thread is full, at
  1,024 entries, they run it themselves, in the middle of other work: gradients
  of strided convolutions then come out wrong in the first image of a batch
  (jaxlib 0.10.2), and what waits for the pool waits for ever.
  """
  for name in (THREADS, 'NPROC'):
    if (value := os.environ.get(name, '')).isdecimal():
      return int(value)
  return num_cores()


def num_cores() -> int:
  """Cores that this process may use, by which XLA counts."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def _map_on_device(f, archs, batch_size, shared):
  """Apply `f` on one device, `batch_size` architectures at a time."""
  one = lambda arch: f(arch, *shared)
  num_archs = jax.tree.leaves(archs)[0].shape[0]
  if num_archs == 1:  # No loop, no vmap: XLA does best without.
    result = one(jax.tree.map(lambda leaf: leaf[0], archs))
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], result)
  if num_archs <= batch_size:
    return jax.vmap(one)(archs)
  return lax.map(one, archs, batch_size=batch_size if batch_size > 1 else None)


def _repeat_last(leaf, times):
  if times == 0:
    return leaf
  last = jnp.broadcast_to(leaf[-1:], (times, *leaf.shape[1:]))
  return jnp.concatenate([leaf, last])
