"""The digits that ship with scikit-learn, in the shape of CIFAR-10."""

import subprocess
import sys

import numpy as np
from sklearn.datasets import load_digits

from engine.data.digits import Digits


def test_they_are_the_digits_of_scikit_learn_enlarged():
    original = load_digits()
    labels = np.concatenate([Digits().held_out().y, Digits().train_labels()])
    images = np.concatenate([Digits().held_out().x, Digits().train_rows(np.arange(1437))])

    assert np.bincount(labels).tolist() == np.bincount(original.target).tolist()
    assert images.shape == (1797, 32, 32, 3)
    assert images.dtype == np.uint8
    small = (images[:, ::4, ::4, 0].astype(float) * 16 / 255).round().astype(int).reshape(1797, 64)
    ours = sorted(map(tuple, np.column_stack([small, labels]).tolist()))
    theirs = sorted(map(tuple, np.column_stack([original.data, original.target]).astype(int).tolist()))
    assert ours == theirs


def test_no_held_out_digit_is_trained_on():
    held_out = {image.tobytes() for image in Digits().held_out().x}
    trained_on = {image.tobytes() for image in Digits().train_rows(np.arange(1437))}

    assert not held_out & trained_on


def test_reading_them_does_not_import_scikit_learn():
    program = (
        "import sys; from engine.data.digits import Digits; Digits().held_out(); "
        "print('sklearn' in sys.modules)"
    )

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert answer.stdout == "False\n"
