"""Time NASWOT on the networks of github.com/BayesWatch/nas-without-training.

Their networks are imported from a checkout and stay as they are. The score is
theirs in two forms:

  * published: a pass forward and backward that marks the rectifiers that the
    gradient reaches, then a second pass forward, in which every marked module
    with ReLU in its class's name (so also the block of rectifier, convolution
    and norm) adds the Gram matrices of its input's signs and of their negation.
  * one_pass: one pass without gradients, in the layout channels_last, in which
    every rectifier adds one Gram matrix of 8-bit integers.
"""

import argparse
from concurrent import futures
import functools
import sys
import time
import warnings

import numpy as np
import torch
from torch import nn

from benchmarks import measure

_OPERATIONS = (
  'none',
  'skip_connect',
  'nor_conv_1x1',
  'nor_conv_3x3',
  'avg_pool_3x3',
)
_SOURCES = ((0,), (0, 1), (0, 1, 2))  # of the edges into nodes 1, 2, 3


def _network(arch, options):
  """Build the checkout's network of a cell, with weights of its own."""
  if options.peer not in sys.path:
    sys.path.insert(0, options.peer)
  from models.cell_infers import tiny_network
  from models.cell_searchs import genotypes

  operation = iter(_OPERATIONS[int(digit)] for digit in arch)
  cell = genotypes.Structure(
    [tuple((next(operation), i) for i in node) for node in _SOURCES]
  )
  return tiny_network.TinyNetwork(options.channels, options.cells, cell, 1)


def _images(options):
  shape = (options.batch, options.size, options.size, 3)
  return np.random.default_rng(0).standard_normal(shape, np.float32)


def _logdet(kernel):
  return float(np.linalg.slogdet(np.asarray(kernel, np.float64))[1])


def _published(network, image):
  """Return the score of the published procedure."""
  image = image.contiguous()
  kernel = np.zeros((len(image), len(image)))
  marked = set()

  def count(module, inputs, output):
    nonlocal kernel
    if module in marked:
      positive = (inputs[0].reshape(len(image), -1) > 0).float()
      negative = 1.0 - positive
      kernel = kernel + (positive @ positive.t()).numpy()
      kernel = kernel + (negative @ negative.t()).numpy()

  def mark(module, inputs, outputs):
    marked.add(module)

  for module in network.modules():
    if 'ReLU' in type(module).__name__:
      module.register_forward_hook(count)
      module.register_backward_hook(mark)  # the full one forbids inplace
  logits, _ = network(image.clone().requires_grad_(True))
  logits.backward(torch.ones_like(logits))
  network(image)
  return _logdet(kernel)


def _one_pass(network, image):
  """Return the score of one pass, rectifiers counted once."""
  network = network.to(memory_format=torch.channels_last)
  kernel = torch.zeros((len(image), len(image)), dtype=torch.int64)

  def count(module, inputs):
    flat = inputs[0].permute(0, 2, 3, 1).reshape(len(image), -1)
    codes = (flat > 0).to(torch.int8).mul_(2).sub_(1)
    product = torch._int_mm(codes, codes.t())  # exact, in 32 bits
    kernel.add_((product + codes.shape[1]) // 2)

  for module in network.modules():
    if isinstance(module, nn.ReLU):
      module.register_forward_pre_hook(count)
  with torch.inference_mode():
    network(image)
  return _logdet(kernel)


def _score(arch, images, options):
  torch.manual_seed(0)
  score = {'published': _published, 'one_pass': _one_pass}[options.form]
  image = torch.from_numpy(images).permute(0, 3, 1, 2)  # so: channels_last
  return score(_network(arch, options), image)


def _serve(run, options):
  start = time.perf_counter()
  scores = run()
  measure.serve(
    run,
    scores=scores,
    first=time.perf_counter() - start,
    form=options.form,
    processes=options.processes,
  )


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--peer', required=True)
  parser.add_argument('--archs', type=lambda t: t.split(','), required=True)
  parser.add_argument('--form', choices=('published', 'one_pass'))
  for name in ('threads', 'processes', 'channels', 'cells', 'size', 'batch'):
    parser.add_argument(f'--{name}', type=int, required=True)
  options = parser.parse_args()
  torch.set_num_threads(options.threads)
  warnings.simplefilter('ignore', FutureWarning)  # of their kind of hook
  score = functools.partial(_score, images=_images(options), options=options)
  if options.processes == 1:
    _serve(lambda: [score(arch) for arch in options.archs], options)
    return
  with futures.ProcessPoolExecutor(
    options.processes,
    initializer=torch.set_num_threads,
    initargs=(options.threads,),
  ) as pool:
    _serve(lambda: list(pool.map(score, options.archs)), options)


if __name__ == '__main__':
  main()
