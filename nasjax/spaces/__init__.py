"""The sets of architectures."""

from nasjax.spaces import (
  categorical,
  darts_cell,
  decisions,
  genotypes,
  graphs,
  nasbench101,
  nasbench101_cells,
  nasbench101_classes,
  nasbench101_costs,
  nasbench101_edits,
  nasbench101_sequences,
  nasbench201,
  nasbench201_classes,
  nasbench201_traits,
  paths,
  tensors,
)

__all__ = (
  'categorical',
  'darts_cell',
  'decisions',
  'genotypes',
  'graphs',
  'nasbench101',
  'nasbench101_cells',
  'nasbench101_classes',
  'nasbench101_costs',
  'nasbench101_edits',
  'nasbench101_sequences',
  'nasbench201',
  'nasbench201_classes',
  'nasbench201_traits',
  'paths',
  'tensors',
)
