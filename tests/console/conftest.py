"""What every test of the console shares."""

import pytest


@pytest.fixture(autouse=True)
def home_of_nobody(tmp_path, monkeypatch):
    """A home without any configuration, and where no test leaves anything for the next."""
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
