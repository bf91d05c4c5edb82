"""What an operator types to find lines, or to see fewer of them. Pure."""

import contextlib
import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from types import FrameType

_PATIENCE_S = 1.0
"""Seconds of computing that a regular expression may take over the lines of a log."""


class BadPattern(ValueError):
    """It is no regular expression that can be used; says why."""


class TooSlow(BadPattern):
    """It does not come to an end: nested repetitions try every way to match, of which there are too many."""

    def __init__(self) -> None:
        super().__init__("bad regex: too slow on these lines")


@contextlib.contextmanager
def in_time(seconds: float = _PATIENCE_S) -> Iterator[None]:
    """Interrupts what matches regular expressions; only a signal can, and only in the main thread.

    Args:
        seconds: how long the process may compute meanwhile.

    Raises:
        TooSlow: it took longer.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(_signum: int, _frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, give_up)
    left, _ = signal.setitimer(signal.ITIMER_VIRTUAL, seconds)  # of what is around it, none being zero
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, left)
        signal.signal(signal.SIGVTALRM, before)


def compile_pattern(text: str, flags: int = 0) -> re.Pattern[str]:
    """A regular expression that an operator has typed.

    Raises:
        BadPattern: it is none, or not the one that it looks like.
    """
    with warnings.catch_warnings(action="error", category=FutureWarning):  # a set within a set
        try:
            return re.compile(text, flags)
        except (re.error, OverflowError, RecursionError, FutureWarning) as error:
            raise BadPattern(f"bad regex: {error}") from error


def word_filter(text: str) -> Callable[..., bool]:
    """Whether something is wanted, told by its texts.

    Every word must be found in one of the texts, whatever its case; `!word` must not. A word is a regular
    expression where it is a valid one, and otherwise means itself.
    """
    words = [(word.removeprefix("!"), word.startswith("!")) for word in text.split()]
    patterns = [(_pattern(word), is_inverted) for word, is_inverted in words if word]

    def is_wanted(*texts: str) -> bool:
        return all(any(map(pattern.search, texts)) != is_inverted for pattern, is_inverted in patterns)

    return is_wanted


def _pattern(word: str) -> re.Pattern[str]:
    try:
        return compile_pattern(word, re.IGNORECASE)
    except BadPattern:
        return re.compile(re.escape(word), re.IGNORECASE)
