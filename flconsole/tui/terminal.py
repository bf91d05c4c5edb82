"""What the terminal can, as far as its environment tells. Pure.

Without Textual, which reads some of what is found out here when it is imported.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.errors import ConfigError

_MONOCHROME = ("vt", "ansi-mono", "xterm-mono", "screen-mono")
_WITHOUT_TITLE = ("vt", "linux", "ansi", "cons", "sun")
_C_LOCALES = ("C", "POSIX")
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")
"""What Python itself puts into LC_CTYPE where it finds the C locale (PEP 538)."""
LOW_BANDWIDTH_FPS = 15


class TerminalUnusable(ConfigError):  # named as all of `engine.errors`
    """No screen can be drawn on this terminal."""


class Colours(StrEnum):
    """How many there are; the values are Rich's names of them."""

    NONE = "none"
    SIXTEEN = "standard"
    MANY = "256"
    TRUE = "truecolor"


@dataclass(frozen=True)
class Terminal:
    """The terminal that the console is shown on.

    Attributes:
        colours: how many it has, or the operator wants.
        has_unicode: whether it understands UTF-8; otherwise nothing but ASCII may be sent.
        has_title: whether its window has a title.
        host: this machine's name where one is logged in over SSH; empty on the operator's own.
        low_bandwidth: whether to draw less often.
    """

    colours: Colours = Colours.TRUE
    has_unicode: bool = True
    has_title: bool = True
    host: str = ""
    low_bandwidth: bool = False

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, low_bandwidth: bool | None = None, host: str | None = None
    ) -> "Terminal":
        """Reads the variables that terminals, shells and SSH set.

        Args:
            environ: the environment.
            low_bandwidth: the operator's word; None where there is none, and then SSH decides.
            host: this machine's name; None asks for it.

        Raises:
            TerminalUnusable: TERM says that nothing can be drawn.
        """
        name = environ.get("TERM", "")
        if name in ("", "dumb", "unknown"):
            raise TerminalUnusable(
                f"TERM={name or '(not set)'}: no screen can be drawn here; use `flconsole run --headless`, "
                "and for a run that goes on `flconsole status`, `logs -f` and `events -f`"
            )
        is_remote = any(environ.get(key) for key in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"))
        is_low = is_remote if low_bandwidth is None else low_bandwidth
        return cls(
            colours=_colours(environ, name, low_bandwidth=is_low),
            has_unicode=_has_unicode(environ),
            has_title=not name.startswith(_WITHOUT_TITLE),
            host=(socket.gethostname() if host is None else host) if is_remote else "",
            low_bandwidth=is_low,
        )

    def textual_settings(self) -> dict[str, str]:
        """Environment variables that Textual reads when it is imported."""
        settings = {"TEXTUAL_ANIMATIONS": "none", "TEXTUAL_SMOOTH_SCROLL": "0"}
        if (
            self.colours is not Colours.NONE
        ):  # then a filter takes them away: without a system there is no bold
            settings["TEXTUAL_COLOR_SYSTEM"] = self.colours
        if self.low_bandwidth:
            settings["TEXTUAL_FPS"] = str(LOW_BANDWIDTH_FPS)
        return settings


def _colours(environ: Mapping[str, str], name: str, *, low_bandwidth: bool) -> Colours:
    if environ.get("NO_COLOR") or name.startswith(_MONOCHROME) or name.endswith("-m"):
        return Colours.NONE
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") or name.endswith("-direct"):
        is_screen = name.startswith("screen") and "TMUX" not in environ  # it garbles what it inherits
        return Colours.MANY if low_bandwidth or is_screen else Colours.TRUE
    return Colours.MANY if "256color" in name or "kitty" in name else Colours.SIXTEEN


def _has_unicode(environ: Mapping[str, str]) -> bool:
    """Whether the locale's encoding is UTF-8; where nobody has set a locale, it is taken to be."""
    everything, ctype, lang = (environ.get(key, "") for key in ("LC_ALL", "LC_CTYPE", "LANG"))
    if ctype in _COERCED and lang in _C_LOCALES:
        ctype = ""
    locale = everything or ctype or lang
    encoding = locale.partition("@")[0].rpartition(".")[2] if "." in locale else locale
    return not locale or encoding.upper().replace("-", "") == "UTF8"
