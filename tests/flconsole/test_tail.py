"""On a terminal, what a log says is text; a terminal obeys none of it."""

import os
import pty
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def on_a_terminal(*arguments, **environment):
    """What a terminal gets to see of a command."""
    terminal, inner = pty.openpty()
    command = [sys.executable, "-m", "flconsole", *arguments]
    with subprocess.Popen(
        command, stdout=inner, stderr=inner, cwd=ROOT, env=os.environ | environment
    ) as process:
        os.close(inner)
        seen = bytearray()
        try:
            while chunk := os.read(terminal, 4096):
                seen += chunk
        except OSError:  # how Linux says that the last writer has closed the terminal
            pass
        os.close(terminal)
    assert process.returncode == 0, seen
    return seen.decode()


def test_an_escape_sequence_in_a_log_is_shown_as_text(run_dir):
    seen = on_a_terminal("logs", str(run_dir), "--process", "server")

    assert "\x1b]" not in seen
    assert "\x07" not in seen
    assert r"\x1b]52;c;ZXZpbA==\x07 not a clipboard" in seen


def test_colours_are_for_terminals_that_want_them(run_dir):
    assert "\x1b[" in on_a_terminal("logs", str(run_dir))
    assert "\x1b" not in on_a_terminal("logs", str(run_dir), NO_COLOR="1")


def test_the_lines_of_a_large_log_that_were_moved_away_come_first(run_dir):
    logs = run_dir / "logs"
    (logs / "large.log.1").write_text("one\ntwo\n")
    (logs / "large.log").write_text("three\n")

    seen = on_a_terminal("logs", str(run_dir), "--process", "large", NO_COLOR="1")

    assert seen.split() == ["one", "two", "three"]
