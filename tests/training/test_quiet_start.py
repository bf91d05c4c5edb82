"""What native code says as TensorFlow starts is held back, and shown where the start fails."""

import os
import sys

import pytest

from engine.training.quiet_start import native_output_held_back


def test_native_output_is_held_back_and_pythons_is_not(capfd):
    with native_output_held_back():
        os.write(2, b"about your processor\n")
        sys.stderr.write("about your run\n")
    os.write(2, b"afterwards\n")

    assert capfd.readouterr().err == "about your run\nafterwards\n"


def test_it_is_shown_where_the_start_fails(capfd):
    @native_output_held_back()
    def start():
        os.write(2, b"a library is missing\n")
        raise ImportError

    with pytest.raises(ImportError):
        start()

    assert capfd.readouterr().err == "a library is missing\n"
