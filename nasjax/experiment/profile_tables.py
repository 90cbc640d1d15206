"""What a profile says: tables, comparisons, the page. See `profiles`."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nasjax import archive
from nasjax.estimators import latency, latency_predictor, ridge
from nasjax.experiment import (
  export,
  folder,
  latencies,
  metrics,
  page,
  phases,
  plots,
  results,
)
from nasjax.types import Arch


def _fit(space, exchanged, milliseconds):
  """A look-up table: what architectures one option apart differ by."""
  archs = jax.tree.map(lambda *leaves: jnp.stack(leaves), *exchanged)
  told = archive.Archive(archs, jnp.float32(milliseconds), jnp.int32(0))
  return latency_predictor.fit(
    ridge.ridge(space.encode, exchanged[0], 1e-4), told
  )


def _options(mask, exchanged, milliseconds):
  """Rows of the table: every option, and how much longer it takes."""
  leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(exchanged[0])]
  paths = [
    jax.tree_util.keystr(path, simple=True, separator='.')
    for path, _ in jax.tree_util.tree_leaves_with_path(mask)
  ]
  rows = []
  for arch, ms in zip(exchanged[1:], milliseconds[1:]):
    changed = [np.asarray(leaf) for leaf in jax.tree.leaves(arch)]
    i, decision = next(
      (i, int(np.flatnonzero(new != old)[0]))
      for i, (new, old) in enumerate(zip(changed, leaves))
      if np.any(new != old)
    )
    rows.append(
      {
        'leaf': paths[i],
        'decision': decision,
        'option': int(changed[i][decision]),
        'instead_of': int(leaves[i][decision]),
        'milliseconds': float(ms - milliseconds[0]),
      }
    )
  return rows


def _compared(found, summed):
  """What stands against what: name, predicted and measured, same length."""
  child = found['child'].milliseconds
  num = len(child)
  pairs = {'timed again': (found['again'].milliseconds, child)}
  if 'switched' in found:
    switched = found['switched'].milliseconds
    line = np.polyfit(switched[:num], child, 1)
    pairs |= {
      'switches': (switched[:num], child),
      # Forms differ by an overhead: that of the children is fitted by a line.
      'switches, after a line': (np.polyval(line, switched[:num]), child),
      'table against switches': (summed, switched),
    }
  pairs['table'] = (summed[:num], child)
  return pairs


def _outcome(space, found, exchanged, pairs):
  """What results.json holds."""
  return {
    'rows': [
      {'compared': name, 'number': len(truth)}
      | latency.errors(predicted, truth)
      for name, (predicted, truth) in pairs.items()
    ],
    'forms': [
      {
        'form': name,
        'number': len(of.milliseconds),
        'lowest_ms': float(np.min(of.milliseconds)),
        'median_ms': float(np.median(of.milliseconds)),
        'highest_ms': float(np.max(of.milliseconds)),
        'noise_percent': float(100 * np.mean(of.noise)),
      }
      for name, of in found.items()
    ],
    'table': _options(space.mask, exchanged, found['exchanged'].milliseconds),
  }


def _page(job, num_archs, pairs, outcome):
  """The report."""
  directory = job.workdir / 'plots'
  directory.mkdir(exist_ok=True)
  figures = [
    page.plot(
      directory,
      name.replace(' ', '_').replace(',', ''),
      f'{name}: predicted over measured by programs of their own',
      plots.scatter({name: (truth, predicted)}, 'measured, ms', f'{name}, ms'),
    )
    for name, (predicted, truth) in pairs.items()
  ]
  compared, *others = (
    page.heading(title)
    + page.table(list(of[0]), [list(row.values()) for row in of])
    for title, of in (
      ('How forms and tables agree', outcome['rows']),
      ('What was measured', outcome['forms']),
      ('What options take more than others', outcome['table']),
    )
  )
  here = folder.environment()
  page.write(
    job.workdir / 'report.html',
    f'Latencies: {job.config["network_name"]}',
    f'{num_archs} architectures on {here["device"]}.',
    [
      compared,
      page.gallery('One against the other', figures),
      *others,
      page.settings(job.config, here),
    ],
  )


def write(
  job: phases.Job,
  archs: Sequence[Arch],
  exchanged: Sequence[Arch],
  found: Mapping[str, latencies.Measured],
) -> dict[str, Any]:
  """Fit the table, compare, and write the files of the folder.

  Args:
    job: of the profile.
    archs: random architectures, of which the first have programs of their own.
    exchanged: architectures one option apart, from `latency.variants`.
    found: latencies: 'child' and 'again' of the first of `archs`, 'switched' of
      all if there are any, 'exchanged'.

  Returns:
    Dict of 'rows' (a comparison each), 'forms' (range and noise of each form)
    and 'table' (an option each), as in results.json.
  """
  workdir, space = job.workdir, job.parts['space']
  table = _fit(space, exchanged, found['exchanged'].milliseconds)
  stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *archs)
  summed = np.asarray(jax.jit(jax.vmap(table))(stacked))
  pairs = _compared(found, summed)
  outcome = _outcome(space, found, exchanged, pairs)
  columns = {
    name: of.milliseconds for name, of in found.items() if name != 'exchanged'
  } | {'table': summed}
  rows = [
    {'arch': metrics.dumps(export.to_json(arch))}
    | {name: float(of[i]) for name, of in columns.items() if i < len(of)}
    for i, arch in enumerate(archs)
  ]
  results.write_csv(workdir / 'profile.csv', rows)
  results.write_csv(workdir / 'table.csv', outcome['table'])
  metrics.write_json(workdir / 'results.json', outcome)
  _page(job, len(archs), pairs, outcome)
  return outcome


def text(outcome: Mapping[str, Any]) -> str:
  """Return the tables of comparisons and of forms as text."""
  return '\n\n'.join(
    results.grid(list(of[0]), [list(row.values()) for row in of])
    for of in (outcome['rows'], outcome['forms'])
  )
