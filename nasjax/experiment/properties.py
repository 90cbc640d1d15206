"""What embeddings of networks tell of a property of theirs.

B. Knyazev et al., Parameter Prediction for Unseen Deep Architectures, 2021,
https://arxiv.org/abs/2110.13100: support vector regression on the mean
embeddings of networks (`estimators.hypernetwork.embed`), whose settings five
folds of the networks choose from `GRID`.

Deviation
  * Predictions are not rounded to whole percents.
"""

import numpy as np

GRID = {
  'C': [1, 10, 50, 100, 200, 500, 1000],
  'gamma': ['auto', 0.05, 0.1, 0.2, 0.5],
  'epsilon': [0.05, 0.1, 0.2],
}


def predict(
  features: np.ndarray, values: np.ndarray, others: np.ndarray
) -> np.ndarray:
  """Return what support vector regression predicts of other networks.

  Args:
    features: of networks whose property is known, `[N, F]`.
    values: the property, `[N]`; of accuracies, in percent, the unit of `GRID`.
    others: features of the other networks, `[M, F]`.

  Returns:
    `[M]`.
  """
  # Takes a second: only those who ask wait.
  from sklearn import model_selection, svm

  search = model_selection.GridSearchCV(svm.SVR(kernel='rbf'), GRID, cv=5)
  return search.fit(features, values).predict(others)
