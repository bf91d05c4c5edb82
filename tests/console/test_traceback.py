"""One key from a failure to its traceback, from wherever the operator is."""

import pytest
from textual.containers import VerticalScroll

from engine import telemetry as t
from flconsole.tui.dialogs.traceback import TracebackDialog
from tests.console.operating import SIZES, at_console
from tests.console.staging import Stage, back, run_started
from tests.flconsole.recording import exited, joined, started

sizes = pytest.mark.parametrize("size", SIZES)


def traceback(error):
    frames = "".join(f'  File "layer_{n}.py", line {n}, in call\n    call()\n' for n in range(30))
    return f"Traceback (most recent call last):\n{frames}{error}\n"


def a_run(tmp_path, *, failed="12"):
    """Three clients; those that failed wrote why."""
    (tmp_path / "logs").mkdir()
    stage = Stage(run_started(), run_dir=tmp_path)
    for number, name in enumerate("123"):
        stage.tell(started(f"client-{name}", "client", 100, name), joined(name, number), at=number)
        (tmp_path / "logs" / f"client-{name}.log").write_text("joined\n")
    for number, name in enumerate(failed, 10):
        log = tmp_path / "logs" / f"client-{name}.log"
        log.write_bytes(log.read_bytes() + traceback(f"ValueError: \x1b[2J[b]{name}[/b]").encode())
        end = exited(f"client-{name}", 100, code=1, restart=True, reason=f"exit code 1: ValueError: {name}")
        stage.tell(end, at=number)
        stage.tell(started(f"client-{name}", "client", 200, name), back(name), at=number + 0.5)
    return stage


@sizes
def test_the_newest_failure_is_one_key_away(tmp_path, size):
    async def scenario(operator):
        await operator.press("2", "t")
        await operator.asked("client-2: first traceback")
        assert isinstance(operator.app.screen, TracebackDialog)
        assert "client-2 ended: exit code 1: ValueError: 2; it is restarted" in operator.screen
        assert r"ValueError: \x1b[2J[b]2[/b]" in operator.screen
        await operator.press("escape")
        assert not operator.is_asked

    at_console(scenario, a_run(tmp_path), size=size)


@sizes
def test_it_opens_at_the_exception_and_scrolls(tmp_path, size):
    async def scenario(operator):
        await operator.press("2", "t")
        await operator.asked("first traceback")
        scroll = operator.app.screen.query_one("#traceback", VerticalScroll)
        assert "layer_29.py" in operator.screen
        assert "layer_0.py" not in operator.screen
        await operator.press("home")
        await operator.until(lambda: scroll.scroll_y == 0, "the top")
        assert "Traceback (most recent call last)" in operator.screen
        assert "ValueError: \\x1b" not in operator.screen
        await operator.press("t")
        assert not operator.is_asked

    at_console(scenario, a_run(tmp_path), size=size)


@pytest.mark.parametrize(("keys", "process"), [(("1", "home"), "client-1"), (("1", "end"), "client-2")])
def test_of_the_client_at_the_cursor_or_where_it_has_not_failed_of_the_newest(tmp_path, keys, process):
    async def scenario(operator):
        await operator.press(*keys, "t")
        await operator.asked(f"{process}: first traceback")

    at_console(scenario, a_run(tmp_path, failed="12"))


def test_of_the_entry_at_the_cursor(tmp_path):
    async def scenario(operator):
        await operator.press("4", "slash", *"client-1", "enter", "t")
        await operator.asked("client-1: first traceback")

    at_console(scenario, a_run(tmp_path))


def test_a_process_that_was_killed_shows_its_last_lines(tmp_path):
    async def scenario(operator):
        await operator.press("t")
        await operator.asked("client-3: no traceback; its last lines")
        assert "joined" in operator.screen

    stage = a_run(tmp_path, failed="")
    stage.tell(exited("client-3", 100, sig="SIGKILL", restart=True, reason="killed by SIGKILL"))
    at_console(scenario, stage)


def test_who_wrote_nothing_is_said_to(tmp_path):
    async def scenario(operator):
        await operator.press("t")
        await operator.asked("it wrote nothing")

    stage = a_run(tmp_path, failed="")
    stage.tell(t.Failure(process="server", line="it broke"))
    at_console(scenario, stage)


def test_where_nothing_has_failed_it_says_so(tmp_path):
    async def scenario(operator):
        await operator.press("t")
        await operator.told("nothing has failed")
        assert not operator.is_asked

    at_console(scenario, a_run(tmp_path, failed=""))


def test_a_log_that_cannot_be_read_is_told(tmp_path):
    async def scenario(operator):
        await operator.press("t")
        assert "Is a directory" in await operator.told("client-3.log")

    stage = a_run(tmp_path, failed="")
    (tmp_path / "logs" / "client-3.log").unlink()
    (tmp_path / "logs" / "client-3.log").mkdir()
    stage.tell(exited("client-3", 100, code=1, reason="exit code 1: boom"))
    at_console(scenario, stage)
