"""What all relaxations share: forms, masks, likelihoods and modes."""

from absl.testing import absltest, parameterized
import chex
import jax
import jax.numpy as jnp
import numpy as np

from nasjax import choice
from nasjax.distributions import (
  edge_normalised,
  gumbel,
  masked,
  one_hot,
  sigmoid,
  softmax,
  straight_through,
  two_path,
)
from nasjax.distributions import logits as logits_lib
from nasjax.spaces import categorical

_TARGETS = (2, 2, 3, 3, 3)
_FACTORIES = {
  'edge_normalised': lambda space: edge_normalised.edge_normalised(
    space, _TARGETS
  ),
  'gumbel': gumbel.gumbel,
  'one_hot': one_hot.one_hot,
  'sigmoid': sigmoid.sigmoid,
  'softmax': softmax.softmax,
  'straight_through': straight_through.straight_through,
  'two_path': two_path.two_path,
}
_each = parameterized.named_parameters(
  *((name, factory) for name, factory in _FACTORIES.items())
)


def _masks():
  """Two masks of 5 decisions among 4 whose AND leaves every decision one."""
  one, two = np.ones((5, 4), bool), np.ones((5, 4), bool)
  one[0, 0] = one[1, 3] = one[2, 1] = False
  two[0, 2] = two[1, :2] = False
  return {'op': one}, {'op': two}


def _with_logits(params, logits):
  """Replace the logits of the operations in any distribution's params."""
  if isinstance(params, gumbel.GumbelParams):
    return params._replace(logits=logits)
  if isinstance(params, edge_normalised.EdgeParams):
    return params._replace(operations=logits)
  return logits


def _space():
  return categorical.categorical({'op': (5, 4)})


class RelaxationsTest(chex.TestCase):
  @_each
  def test_sample_is_a_relaxed_architecture(self, factory):
    space = _space()
    distribution = factory(space)
    params = distribution.init(jax.random.key(0))
    arch = jax.jit(distribution.sample)(jax.random.key(1), params)
    chex.assert_shape(arch['op'], (5, 4))
    self.assertTrue(choice.is_relaxed(arch['op'][0]))
    self.assertTrue(jnp.all((arch['op'] >= 0) & (arch['op'] <= 1)))

  @_each
  def test_mode_of_one_hot_logits_round_trips(self, factory):
    space = _space()
    distribution = factory(space)
    params = distribution.init(jax.random.key(0))
    mode = jax.jit(distribution.mode)
    for scale in (1.0, 1e3):
      arch = jax.jit(space.sample)(jax.random.key(2))
      logits = jax.tree.map(
        lambda leaf, s=scale: s * leaf, choice.one_hot(arch, space.mask)
      )
      derived = mode(_with_logits(params, logits))
      chex.assert_trees_all_equal(derived, arch)

  @_each
  def test_masks_of_space_and_distribution_are_anded(self, factory):
    one, two = _masks()
    both = one['op'] & two['op']
    space = _space().restrict(one)
    distribution = masked.masked(factory(space), two)
    logits = {'op': jax.random.normal(jax.random.key(3), (5, 4))}
    logits['op'] += 100.0 * ~both  # the mask must win
    params = _with_logits(distribution.init(jax.random.key(0)), logits)
    sample = jax.jit(distribution.sample)
    arch = sample(jax.random.key(1), params)['op']
    np.testing.assert_array_equal(arch[~both], 0.0)
    expected = factory(_space().restrict({'op': both}))
    np.testing.assert_allclose(
      arch, expected.sample(jax.random.key(1), params)['op'], rtol=1e-6
    )
    mode = distribution.mode(params)
    self.assertTrue(categorical.contains(mode, {'op': both}))
    np.testing.assert_allclose(
      distribution.log_prob(params, mode),
      expected.log_prob(params, mode),
      rtol=1e-6,
    )
    outside = {'op': mode['op'].at[1].set(3)}
    self.assertEqual(float(distribution.log_prob(params, outside)), -np.inf)

  @_each
  def test_masked_choices_have_no_gradient_and_the_others_a_finite_one(
    self, factory
  ):
    one, two = _masks()
    both = one['op'] & two['op']
    distribution = masked.masked(factory(_space().restrict(one)), two)
    start = distribution.init(jax.random.key(0))
    logits = {'op': jax.random.normal(jax.random.key(3), (5, 4))}
    arch = distribution.mode(_with_logits(start, logits))
    costs = jax.random.normal(jax.random.key(4), (5, 4))

    def loss(logits):
      params = _with_logits(start, logits)
      relaxed = distribution.sample(jax.random.key(1), params)
      return jnp.sum(costs * relaxed['op']) - distribution.log_prob(
        params, arch
      )

    gradient = jax.jit(jax.grad(loss))(logits)['op']
    self.assertTrue(jnp.all(jnp.isfinite(gradient)))
    np.testing.assert_array_equal(gradient[~both], 0.0)
    several = both & (both.sum(-1, keepdims=True) > 1)
    self.assertTrue(jnp.all(gradient[several] != 0))

  @_each
  def test_one_program_serves_all_masks(self, factory):
    space = _space()
    distribution = factory(space)
    params = distribution.init(jax.random.key(0))
    chex.clear_trace_counter()

    @jax.jit
    @chex.assert_max_traces(n=1)
    def sample(mask):
      return masked.masked(distribution, mask).sample(jax.random.key(1), params)

    for mask in _masks():
      arch = sample(jax.tree.map(jnp.asarray, mask))
      np.testing.assert_array_equal(arch['op'] > 0, arch['op'] * mask['op'] > 0)

  @parameterized.named_parameters(
    *(
      (name, _FACTORIES[name])
      for name in ('edge_normalised', 'gumbel', 'softmax')
    )
  )
  def test_probabilities_of_all_architectures_sum_to_one(self, factory):
    space = categorical.categorical(
      {'a': (5, 2), 'b': np.array([[True, True, False]] * 5)}
    )
    self.assertEqual(space.size, 2**10)
    distribution = factory(space)
    params = distribution.init(jax.random.key(0))
    logits = {
      'a': jax.random.normal(jax.random.key(1), (5, 2)),
      'b': jax.random.normal(jax.random.key(2), (5, 3)),
    }
    params = _with_logits(params, logits)
    archs = jax.vmap(space.index)(jnp.arange(space.size))
    log_probs = jax.jit(jax.vmap(distribution.log_prob, (None, 0)))(
      params, archs
    )
    np.testing.assert_allclose(jnp.sum(jnp.exp(log_probs)), 1.0, rtol=1e-5)
    static = choice.static(space.index(77))
    np.testing.assert_allclose(
      distribution.log_prob(params, static), log_probs[77], rtol=1e-5
    )

  def test_log_prob_of_a_relaxed_architecture_is_a_value_error(self):
    distribution = softmax.softmax(_space())
    params = distribution.init(jax.random.key(0))
    arch = distribution.sample(jax.random.key(0), params)
    with self.assertRaisesRegex(ValueError, 'log_prob is of index'):
      distribution.log_prob(params, arch)

  def test_mistaken_masks_are_value_errors(self):
    distribution = gumbel.gumbel(_space())
    with self.assertRaisesRegex(ValueError, 'no such logits'):
      masked.masked(distribution, {'op': np.ones((5, 3), bool)})
    with self.assertRaisesRegex(ValueError, 'no such logits'):
      masked.masked(distribution, {'ops': np.ones((5, 4), bool)})
    empty = np.ones((5, 4), bool)
    empty[2] = False
    with self.assertRaisesRegex(ValueError, r'no choice .* \[\[2\]\]'):
      masked.masked(distribution, {'op': empty})

  def test_logits_start_small_and_differ_between_leaves(self):
    space = categorical.categorical({'a': (50, 40), 'b': (50, 40)})
    logits = softmax.softmax(space).init(jax.random.key(0))
    self.assertTrue(jnp.any(logits['a'] != logits['b']))
    np.testing.assert_allclose(jnp.std(logits['a']), 1e-3, rtol=0.1)

  def test_probabilities_are_those_of_allowed_choices_for_any_axes_in_front(
    self,
  ):
    mask = {'op': np.array([[True, True, False], [True, True, True]])}
    alpha = jnp.arange(12.0).reshape(2, 2, 3)
    found = logits_lib.probabilities({'op': alpha}, mask)['op']
    for i, d in ((0, 0), (1, 0), (0, 1), (1, 1)):
      row = np.where(mask['op'][d], np.exp(alpha[i, d]), 0)
      np.testing.assert_allclose(found[i, d], row / row.sum(), rtol=1e-5)
    params = gumbel.GumbelParams({'op': alpha}, jnp.float32(1))
    chex.assert_trees_all_equal(
      logits_lib.probabilities(params, mask)['op'], found
    )


if __name__ == '__main__':
  absltest.main()
