"""Searches: what drives estimators, strategies and gradients to a result."""
from nasjax.searches import (
    bilevel,
    hypergradients,
    monitors,
    penalties,
    schedules,
)

__all__ = ('bilevel', 'hypergradients', 'monitors', 'penalties', 'schedules')
