"""The sets of architectures."""
from nasjax.spaces import categorical
from nasjax.spaces import nasbench201

__all__ = ('categorical', 'nasbench201')
