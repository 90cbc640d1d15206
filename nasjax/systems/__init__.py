"""Complete methods: one file a paper, one factory a file."""

from nasjax.systems import darts, random_search, regularized_evolution

__all__ = ('darts', 'random_search', 'regularized_evolution')
