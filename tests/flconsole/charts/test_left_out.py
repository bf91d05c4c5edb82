"""What is left out of an import costs nothing, and only there."""

import importlib
import json
import subprocess
import sys

from flconsole.charts.left_out import left_out


def test_names_of_a_module_left_out_are_none_until_it_is_imported_elsewhere():
    sys.modules.pop("colorsys", None)
    with left_out("colorsys"):
        from colorsys import rgb_to_hsv  # noqa: PLC0415  # the point
    assert rgb_to_hsv is None
    assert importlib.import_module("colorsys").rgb_to_hsv(1.0, 1.0, 1.0) == (0.0, 0.0, 1.0)


def test_a_module_that_was_loaded_before_stays_what_it_is():
    with left_out("json"):
        assert importlib.import_module("json") is json
    assert sys.modules["json"] is json


def test_plotext_comes_without_its_manual_and_without_pillow():
    program = "import sys, flconsole.charts.plotting; print(*sys.modules)"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    assert "plotext._plotter.plot" in loaded
    assert loaded.isdisjoint({"PIL", "PIL.Image", "plotext.prettydoc", "plotext._doc.doc"})
