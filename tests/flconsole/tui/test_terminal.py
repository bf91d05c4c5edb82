"""What the environment tells of a terminal."""

import pytest

from flconsole.tui.terminal import Colours, Terminal, TerminalUnusable


def terminal(low_bandwidth=None, **environ):
    return Terminal.from_environment({"TERM": "xterm", **environ}, low_bandwidth=low_bandwidth, host="gpu-7")


@pytest.mark.parametrize(
    ("environ", "colours"),
    [
        ({}, Colours.SIXTEEN),
        ({"TERM": "linux"}, Colours.SIXTEEN),
        ({"TERM": "screen"}, Colours.SIXTEEN),
        ({"TERM": "xterm-256color"}, Colours.MANY),
        ({"TERM": "tmux-256color"}, Colours.MANY),
        ({"TERM": "xterm-kitty"}, Colours.MANY),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, Colours.TRUE),
        ({"TERM": "xterm-direct"}, Colours.TRUE),
        ({"TERM": "screen-256color", "COLORTERM": "truecolor", "TMUX": "1,2,3"}, Colours.TRUE),
        ({"TERM": "screen-256color", "COLORTERM": "truecolor", "STY": "1.pts"}, Colours.MANY),
        ({"COLORTERM": "24bit", "low_bandwidth": True}, Colours.MANY),
        ({"NO_COLOR": "1", "COLORTERM": "truecolor"}, Colours.NONE),
        ({"NO_COLOR": "", "TERM": "xterm-256color"}, Colours.MANY),  # https://no-color.org: not when empty
        ({"TERM": "vt220"}, Colours.NONE),
    ],
)
def test_colours(environ, colours):
    assert terminal(**environ).colours is colours


@pytest.mark.parametrize(
    ("environ", "has_unicode"),
    [
        ({}, True),
        ({"LANG": "en_GB.UTF-8"}, True),
        ({"LANG": "de_DE.utf8@euro"}, True),
        ({"LC_CTYPE": "UTF-8"}, True),
        ({"LC_ALL": "C.UTF-8", "LANG": "C"}, True),
        ({"LC_ALL": "C", "LANG": "en_GB.UTF-8"}, False),
        ({"LC_ALL": "POSIX"}, False),
        ({"LANG": "de_DE@euro"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LC_CTYPE": "ja_JP.eucJP", "LANG": "en_GB.UTF-8"}, False),
        ({"LC_CTYPE": "en_GB.UTF-8", "LANG": "C"}, True),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, False),  # Python's own doing, not the operator's
    ],
)
def test_unicode(environ, has_unicode):
    assert terminal(**environ).has_unicode is has_unicode


@pytest.mark.parametrize("key", ["SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"])
def test_over_ssh_the_host_is_named_and_less_is_drawn_unless_told_otherwise(key):
    assert terminal().host == ""
    assert not terminal().low_bandwidth

    remote = terminal(**{key: "10.0.0.1 22"})

    assert (remote.host, remote.low_bandwidth) == ("gpu-7", True)
    assert remote.textual_settings()["TEXTUAL_FPS"] == "15"
    assert not terminal(low_bandwidth=False, **{key: "10.0.0.1 22"}).low_bandwidth


@pytest.mark.parametrize("name", ["dumb", "unknown", ""])
def test_a_terminal_that_cannot_draw_is_refused_with_what_works_there(name):
    with pytest.raises(TerminalUnusable, match="flconsole run --headless") as refusal:
        terminal(TERM=name)

    assert refusal.value.exit_code == 2


def test_without_colours_textual_is_left_its_bold_and_reverse():
    assert "TEXTUAL_COLOR_SYSTEM" not in Terminal(colours=Colours.NONE).textual_settings()
    assert Terminal(colours=Colours.MANY).textual_settings()["TEXTUAL_COLOR_SYSTEM"] == "256"
