"""Networks that accept an architecture in any of its forms."""

from nasjax.networks.cell import Cell
from nasjax.networks.controller import Controller
from nasjax.networks.darts import Darts
from nasjax.networks.gnn import Gnn
from nasjax.networks.hypernetwork import Hypernetwork
from nasjax.networks.language_model import LanguageModel, LstmCell
from nasjax.networks.loss import classification_loss, language_loss
from nasjax.networks.mobile import Mobile
from nasjax.networks.nago import Nago
from nasjax.networks.nasbench201 import NasBench201
from nasjax.networks.operations import OPERATIONS, Site
from nasjax.networks.predictors import (
  BrpGcn,
  Comparator,
  Gcn,
  LeNet,
  Mlp,
  NeuralPredictor,
  Prediction,
)
from nasjax.networks.rnn_cell import RnnCell

__all__ = [
  'BrpGcn',
  'Cell',
  'Comparator',
  'Controller',
  'Darts',
  'Gcn',
  'Gnn',
  'Hypernetwork',
  'LanguageModel',
  'LeNet',
  'LstmCell',
  'Mlp',
  'Mobile',
  'Nago',
  'NasBench201',
  'NeuralPredictor',
  'OPERATIONS',
  'Prediction',
  'RnnCell',
  'Site',
  'classification_loss',
  'language_loss',
]
