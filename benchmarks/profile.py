"""Where the time of a program goes, by the primitive that it was written with.

  JAX_PLATFORMS=cpu python -m benchmarks.profile --case=naswot
  JAX_PLATFORMS=cpu python -m benchmarks.profile --case=frozen
  JAX_PLATFORMS=cpu python -m benchmarks.profile --case=batch

are the programs of `benchmarks.naswot` and `benchmarks.ntk`, one device, the
sizes of their defaults. Times are those of XLA's instructions without what they
call, over all threads, from JAX's profiler; a fused instruction counts as the
primitive that it ends in. `busy` is their sum over the time of the program and
the number of cores: what is missing to 1, threads wait.
"""

import argparse
import collections
import os
import pathlib
import re
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import measure
from nasjax import batching
from nasjax.estimators import ntk, zero_cost
from nasjax.networks import NasBench201

_CASES = ('naswot', 'frozen', 'batch')
_INSTRUCTION = re.compile(r'%?([\w.-]+) = .*metadata=\{.*?op_name="([^"]+)"')


def _program(case, num_cells):
  """The jitted program of a case and its arguments."""
  naswot = case == 'naswot'
  network = NasBench201(
    num_classes=1 if naswot else 10,
    channels=16,
    cells_per_stage=5 if naswot else 1,
    track=case == 'frozen',
    unroll=True,
  )
  shape = (128 if naswot else 32, 32, 32, 3)
  image = jnp.asarray(
    np.random.default_rng(0).standard_normal(shape, np.float32)
  )
  cells = measure.read_cells(','.join(measure.random_cells(num_cells)))
  archs = {'op': jnp.array(cells)}
  if naswot:
    proxy = zero_cost.naswot(network, {'image': image})
    one = lambda arch, variables: proxy.raw(jax.random.key(0), variables, arch)
    init = proxy.init
  else:
    one = lambda arch, variables: ntk.kernel(
      network, variables, arch, image, norm=case
    )
    init = lambda key, arch: network.init(key, arch, image[:1], train=False)
  arch = jax.tree.map(lambda x: x[0], archs)
  variables = jax.jit(init)(jax.random.key(0), arch)
  program = jax.jit(
    lambda archs, variables: batching.map_archs(one, archs, shared=(variables,))
  )
  return program, (archs, variables)


def _primitives(text):
  """The primitive of every instruction of a compiled program."""
  found = {}
  for line in text.splitlines():
    match = _INSTRUCTION.search(line)
    if match:
      found[match[1]] = match[2].split('/')[-1]
  return found


def _own_times(events):
  """Seconds of each event of a thread, sorted, without those inside it."""
  stack, own = [], []
  for start, length, _ in events:
    while stack and stack[-1][0] <= start:
      stack.pop()
    if stack:
      own[stack[-1][1]] -= length
    stack.append((start + length, len(own)))
    own.append(length)
  return own


def _read(folder, primitives):
  """Seconds and calls by primitive, of the events of XLA's instructions."""
  seconds, calls = collections.Counter(), collections.Counter()
  for path in pathlib.Path(folder).rglob('*.xplane.pb'):
    data = jax.profiler.ProfileData.from_file(str(path))
    for plane in data.planes:
      for line in plane.lines:
        events = [
          (event.start_ns, event.duration_ns, event.name)
          for event in line.events
          if event.name in primitives
        ]
        events.sort(key=lambda e: (e[0], -e[1]))
        for (_, _, name), own in zip(events, _own_times(events)):
          seconds[primitives[name]] += own / 1e9
          calls[primitives[name]] += 1
  return seconds, calls


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--case', choices=_CASES, required=True)
  parser.add_argument('--networks', type=int, default=8)
  parser.add_argument('--rows', type=int, default=12)
  options = parser.parse_args()
  print(f'{options.case}: {measure.load()}')
  program, arguments = _program(options.case, options.networks)
  compiled = program.lower(*arguments).compile()
  jax.block_until_ready(compiled(*arguments))
  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder):
      start = time.perf_counter()
      jax.block_until_ready(compiled(*arguments))
      elapsed = time.perf_counter() - start
    seconds, calls = _read(folder, _primitives(compiled.as_text()))
  total = sum(seconds.values())
  rows = [
    (name, 100 * of / total, of / options.networks, calls[name])
    for name, of in seconds.most_common(options.rows)
  ]
  print(measure.table(('primitive', '% of time', 's/network', 'calls'), rows))
  print(
    f'{elapsed / options.networks:.3f} s a network, busy '
    f'{total / elapsed / os.cpu_count():.2f}'
  )


if __name__ == '__main__':
  main()
