"""Tests for the three forms of a choice."""

from absl.testing import absltest, parameterized
import chex
import jax
from jax import lax
import jax.numpy as jnp
import numpy as np

from nasjax import choice

_BRANCHES = (
  lambda w, x: jnp.zeros_like(x),
  lambda w, x: x,
  lambda w, x: jnp.tanh(w['a'] * x) * x,
  lambda w, x: jnp.sin(x) * w['b'],
)
_K = len(_BRANCHES)


def _operands():
  w = {'a': jnp.array([0.3, -1.2, 0.7]), 'b': jnp.array([1.5, 0.2, -0.4])}
  return w, jnp.array([0.9, -0.5, 2.0])


def _forms(k):
  return {'static': k, 'index': jnp.int32(k), 'relaxed': jax.nn.one_hot(k, _K)}


def _loss(k, w, x):
  return jnp.sum(choice.switch(k, _BRANCHES, w, x) ** 2 * jnp.arange(1.0, 4.0))


class SelectTest(chex.TestCase):
  def test_all_forms_return_the_same_row_of_a_pytree(self):
    table = {'cost': jnp.arange(4.0), 'mask': np.eye(4, 6, dtype=np.float32)}
    for k in range(_K):
      for form in _forms(k).values():
        row = choice.select(form, table)
        chex.assert_trees_all_close(
          row, {'cost': table['cost'][k], 'mask': table['mask'][k]}
        )

  def test_relaxed_row_is_the_expectation_and_its_gradient_the_table(self):
    table = np.array([3.0, 1.0, 4.0, 1.0], np.float32)
    weights = jnp.array([0.1, 0.2, 0.3, 0.4])
    value, gradient = jax.value_and_grad(choice.select)(weights, table)
    np.testing.assert_allclose(value, np.sum(weights * table), rtol=1e-6)
    np.testing.assert_allclose(gradient, table)

  def test_index_gradient_reaches_the_chosen_row_alone(self):
    table = jnp.arange(8.0).reshape(4, 2)
    gradient = jax.grad(lambda t: jnp.sum(choice.select(jnp.int32(2), t) ** 2))(
      table
    )
    np.testing.assert_allclose(gradient, [[0, 0], [0, 0], [8, 10], [0, 0]])


class SwitchTest(chex.TestCase):
  @chex.variants(with_jit=True, without_jit=True)
  @parameterized.parameters(range(_K))
  def test_all_forms_have_the_same_value_and_gradient(self, k):
    function = jax.value_and_grad(_loss, argnums=(1, 2))
    expected = jax.value_and_grad(
      lambda w, x: jnp.sum(_BRANCHES[k](w, x) ** 2 * jnp.arange(1.0, 4.0)),
      argnums=(0, 1),
    )(*_operands())
    static = self.variant(lambda w, x: function(k, w, x))(*_operands())
    chex.assert_trees_all_close(static, expected, rtol=1e-5)
    for name in ('index', 'relaxed'):
      result = self.variant(function)(_forms(k)[name], *_operands())
      chex.assert_trees_all_close(result, expected, rtol=1e-5)

  def test_all_forms_have_the_same_second_derivatives(self):
    w, x = _operands()
    # Reverse over reverse: a custom_vjp has no forward mode.
    hvp = jax.grad(
      lambda w, k: jnp.sum(jax.grad(_loss, argnums=2)(k, w, x) ** 3)
    )
    for k in range(_K):
      static = jax.grad(
        lambda w, k=k: jnp.sum(jax.grad(_loss, argnums=2)(k, w, x) ** 3)
      )(w)
      for name in ('index', 'relaxed'):
        chex.assert_trees_all_close(
          jax.jit(hvp)(w, _forms(k)[name]), static, rtol=1e-4, atol=1e-5
        )

  def test_mixed_derivative_of_the_index_form_equals_finite_differences(self):
    w, x = _operands()
    gradient = jax.jit(jax.grad(lambda b: _loss(jnp.int32(3), w | {'b': b}, x)))
    row = jax.grad(lambda b: gradient(b)[0])(w['b'])
    step = jnp.array([1e-2, 0.0, 0.0])
    difference = (gradient(w['b'] + step) - gradient(w['b'] - step)) / 2e-2
    np.testing.assert_allclose(row, difference, rtol=1e-3, atol=1e-4)

  def test_relaxed_weights_get_the_inner_product_with_each_branch(self):
    w, x = _operands()
    weights = jnp.array([0.1, 0.2, 0.3, 0.4])
    gradient = jax.grad(lambda c: jnp.sum(choice.switch(c, _BRANCHES, w, x)))(
      weights
    )
    np.testing.assert_allclose(
      gradient, [jnp.sum(branch(w, x)) for branch in _BRANCHES], rtol=1e-5
    )

  def test_vmap_scan_and_map_over_indices_equal_a_loop(self):
    w, x = _operands()
    ks = jnp.array([2, 0, 3, 1, 2])
    function = jax.value_and_grad(_loss, argnums=1)
    loop = [function(k, w, x) for k in ks.tolist()]
    expected = jax.tree.map(lambda *rows: jnp.stack(rows), *loop)
    batched = jax.jit(jax.vmap(function, (0, None, None)))(ks, w, x)
    mapped = jax.jit(lambda ks: lax.map(lambda k: function(k, w, x), ks))(ks)
    scanned = jax.jit(
      lambda ks: lax.scan(
        lambda carry, k: (carry, function(k, carry, x)), w, ks
      )[1]
    )(ks)
    for result in (batched, mapped, scanned):
      chex.assert_trees_all_close(result, expected, rtol=1e-5, atol=1e-6)

  def test_gradient_through_a_scan_of_choices_equals_the_unrolled_one(self):
    w, x = _operands()
    ks = (2, 3, 1)

    def scanned(w, ks):
      step = lambda x, k: (choice.switch(k, _BRANCHES, w, x), None)
      return jnp.sum(lax.scan(step, x, ks)[0])

    def unrolled(w):
      y = x
      for k in ks:
        y = choice.switch(k, _BRANCHES, w, y)
      return jnp.sum(y)

    chex.assert_trees_all_close(
      jax.jit(jax.grad(scanned))(w, jnp.array(ks)),
      jax.grad(unrolled)(w),
      rtol=1e-5,
    )

  def test_integer_and_key_operands_do_not_stop_the_gradient(self):
    branches = (
      lambda x, n, key: x * n,
      lambda x, n, key: x * jax.random.normal(key),
    )
    key = jax.random.key(0)
    gradient = jax.jit(
      jax.grad(lambda x, k: choice.switch(k, branches, x, jnp.int32(3), key))
    )
    self.assertEqual(float(gradient(2.0, jnp.int32(0))), 3.0)
    self.assertEqual(
      float(gradient(2.0, jnp.int32(1))), float(jax.random.normal(key))
    )

  def test_operands_with_a_batch_axis_vmap_too(self):
    w, x = _operands()
    xs = jnp.stack([x, 2 * x])
    function = jax.grad(_loss, argnums=2)
    batched = jax.vmap(function, (None, None, 0))(jnp.int32(2), w, xs)
    np.testing.assert_allclose(
      batched, [function(2, w, row) for row in xs], rtol=1e-5
    )

  def test_only_the_static_branch_is_traced(self):
    def broken(w, x):
      raise AssertionError('traced')

    w, x = _operands()
    branches = (broken, *_BRANCHES[1:])
    np.testing.assert_array_equal(choice.switch(1, branches, w, x), x)
    with self.assertRaisesRegex(AssertionError, 'traced'):
      choice.switch(jnp.int32(1), branches, w, x)

  def test_one_program_serves_all_indices(self):
    chex.clear_trace_counter()

    @jax.jit
    @chex.assert_max_traces(n=1)
    def gradient(k, w, x):
      return jax.grad(_loss, argnums=1)(k, w, x)

    results = [gradient(jnp.int32(k), *_operands()) for k in range(_K)]
    self.assertTrue(jnp.any(results[2]['a'] != 0))
    self.assertTrue(jnp.any(results[3]['b'] != 0))

  def test_a_wrong_number_of_weights_is_a_value_error(self):
    with self.assertRaisesRegex(
      ValueError, r'among 4 branches needs shape \(4,\), got \(3,\)'
    ):
      choice.switch(jnp.ones(3), _BRANCHES, *_operands())


class FormsTest(chex.TestCase):
  def test_forms_are_told_apart(self):
    for name, form in _forms(1).items():
      self.assertEqual(choice.is_static(form), name == 'static')
      self.assertEqual(choice.is_relaxed(form), name == 'relaxed')

  def test_static_and_index_are_inverse(self):
    arch = {'op': jnp.array([3, 0, 2]), 'depth': jnp.array([1])}
    static = choice.static(arch)
    self.assertEqual(static, {'op': (3, 0, 2), 'depth': (1,)})
    self.assertTrue(choice.is_static(static['op'][0]))
    chex.assert_trees_all_equal(choice.index(static), arch)
    self.assertEqual(choice.index(static)['op'].dtype, jnp.int32)

  def test_one_hot_takes_every_form_and_keeps_relaxed_leaves(self):
    mask = {'op': np.ones((3, 4), bool)}
    arch = {'op': jnp.array([3, 0, 2])}
    expected = {'op': np.eye(4, dtype=np.float32)[[3, 0, 2]]}
    chex.assert_trees_all_equal(choice.one_hot(arch, mask), expected)
    chex.assert_trees_all_equal(
      choice.one_hot(choice.static(arch), mask), expected
    )
    relaxed = {'op': jnp.full((3, 4), 0.25)}
    chex.assert_trees_all_equal(choice.one_hot(relaxed, mask), relaxed)


class SparseTest(chex.TestCase):
  def _pairs(self):
    """Sparse choices with the dense ones of the same meaning."""
    weights = jnp.array([0.0, 0.7, 0.0, 0.4])
    yield choice.sparse(weights, 2), weights
    yield choice.sparse(weights, 3), weights
    yield choice.sparse(jax.nn.one_hot(2, _K), 1), jax.nn.one_hot(2, _K)

  def test_means_the_function_of_the_dense_weights(self):
    w, x = _operands()
    table = jnp.array([3.0, 1.0, 4.0, 1.5])
    function = jax.jit(jax.value_and_grad(_loss, argnums=(1, 2)))
    hvp = jax.jit(
      jax.grad(lambda w, k: jnp.sum(jax.grad(_loss, argnums=2)(k, w, x) ** 3))
    )
    for sparse, dense in self._pairs():
      for f in (
        lambda k: function(k, w, x),
        lambda k: hvp(w, k),
        lambda k: choice.select(k, table),
        choice.total,
      ):
        chex.assert_trees_all_close(f(sparse), f(dense), rtol=1e-5, atol=1e-6)

  def test_weights_that_are_kept_have_the_gradients_of_dense_ones(self):
    w, x = _operands()
    weights = jnp.array([0.1, 0.4, 0.2, 0.3])
    loss = lambda k: jnp.sum(choice.switch(k, _BRANCHES, w, x))
    gradient = jax.grad(lambda c: loss(choice.sparse(c, 2)))(weights)
    expected = jax.grad(loss)(weights)
    np.testing.assert_allclose(gradient, expected * np.array([0, 1, 0, 1]))
    assert np.all(gradient[1::2] != 0)

  def test_no_other_branch_runs(self):
    ran = []

    def branch(k):
      def apply(x):
        jax.debug.callback(lambda: ran.append(k))
        return (k + 1) * x

      return apply

    run = jax.jit(
      lambda c: choice.switch(c, [branch(k) for k in range(_K)], jnp.ones(2))
    )
    sparse = choice.sparse(jnp.array([0.0, 0.5, 0.0, 0.25]), 2)
    np.testing.assert_allclose(run(sparse), 2 * 0.5 + 4 * 0.25)
    jax.effects_barrier()
    self.assertCountEqual(ran, [1, 3])

  def test_leaves_are_indexed_as_arrays_and_have_a_dense_form(self):
    weights = jnp.array([[0.0, 0.7, 0.0, 0.4], [0.2, 0.0, 0.9, 0.0]])
    arch = choice.sparse({'op': weights}, 2)
    dense = choice.one_hot(arch, {'op': np.ones((2, _K), bool)})
    np.testing.assert_allclose(dense['op'], weights)
    rows = list(arch['op'])
    assert len(rows) == 2
    for d, row in enumerate(rows):
      chex.assert_trees_all_equal(row, arch['op'][d])
      chex.assert_trees_all_close(row, choice.sparse(weights[d], 2))
    assert choice.sparse(weights, _K) is weights


if __name__ == '__main__':
  absltest.main()
