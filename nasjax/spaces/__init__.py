"""The sets of architectures."""
from nasjax.spaces import categorical
from nasjax.spaces import darts_cell
from nasjax.spaces import genotypes
from nasjax.spaces import nasbench201

__all__ = ('categorical', 'darts_cell', 'genotypes', 'nasbench201')
