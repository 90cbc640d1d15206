"""Black-box search by ask and tell."""
from nasjax.strategies import evolution
from nasjax.strategies import local_search
from nasjax.strategies import random_search

__all__ = ('evolution', 'local_search', 'random_search')
