"""Time neural tangent kernels of NAS-Bench-201 networks in PyTorch.

Row n of the matrix G is the gradient of the sum of logits of example n with
respect to kernels and scales, without the classifier; the kernel is G G^T. It
is computed in one of these forms:

  * loop: one pass forward and, for every example, one pass backward of the
    whole batch, as published programs do with either normalisation.
  * examples: frozen normalisation, a pass forward and backward an example.
  * func: frozen, `torch.func.vmap` of `torch.func.grad`.
  * factored: frozen, one pass backward to the outputs of all layers, from which
    and from the layers' inputs the gradients of single examples follow.
"""

import argparse
from concurrent import futures
import functools
import pathlib
import time

import numpy as np
import torch
from torch.nn import functional

from benchmarks import measure
from benchmarks.peers import weights_torch


def _gram(rows):
  flat = rows.reshape(len(rows), -1)
  return flat @ flat.t()


def _row(output, leaves):
  """Return the gradient of one output, without what it does not depend on."""
  gradients = torch.autograd.grad(
    output, leaves, retain_graph=True, allow_unused=True
  )
  return torch.cat([g.reshape(-1) for g in gradients if g is not None])


def _with_gradients(apply, weights, chosen):
  """Return the network as a function of images, and its chosen weights."""
  leaves = {name: weights[name].requires_grad_() for name in chosen}
  return functools.partial(apply, {**weights, **leaves}), list(leaves.values())


def _loop(apply, weights, chosen, image):
  f, leaves = _with_gradients(apply, weights, chosen)
  logits = f(image)
  return _gram(torch.stack([_row(row.sum(), leaves) for row in logits]))


def _examples(apply, weights, chosen, image):
  f, leaves = _with_gradients(apply, weights, chosen)
  rows = [_row(f(one[None]).sum(), leaves) for one in image]
  return _gram(torch.stack(rows))


def _func(apply, weights, chosen, image):
  def total(leaves, one):
    return apply({**weights, **leaves}, one[None]).sum()

  gradients = torch.func.vmap(torch.func.grad(total), (None, 0))
  rows = gradients({name: weights[name] for name in chosen}, image)
  return sum(_gram(leaf) for leaf in rows.values())


def _factored(apply, weights, chosen, image):
  seen = []
  logits = apply(
    weights,
    image.clone().requires_grad_(),
    see=lambda *layer: seen.append(layer),
  )
  if not logits.requires_grad:  # a cell without connections
    return torch.zeros(len(image), len(image))
  cotangents = torch.autograd.grad(
    logits.sum(), [y for _, _, y in seen], allow_unused=True
  )
  kernel = torch.zeros(len(image), len(image))
  with torch.no_grad():
    for (name, x, y), cotangent in zip(seen, cotangents):
      if name not in chosen or cotangent is None:
        continue
      if name.endswith('scale'):
        rows = (x * cotangent).sum((2, 3)) / (1 + weights_torch.EPSILON) ** 0.5
      else:
        size, stride = weights[name].shape[-1], x.shape[-1] // y.shape[-1]
        patches = functional.unfold(x, size, 1, size // 2, stride)
        rows = torch.bmm(cotangent.flatten(2), patches.transpose(1, 2))
      kernel += _gram(rows)
  return kernel


_FORMS = {
  'loop': _loop,
  'examples': _examples,
  'func': _func,
  'factored': _factored,
}


def _kernel(arch, weights, image, options):
  apply = functools.partial(
    weights_torch.logits,
    arch=arch,
    cells=options.cells,
    train=options.norm == 'batch',
  )
  chosen = [
    name
    for name in weights
    if name.endswith(('kernel', 'scale')) and 'classifier' not in name
  ]
  return _FORMS[options.form](apply, weights, chosen, image)


def _image(options):
  shape = (options.batch, options.size, options.size, 3)
  image = np.random.default_rng(0).standard_normal(shape, np.float32)
  layout = getattr(torch, options.layout)
  image = torch.from_numpy(image).permute(0, 3, 1, 2)
  return image.contiguous(memory_format=layout)


def _kernel_of_arrays(pair, options):
  """Return the kernel in a process of its own, where only arrays get."""
  arch, weights = pair
  tensors = weights_torch.tensors(weights, getattr(torch, options.layout))
  return _kernel(arch, tensors, _image(options), options).numpy()


def _serve(run, options):
  start = time.perf_counter()
  kernels = run()
  first = time.perf_counter() - start
  path = pathlib.Path(options.folder) / f'{options.result}.npy'
  np.save(path, np.stack([np.asarray(kernel) for kernel in kernels]))
  measure.serve(run, first=first, processes=options.processes)


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--archs', required=True)
  parser.add_argument('--norm', choices=('frozen', 'batch'), required=True)
  parser.add_argument('--form', choices=_FORMS, required=True)
  parser.add_argument(
    '--layout', choices=('contiguous_format', 'channels_last'), required=True
  )
  for name in ('folder', 'weights', 'result'):
    parser.add_argument(f'--{name}', required=True)
  for name in ('threads', 'processes', 'channels', 'cells', 'size', 'batch'):
    parser.add_argument(f'--{name}', type=int, required=True)
  options = parser.parse_args()
  torch.set_num_threads(options.threads)
  saved = dict(np.load(pathlib.Path(options.folder) / options.weights))
  archs = [[int(digit) for digit in arch] for arch in options.archs.split(',')]
  pairs = [(arch, weights_torch.read(arch, saved)) for arch in archs]
  if options.processes == 1:
    layout, image = getattr(torch, options.layout), _image(options)
    pairs = [
      (arch, weights_torch.tensors(weights, layout)) for arch, weights in pairs
    ]
    _serve(lambda: [_kernel(*pair, image, options) for pair in pairs], options)
    return
  kernel = functools.partial(_kernel_of_arrays, options=options)
  with futures.ProcessPoolExecutor(
    options.processes,
    initializer=torch.set_num_threads,
    initargs=(options.threads,),
  ) as pool:
    _serve(lambda: list(pool.map(kernel, pairs)), options)


if __name__ == '__main__':
  main()
