"""Tests of what found architectures are compared with."""

from absl.testing import absltest, parameterized

from nasjax import experiment
from tests.experiment import toys

PARTS = 'tests.experiment.parts'
BEST = {'op': (4, 4, 4, 4, 4, 4)}
CONFIG = dict(
  num_seeds=2,
  num_steps=2,
  num_random=1,
  space=dict(name='spaces.nasbench201.nasbench201'),
  describe=dict(params=dict(function='spaces.nasbench201.num_params')),
  search=dict(name=f'{PARTS}:alpha_search'),
  references={'best': BEST},
  evaluation=dict(
    name=f'{PARTS}:population',
    num_steps=3,
    num_repeats=2,
    baselines=dict(
      short=dict(num_steps=1, num_repeats=3), plain=dict(with_final=False)
    ),
  ),
)


class ContendersTest(parameterized.TestCase):
  def test_references_and_baselines_are_rows_of_the_table(self):
    workdir = toys.folder(self)
    outcome = experiment.run(CONFIG, workdir)
    rows = outcome['rows']
    self.assertEqual(
      [(row['name'], row['seed'], row['repeat']) for row in rows],
      [('found', seed, repeat) for seed in (0, 1) for repeat in (0, 1)]
      + [(name, 0, i) for name in ('random', 'best') for i in (0, 1)]
      + [('short', seed, 0) for seed in range(3)]
      + [('plain', seed, 0) for seed in range(2)],
    )
    best = outcome['summary']['test_accuracy']['best']
    self.assertAlmostEqual(best['mean'], 24, delta=0.1)
    self.assertEqual(rows[6]['arch'], {'op': [4] * 6})
    # Choices of an architecture say nothing about a baseline.
    self.assertNotIn('arch', rows[8])
    self.assertNotIn('params', rows[8])
    # The trainings of a baseline count as networks, not as repeats of one.
    self.assertEqual(outcome['summary']['test_accuracy']['short']['n'], 3)
    for name, steps in (('evaluate', 3), ('evaluate_short', 1)):
      log = (workdir / name / 'metrics.jsonl').read_text().splitlines()
      self.assertLen(log, steps)
    self.assertIn('Evaluate_short', (workdir / 'report.html').read_text())
    before = (workdir / 'results.json').read_bytes()
    experiment.run(CONFIG, workdir)
    self.assertEqual((workdir / 'results.json').read_bytes(), before)

  @parameterized.parameters(
    (
      dict(references={'best': {'op': (4, 4)}}),
      'config.references.best: The architecture is not one of this space',
    ),
    (
      dict(references={'best': {'op': (5, 4, 4, 4, 4, 4)}}),
      'config.references.best: .* from 0 to 4',
    ),
    (
      dict(
        evaluation=CONFIG['evaluation'] | {'baselines': dict(a=dict(wide=1))}
      ),
      "config.evaluation: .*'wide'",
    ),
    (
      dict(
        evaluation=CONFIG['evaluation']
        | {'baselines': dict(a=dict(num_steps=0))}
      ),
      'config.evaluation.num_steps must be a positive int',
    ),
  )
  def test_mistakes_are_named_before_any_work(self, changes, message):
    workdir = toys.folder(self)
    with self.assertRaisesRegex(ValueError, message):
      experiment.run(CONFIG | changes, workdir)
    self.assertFalse(workdir.exists())


if __name__ == '__main__':
  absltest.main()
