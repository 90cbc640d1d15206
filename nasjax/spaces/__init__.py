"""The sets of architectures."""

from nasjax.spaces import categorical, darts_cell, genotypes, nasbench201

__all__ = ('categorical', 'darts_cell', 'genotypes', 'nasbench201')
