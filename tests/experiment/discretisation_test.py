"""What becoming an architecture costs a supernet."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nasjax.data import arrays
from nasjax.experiment import discretisation, phases
from nasjax.spaces import darts_cell


class _State(NamedTuple):
  weights: jax.Array
  arch_params: dict[str, jax.Array]


class _Network:
  """Its logits are the weights of the operations of one edge, times w."""

  def apply(self, variables, arch, images):
    logits = variables['params'] * arch['normal'][0]
    return jnp.broadcast_to(logits, (len(images), 8))


def test_the_mixture_and_what_is_derived_from_it_are_both_tested(tmp_path):
  labels = np.array([3, 3, 3, 5, 6, 6])
  images = np.zeros((6, 4, 4, 1), np.float32)
  data = {'valid': arrays.from_numpy(images, labels, num_classes=8)}
  parts = dict(data=data, network=_Network())
  job = phases.Job({}, tmp_path, parts)
  space = darts_cell.darts_cell()
  flat = jax.tree.map(lambda mask: np.zeros(mask.shape, np.float32), space.mask)
  alphas = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), flat)
  alphas['normal'][0, 0, 5] = 9.0  # the first seed chooses it
  alphas['normal'][1, 0, 6] = 9.0
  w = np.ones((2, 8), np.float32)
  w[0, 3] = 1e4  # and would have its mixture say 3
  found = discretisation.losses_of_decision(job, _State(w, alphas))
  np.testing.assert_allclose(found['mixture'], [50, 100 / 3], rtol=1e-6)
  np.testing.assert_allclose(found['derived'], [100 / 6, 100 / 3], rtol=1e-6)

  mixture = jax.nn.softmax(alphas['normal'][0])
  other = np.full((14, 8), 1 / 8)  # of a leaf that prefers nothing
  gap = 0.0
  for leaf, firsts in ((mixture, [5]), (other, [])):
    z = np.zeros((14, 8))
    derived = darts_cell.derive({'normal': leaf, 'reduce': other})['normal']
    for edge, op in enumerate(derived):
      z[edge, op] = op != 0
    assert [int(derived[i]) for i in range(len(firsts))] == firsts
    gap += np.linalg.norm(leaf - z)
  np.testing.assert_allclose(found['gap'][0], gap, rtol=1e-5)
