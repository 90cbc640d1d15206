"""Time the training of tiny NAS-Bench-201 networks in PyTorch.

A plain network after Dong, Yang, NAS-Bench-201, 2020
(https://arxiv.org/abs/2001.00326), figure 1, one architecture after the other.
Edges with `none` are left out, which spares this program their zeros.
"""

import argparse
from concurrent import futures
import functools
import math
import time

import torch
from torch import nn
from torch.nn import functional

from benchmarks import measure

_EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


class ReluConvNorm(nn.Sequential):
  def __init__(self, inputs, outputs, kernel, stride=1):
    super().__init__(
      nn.ReLU(),
      nn.Conv2d(
        inputs, outputs, kernel, stride, padding=kernel // 2, bias=False
      ),
      nn.BatchNorm2d(outputs),
    )


def _operation(index, channels):
  """Return none, skip, convolution 1x1 or 3x3, or average pooling."""
  return (
    lambda: None,
    nn.Identity,
    lambda: ReluConvNorm(channels, channels, 1),
    lambda: ReluConvNorm(channels, channels, 3),
    lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
  )[index]()


class Cell(nn.Module):
  def __init__(self, arch, channels):
    super().__init__()
    self.edges = nn.ModuleDict(
      {
        f'{source}_{target}': operation
        for (source, target), index in zip(_EDGES, arch)
        if (operation := _operation(index, channels)) is not None
      }
    )

  def forward(self, x):
    nodes = [x]
    for target in (1, 2, 3):
      incoming = [
        self.edges[f'{source}_{target}'](nodes[source])
        for source in range(target)
        if f'{source}_{target}' in self.edges
      ]
      nodes.append(sum(incoming) if incoming else torch.zeros_like(x))
    return nodes[-1]


class Reduction(nn.Module):
  def __init__(self, inputs, outputs):
    super().__init__()
    self.block = nn.Sequential(
      ReluConvNorm(inputs, outputs, 3, 2), ReluConvNorm(outputs, outputs, 3)
    )
    self.shortcut = nn.Sequential(
      nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False)
    )

  def forward(self, x):
    return self.block(x) + self.shortcut(x)


def _network(arch, channels, cells):
  layers = [
    nn.Conv2d(3, channels, 3, padding=1, bias=False),
    nn.BatchNorm2d(channels),
  ]
  for stage in range(3):
    width = channels * 2**stage
    if stage:
      layers.append(Reduction(width // 2, width))
    layers += [Cell(arch, width) for _ in range(cells)]
  layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
  return nn.Sequential(*layers, nn.Flatten(), nn.Linear(width, 10))


def _train(arch, options):
  """Train one network and return its last loss."""
  torch.manual_seed(0)
  layout = getattr(torch, options.layout)
  size = options.size
  images = torch.randn(options.batches, options.batch, 3, size, size)
  images = [image.contiguous(memory_format=layout) for image in images]
  label = torch.arange(options.batch) % 10
  network = _network(arch, options.channels, options.cells)
  network = network.to(memory_format=layout)
  optimizer = torch.optim.SGD(
    network.parameters(), 0.025, momentum=0.9, weight_decay=3e-4
  )
  for t in range(options.steps):
    rate = 0.0125 * (1 + math.cos(math.pi * t / options.steps))
    for group in optimizer.param_groups:
      group['lr'] = rate
    loss = functional.cross_entropy(network(images[t % len(images)]), label)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 5)
    optimizer.step()
  return loss.item()


def _archs(text):
  return [[int(digit) for digit in arch] for arch in text.split(',')]


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--archs', type=_archs, required=True)
  parser.add_argument('--threads', type=int, required=True)
  parser.add_argument('--processes', type=int, required=True)
  parser.add_argument(
    '--layout', choices=('contiguous_format', 'channels_last'), required=True
  )
  for name in ('channels', 'cells', 'size', 'batch', 'batches', 'steps'):
    parser.add_argument(f'--{name}', type=int, required=True)
  options = parser.parse_args()
  torch.set_num_threads(options.threads)
  train = functools.partial(_train, options=options)
  start = time.perf_counter()
  if options.processes == 1:
    run = lambda: [train(arch) for arch in options.archs]
    train(options.archs[0])
    measure.serve(run, processes=1, first=time.perf_counter() - start)
    return
  with futures.ProcessPoolExecutor(
    options.processes,
    initializer=torch.set_num_threads,
    initargs=(options.threads,),
  ) as pool:
    run = lambda: list(pool.map(train, options.archs))
    list(pool.map(train, options.archs[: options.processes]))
    measure.serve(
      run, processes=options.processes, first=time.perf_counter() - start
    )


if __name__ == '__main__':
  main()
