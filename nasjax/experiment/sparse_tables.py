"""What searched sub-networks are worth beside random ones, as tables.

Results are arrays by `condition/name`, from `estimators.masked_training`, of P
parents, S sparsities, R random sub-networks, T drawn masks and E epochs:

  dense/test_accuracy                         [P, E + 1]
  random/test_accuracy, random/train_loss     [P, S, R, E + 1]
  found_loss/..., found_accuracy/..., pruned/...  [P, S, E + 1] likewise
  initial/loss                                [P, S, T]

A difference is of pairs: a sub-network and the mean of the random ones, of the
same parent.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from nasjax import ranking
from nasjax.experiment import paired
from nasjax.spaces import node_masks

_PERMUTATIONS = 9999
_CONDITIONS = ('found_loss', 'found_accuracy', 'pruned')
_ACCURACIES = 0.005  # of accuracies, in which two are equivalent
_HEAD = (
  'sparsity',
  'nodes a layer',
  'weights removed',
  'random, %',
  'of the parent',
  'least initial loss of 1, 10 and T masks',
)
# Scale, and differences that count as none.
_MARGINS = {
  'final': (100, _ACCURACIES),
  'area': (100, _ACCURACIES),
  'epochs': (1, 0.5),
}


def _measures(curves, reached):
  """Return what is compared of curves `[..., E + 1]`.

  That is the `final` test accuracy, `area`, its mean over the epochs, and the
  `epochs` until the training loss is `reached`; E + 1 if it never is.
  """
  accuracy, loss = curves['test_accuracy'], curves['train_loss']
  below = loss <= reached[..., None]
  first = np.where(below.any(-1), below.argmax(-1), loss.shape[-1])
  return {
    'final': accuracy[..., -1],
    'area': accuracy[..., 1:].mean(-1),
    'epochs': first.astype(float),
  }


def _of(results, condition):
  start = f'{condition}/'
  return {
    name.removeprefix(start): value
    for name, value in results.items()
    if name.startswith(start)
  }


def _percent(row, scale):
  star = ' =' if row['equivalent'] else ''
  return (
    f'{scale * row["mean"]:.2f} [{scale * row["low"]:.2f}, '
    f'{scale * row["high"]:.2f}] p={row["p"]:.2g}{star}'
  )


def _head(*cells):
  return [f'| {" | ".join(cells)} |', '|' + ' --- |' * len(cells)]


def _random(results, final, sparsities, sizes):
  """Lines of what random sub-networks reach, and what the best start with."""
  dense = _of(results, 'dense')['test_accuracy'][:, -1]
  lines = [
    (
      f'{len(dense)} parents; test accuracy of the parents '
      f'{100 * dense.mean():.2f} %, standard deviation {100 * dense.std():.2f}.'
    ),
    '',
    *_head(*_HEAD),
  ]
  scores = results['initial/loss']
  drawn = scores.shape[-1]
  for i, s in enumerate(sparsities):
    counts = node_masks.kept(sizes[1:-1], s)
    removed = node_masks.weight_sparsity(sizes, counts)
    losses = [
      -np.mean([ranking.expected_maximum(row, n) for row in scores[:, i]])
      for n in (1, min(10, drawn), drawn)
    ]
    lines.append(
      f'| {s} | {counts[0]} | {removed:.4f} | {100 * final[:, i].mean():.2f} ± '
      f'{100 * final[:, i].std():.2f} | {(final[:, i] / dense).mean():.3f} | '
      f'{", ".join(f"{loss:.3f}" for loss in losses)} |'
    )
  return lines


def _differences(results, base, reached, sparsities):
  """Lines of all differences from random sub-networks."""
  others = {c: _measures(_of(results, c), reached) for c in _CONDITIONS}
  lines = []
  for name, (scale, margin) in _MARGINS.items():
    lines += ['', f'`{name}`, difference from random', '']
    lines += _head('sparsity', *_CONDITIONS)
    for i, s in enumerate(sparsities):
      rows = [
        paired.paired(others[c][name][:, i], base[name][:, i], margin)
        for c in _CONDITIONS
      ]
      cells = [_percent(row, scale) for row in rows]
      lines.append(f'| {s} | ' + ' | '.join(cells) + ' |')
  return lines


def correlation(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
  """Return Spearman's correlation within groups, and how likely chance has it.

  Args:
    x: `[P, R]`, R values of each of P groups, whose means do not count.
    y: likewise.

  Returns:
    The correlation of what deviates from the means, and the share of
    permutations within groups whose is as far from zero.
  """
  ranks = [
    stats.rankdata(value - value.mean(1, keepdims=True)).reshape(value.shape)
    for value in (x, y)
  ]
  x, y = ((rank - rank.mean()) / rank.std() for rank in ranks)
  rng = np.random.default_rng(0)
  permuted = rng.permuted(np.broadcast_to(y, (_PERMUTATIONS, *y.shape)), axis=2)
  chance = np.abs(np.mean(x * permuted, axis=(1, 2)))
  found = float(np.mean(x * y))
  as_far = np.sum(chance >= abs(found) - 1e-12)
  return found, float((1 + as_far) / (1 + _PERMUTATIONS))


def _correlations(random, sparsities):
  """Lines of what the initial loss tells of the final accuracy."""
  lines = ['', 'Spearman, initial loss and final accuracy of random masks:']
  for i, s in enumerate(sparsities):
    found, p = correlation(
      random['train_loss'][:, i, :, 0], random['test_accuracy'][:, i, :, -1]
    )
    lines.append(f'{s}: {found:.2f} (p={p:.2g})')
  return lines


def tables(
  results: Mapping[str, np.ndarray],
  sparsities: Sequence[float],
  sizes: Sequence[int],
) -> str:
  """Return the report in markdown.

  Args:
    results: see above.
    sparsities: of the nodes, S.
    sizes: of all layers, inputs and outputs too.

  Returns:
    The tables.
  """
  random = _of(results, 'random')
  # Half of what random sub-networks still lose at the end is gone: an event
  # that comes at every sparsity.
  start, end = (random['train_loss'][..., i].mean(2) for i in (0, -1))
  reached = (start + end) / 2
  each = np.broadcast_to(reached[..., None], random['train_loss'].shape[:3])
  base = {
    name: value.mean(2) for name, value in _measures(random, each).items()
  }
  return '\n'.join(
    [
      *_random(results, base['final'], sparsities, sizes),
      *_differences(results, base, reached, sparsities),
      *_correlations(random, sparsities),
    ]
  )
