"""The sets of architectures."""

from nasjax.spaces import (
  categorical,
  darts_cell,
  decisions,
  genotypes,
  nasbench201,
  nasbench201_classes,
)

__all__ = (
  'categorical',
  'darts_cell',
  'decisions',
  'genotypes',
  'nasbench201',
  'nasbench201_classes',
)
