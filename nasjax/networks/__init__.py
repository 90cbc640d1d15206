"""Networks that accept an architecture in any of its forms."""

from nasjax.networks.cell import Cell
from nasjax.networks.controller import Controller
from nasjax.networks.darts import Darts
from nasjax.networks.loss import classification_loss
from nasjax.networks.nasbench201 import NasBench201
from nasjax.networks.operations import OPERATIONS, Site

__all__ = [
  'Cell',
  'Controller',
  'Darts',
  'NasBench201',
  'OPERATIONS',
  'Site',
  'classification_loss',
]
