"""An installed package has every file that it reads."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DATA = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]


@pytest.mark.parametrize("package", ["engine", "flconsole"])
def test_whatever_is_no_module_is_installed_too(package):
    folder = ROOT / package
    files = {path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}

    assert files == {path for pattern in DATA[package] for path in folder.glob(pattern)}
