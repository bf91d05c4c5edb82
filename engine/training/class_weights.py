"""What an example of each class weighs in a client's objective."""

import numpy as np
from numpy.typing import NDArray

from engine.data.dataset import Labels


def balanced_class_weights(labels: Labels, classes: int) -> NDArray[np.float32]:
    """N / (C * n_c) for each class c: n examples, n_c of them of class c, and C classes that occur.

    The heuristic of scikit-learn's `compute_class_weight("balanced")`, after King and Zeng 2001 ("Logistic
    Regression in Rare Events Data"). Over the examples the weights have mean 1, so that the learning rate
    keeps its meaning. A class that does not occur is not counted in C and has weight 0, which nothing uses.

    Returns:
        Shape (classes,).
    """
    counts = np.bincount(labels, minlength=classes)
    occurs = counts > 0
    weights = np.zeros(classes, np.float32)
    weights[occurs] = len(labels) / (np.count_nonzero(occurs) * counts[occurs])
    return weights
