"""A copy reaches the terminal through whatever stands between, and orders it nothing else."""

import asyncio
import base64
import os
import pty
import re
import select
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flconsole.tui.clipboard import MAX_BASE64_BYTES, TooMuchToCopy, escape_sequence

ROOT = Path(__file__).parents[2]
TEXT = "client-1 | loss 0.5\n\x1b[2J\x9b2J\u202e über 日本\n"
SHOWN = "client-1 | loss 0.5\n\\x1b[2J\\x9b2J\\u202e über 日本\n"
COPIER = """
import asyncio, sys
from textual.app import App
from flconsole.tui.clipboard import copy

class Copier(App):
    async def on_mount(self):
        await copy(self, sys.argv[1])
        self.set_timer(0.2, self.exit)

asyncio.run(Copier().run_async())
"""


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def test_a_terminal_is_told_by_osc_52():
    assert escape_sequence("hello", {}) == "\x1b]52;c;aGVsbG8=\x07"


def test_tmux_passes_on_what_is_wrapped_with_its_escapes_doubled():
    assert escape_sequence("hello", {"TMUX": "/run/tmux,1,0"}) == "\x1bPtmux;\x1b\x1b]52;c;aGVsbG8=\x07\x1b\\"


@given(size=st.integers(0, 5000))
def test_screen_passes_on_short_pieces(size):
    wrapped = escape_sequence("x" * size, {"STY": "1.pts"})
    pieces = re.findall("\x1bP(.*?)\x1b\\\\", wrapped, re.DOTALL)

    assert all(len(piece) <= 512 for piece in pieces)
    assert "".join(pieces) == escape_sequence("x" * size, {})
    assert wrapped == "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)


def test_more_than_terminals_take_is_refused():
    most = MAX_BASE64_BYTES // 4 * 3
    escape_sequence("x" * (most - 3), {})

    with pytest.raises(TooMuchToCopy, match="more than terminals take"):
        escape_sequence("x" * (most + 3), {})


@given(text=st.text())
def test_no_text_ends_the_sequence_early(text):
    sequence = escape_sequence(text, {})

    assert re.fullmatch(r"\x1b\]52;c;[A-Za-z0-9+/=]*\x07", sequence)


def seen_by_terminal(command, expected, **environment):
    """What the terminal gets of a command until it gets what is expected."""
    environ = {key: value for key, value in os.environ.items() if key not in ("TMUX", "STY")}
    environ |= {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)} | environment
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, environ)  # noqa: S606  # it is to have this terminal, and no shell
    seen, deadline = b"", time.monotonic() + 30
    try:
        while expected not in seen and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                seen += os.read(terminal, 65_536)
    except OSError:  # how Linux says that nobody has the other end any more
        pass
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    return seen


def copier(text):
    return [sys.executable, "-c", COPIER, text]


def test_a_copy_reaches_the_terminal():
    expected = f"\x1b]52;c;{encoded(SHOWN)}\x07".encode()

    assert expected in seen_by_terminal(copier(TEXT), expected)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_a_copy_gets_through_a_tmux_that_nobody_has_configured(tmp_path):
    socket = str(tmp_path / "tmux")
    command = ["tmux", "-S", socket, "-f", "/dev/null", "new-session", "-x", "80", "-y", "24", *copier(TEXT)]
    expected = f";{encoded(SHOWN)}\x07".encode()
    seen = seen_by_terminal(command, expected)

    assert re.search(rb"\x1b\]52;c?" + re.escape(expected), seen)


@pytest.mark.skipif(shutil.which("screen") is None, reason="GNU screen is not installed")
def test_a_copy_gets_through_gnu_screen(tmp_path):
    tmp_path.chmod(0o700)
    long_text = "line of a log\n" * 1000
    command = ["screen", "-c", "/dev/null", *copier(long_text)]
    expected = f"\x1b]52;c;{encoded(long_text)}\x07".encode()

    assert expected in seen_by_terminal(command, expected, SCREENDIR=str(tmp_path))


def test_where_there_is_no_tmux_its_wrapping_is_tried(tmp_path, monkeypatch):
    from flconsole.tui import clipboard  # noqa: PLC0415  # only here is more of it looked at than its functions

    monkeypatch.setenv("PATH", str(tmp_path))
    assert asyncio.run(clipboard._give_to_tmux(b"hello")) is False
