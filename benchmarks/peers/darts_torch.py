"""Time the search step of the authors' DARTS program, github.com/quark0/darts.

Their files are imported from a checkout and stay as they are. They were written
for PyTorch 0.3; what newer versions dropped is put back here, at run time:

  * `.cuda()` does nothing.
  * `x.add_(scalar, y)`, `x.sub_(scalar, y)` and `x.sub(scalar, y)` take their
    old order of arguments.
  * For channels_last alone, weights are flattened by `reshape`, because `view`
    refuses that layout, and the unrolled copy of the network gets it too.
"""

import argparse
import pathlib
import sys
import time

import torch
from torch import nn

from benchmarks import measure


def _restore_old_signatures():
  for name in ('add_', 'sub_', 'sub'):
    method = getattr(torch.Tensor, name)

    def either_order(x, *args, method=method, **options):
      if len(args) == 2:
        return method(x, args[1], alpha=float(args[0]))
      return method(x, *args, **options)

    setattr(torch.Tensor, name, either_order)
  torch.Tensor.cuda = lambda x, *args, **options: x
  nn.Module.cuda = lambda module, *args, **options: module


def _prefer_channels_last(architect, model_search):
  architect._concat = lambda xs: torch.cat([x.reshape(-1) for x in xs])
  make = model_search.Network.new
  model_search.Network.new = lambda model: make(model).to(
    memory_format=torch.channels_last
  )


def _make_step(options):
  """Return one step of `train_search.py`, on random images."""
  sys.path.insert(0, str(pathlib.Path(options.peer) / 'cnn'))
  _restore_old_signatures()
  import architect
  import model_search

  torch.manual_seed(0)
  layout = getattr(torch, options.layout)
  if options.layout == 'channels_last':
    _prefer_channels_last(architect, model_search)
  criterion = nn.CrossEntropyLoss()
  model = model_search.Network(options.channels, 10, options.cells, criterion)
  model = model.to(memory_format=layout)
  optimizer = torch.optim.SGD(
    model.parameters(), 0.025, momentum=0.9, weight_decay=3e-4
  )
  settings = argparse.Namespace(
    momentum=0.9,
    weight_decay=3e-4,
    arch_learning_rate=3e-4,
    arch_weight_decay=1e-3,
  )
  search = architect.Architect(model, settings)
  shape = (options.batch, 3, options.size, options.size)
  images = [
    torch.randn(shape).contiguous(memory_format=layout) for _ in range(2)
  ]
  label = torch.arange(options.batch) % 10

  def step():
    search.step(
      images[0],
      label,
      images[1],
      label,
      0.025,
      optimizer,
      unrolled=options.order == 'second',
    )
    optimizer.zero_grad()
    criterion(model(images[0]), label).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5)
    optimizer.step()

  return step, sum(weight.numel() for weight in model.parameters())


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--peer', required=True)
  parser.add_argument('--order', choices=('first', 'second'), required=True)
  parser.add_argument(
    '--layout', choices=('contiguous_format', 'channels_last'), required=True
  )
  parser.add_argument('--threads', type=int, required=True)
  for name in ('channels', 'cells', 'size', 'batch'):
    parser.add_argument(f'--{name}', type=int, required=True)
  options = parser.parse_args()
  torch.set_num_threads(options.threads)
  step, num_weights = _make_step(options)
  start = time.perf_counter()
  step()  # the first allocates, and has no momentum yet
  measure.serve(
    step, first=time.perf_counter() - start, num_weights=num_weights
  )


if __name__ == '__main__':
  main()
