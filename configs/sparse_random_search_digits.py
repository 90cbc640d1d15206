r"""Random search for sparse networks on handwritten digits.

R. Farahani, Random Search as a Baseline for Sparse Neural Network Architecture
Search, 2024; only the abstract was at hand, so all numbers here are ours. A
perceptron of two hidden layers of 96 nodes (16,522 weights for 700 images)
keeps a tenth of its nodes: the best of 100 masks by the loss before training is
trained beside random ones, from the same weights, 20 epochs of Adam.

  python -m experiments.search \
      --config=configs/sparse_random_search_digits.py --workdir=runs/sparse

`:quick` has a tiny parent. The whole protocol, over many parents and
sparsities, is `experiments/sparse_random_search.py`; [what came
out](../docs/studies/sparse_random_search.md).
"""

import ml_collections

_IMAGES, _BATCH, _EPOCHS = 700, 64, 20


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """Return the config.

  Args:
    arg: '' or 'quick'.

  Returns:
    The config.

  Raises:
    ValueError: for any other option.
  """
  if arg not in ('', 'quick'):
    raise ValueError(f'Unknown option {arg!r}. Known: quick.')
  quick = arg == 'quick'
  width = 8 if quick else 96
  batch = dict(
    name='data.fixed.first',
    dataset='@data.train',
    num_images=40 if quick else _IMAGES,
  )
  streamed = lambda part, size, factory: dict(
    name=f'data.streams.{factory}', dataset=f'@data.{part}', batch_size=size
  )
  return ml_collections.ConfigDict(
    dict(
      seed=0,
      num_seeds=1 if quick else 4,  # masks of one parent
      num_steps=1,
      num_random=1 if quick else 20,
      data=dict(name='data.arrays.digits'),
      space=dict(
        name='spaces.node_masks.node_masks',
        widths=(width, width),
        sparsity=0.5 if quick else 0.9,
      ),
      network=dict(
        name='networks.masked_mlp.drawn', sizes=(64, width, width, 10), seed=0
      ),
      search=dict(
        name='systems.sparse_random_search.sparse_random_search',
        batch=batch,
        num_samples=4 if quick else 100,
      ),
      describe=dict(
        initial_score=dict(
          name='estimators.masked_training.initial_score', batch=batch
        )
      ),
      evaluation=dict(
        name='estimators.stand_alone.population',
        num_steps=2 if quick else _EPOCHS * (_IMAGES // _BATCH),
        trainer=dict(
          name='estimators.training.train_child',
          input_shape=(8, 8, 1),
          num_steps=1,
          optimizer=dict(name='optax:adam', learning_rate=1e-3),
        ),
        batches=streamed('train', _BATCH, 'batches'),
        test=streamed('test', 200, 'evaluation_batches'),
      ),
    )
  )


def sweep() -> list[dict]:
  """Return the sparsities."""
  sparsities = (0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
  return [{'space.sparsity': s} for s in sparsities]
