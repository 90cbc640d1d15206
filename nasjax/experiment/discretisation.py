"""What a supernet loses where its mixtures become an architecture."""

from typing import Any

import jax

from nasjax.data import streams
from nasjax.experiment import mixtures, phases
from nasjax.networks import loss as losses
from nasjax.searches import penalties
from nasjax.spaces import darts_cell


def losses_of_decision(job: phases.Job, state: Any) -> dict[str, Any]:
  """Return what becoming an architecture costs a supernet.

  Args:
    job: of the run.
    state: of several seeds.

  Returns:
    By name, a number a seed: 'gap', and in percent the accuracies 'mixture' and
    'derived', on all validation images as one batch; and the mixtures
    themselves, 'weights', with their 0/1 matrices, 'matrices'.
  """
  valid = job.parts['data']['valid']
  whole = streams.evaluation_batches(valid, len(valid.labels))
  batch = jax.tree.map(lambda x: x[0], whole)
  loss = losses.classification_loss(job.parts['network'])

  def measure(state):
    mixture = mixtures.weights(state)
    derived = penalties.derived_matrix(mixture, darts_cell.derive)

    def accuracy(arch):
      found = loss(state.weights, arch, jax.random.key(0), batch)[1]
      return 100 * found['accuracy']

    gap = jax.tree.map(lambda a, z: a - z, mixture, derived)
    return {
      'gap': penalties.length(gap),
      'mixture': accuracy(mixture),
      'derived': accuracy(derived),
      'weights': mixture,
      'matrices': derived,
    }

  return jax.device_get(jax.jit(jax.vmap(measure))(state))
