"""The screen as a picture."""

import pytest

from tests.console.operating import SIZES, at_console
from tests.console.staging import Stage, run_started
from tests.flconsole.recording import joined


@pytest.mark.parametrize("size", SIZES)
def test_the_screen_is_written_into_the_run_directory(tmp_path, size):
    async def scenario(operator):
        await operator.press("f12")
        notice = await operator.told("the screen is in ")
        assert notice == f"the screen is in {picture()}"

    def picture():
        (path,) = (tmp_path / "views").glob("screen-*.svg")
        return path

    at_console(scenario, Stage(run_started(), joined("1", 0), run_dir=tmp_path), size=size)
    drawn = picture().read_text()

    assert drawn.startswith("<svg")
    assert "1&#160;Clients" in drawn
    assert "@font-face" not in drawn


def test_where_it_cannot_be_written_the_operator_is_told(tmp_path):
    async def scenario(operator):
        await operator.press("f12")
        await operator.told("screen is not written")

    (tmp_path / "views").write_text("a file where a folder should be")
    at_console(scenario, Stage(run_started(), run_dir=tmp_path))
