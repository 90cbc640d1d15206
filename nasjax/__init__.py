"""Neural architecture search in JAX and Flax: small functions that compose."""

__version__ = '0.1.0'
