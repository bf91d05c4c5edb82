r"""The operator's clipboard, which is where the terminal is, maybe at the other end of an SSH connection.

Only the terminal can reach it, told by the escape sequence OSC 52. What stands between has its own way; each
was tried:

    tmux 3.3a        `tmux load-buffer -w` works with every setting. OSC 52 needs `set-clipboard on`, wrapped
                     it needs `allow-passthrough on`, and neither is the default. Before 3.2 there is no `-w`,
                     and what is wrapped is passed on
    GNU screen 4.9   passes on what is wrapped in short pieces, and shows as text what is not
    nothing          OSC 52

Whether the terminal obeys nobody knows: it does not answer.
"""

import asyncio
import base64
import os
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from typing import Any

from textual.app import App

from flconsole.text import visible

MAX_BASE64_BYTES = 74_994
"""Some terminals ignore a longer sequence, others show it."""
_SCREEN_PIECE = 512
"""Bytes; GNU screen takes at most 768 at once."""
_TMUX_S = 3.0


class TooMuchToCopy(ValueError):  # named as all of `engine.errors`
    """Terminals would not take it."""


async def copy(app: App[Any], text: str) -> None:
    """Hands a text to the terminal for its clipboard.

    Args:
        app: the application that has the terminal.
        text: what to copy; made `visible`, so that wherever it is pasted nothing obeys it either.

    Raises:
        TooMuchToCopy: it is longer than terminals take.
    """
    text = visible(text)
    sequence = escape_sequence(text, os.environ)
    if os.environ.get("TMUX") and await _give_to_tmux(text.encode("utf-8", "backslashreplace")):
        return
    driver = app._driver  # noqa: SLF001  # Textual has no other way to send a sequence that it does not know
    if driver is not None:
        driver.write(sequence)


def escape_sequence(text: str, environ: Mapping[str, str]) -> str:
    """What makes the terminal put the text into its clipboard.

    Args:
        text: what to copy.
        environ: says what stands between the console and the terminal.

    Raises:
        TooMuchToCopy: it is longer than terminals take.
    """
    encoded = base64.b64encode(text.encode("utf-8", "backslashreplace")).decode()
    if len(encoded) > MAX_BASE64_BYTES:
        raise TooMuchToCopy(f"{len(encoded):,} bytes are more than terminals take ({MAX_BASE64_BYTES:,})")
    sequence = f"\x1b]52;c;{encoded}\a"
    if environ.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if environ.get("STY"):
        pieces = (sequence[at : at + _SCREEN_PIECE] for at in range(0, len(sequence), _SCREEN_PIECE))
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return sequence


async def _give_to_tmux(text: bytes) -> bool:
    """Whether tmux took it, for its own buffer and for the terminal."""
    command = ("tmux", "load-buffer", "-w", "-")
    try:
        tmux = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL)
    except OSError:
        return False
    try:
        await asyncio.wait_for(tmux.communicate(text), _TMUX_S)
    except TimeoutError:
        tmux.kill()
        await tmux.wait()
    return tmux.returncode == 0
