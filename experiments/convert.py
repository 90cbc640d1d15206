r"""Converts the official files of a benchmark that you own into a table.

  python -m experiments.convert --benchmark=nasbench101 \
    --source=nasbench_only108.tfrecord --output=nb101.npz
  python -m experiments.convert --benchmark=nats \
    --source=NATS-tss-v1_0-3ffb9-simple --output=nb201_table.npz
  python -m experiments.convert --benchmark=planetoid \
    --source=planetoid/data/ind.cora --output=cora.npz
  python -m experiments.convert --benchmark=nasbench_graph \
    --source=nas-bench-graph/light --output=nas_bench_graph.npz

None needs the benchmark's own package, TensorFlow or PyTorch.
"""

from collections.abc import Sequence

from absl import app, flags

from nasjax import experiment
from nasjax.data import (
  convert_nasbench101,
  convert_nasbench_graph,
  convert_nats,
  convert_planetoid,
)

_BENCHMARK = flags.DEFINE_enum(
  'benchmark',
  None,
  ['nasbench101', 'nats', 'planetoid', 'nasbench_graph'],
  'Whose files the source has.',
)
_SOURCE = flags.DEFINE_string(
  'source',
  None,
  'The official file, folder, or start of the files (planetoid).',
)
_OUTPUT = flags.DEFINE_string('output', None, 'The table to write, an .npz.')
_ALLOW_MISSING = flags.DEFINE_bool(
  'allow_missing', False, 'Whether cells may lack a file (nats).'
)
flags.mark_flags_as_required(['benchmark', 'source', 'output'])


def main(argv: Sequence[str]) -> None:
  """Convert the files.

  Args:
    argv: what is left of the command line: nothing but its name.
  """
  del argv  # `launch.parse_flags` lets nothing through.
  source, output = _SOURCE.value, _OUTPUT.value
  with experiment.launch.clear_errors():
    match _BENCHMARK.value:
      case 'nats':
        size = convert_nats.convert(source, output, _ALLOW_MISSING.value)
      case 'planetoid':
        size = convert_planetoid.convert(source, output)
      case 'nasbench_graph':
        size = convert_nasbench_graph.convert(source, output)
      case _:
        size, _, _ = convert_nasbench101.convert(source, output)
  print(f'{output}: {size:,} rows')


if __name__ == '__main__':
  app.run(main, flags_parser=experiment.launch.parse_flags)
