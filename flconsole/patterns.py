"""What an operator types to find lines, or to see fewer of them. Pure."""

import re
import warnings
from collections.abc import Callable


class BadPattern(ValueError):
    """It is no regular expression; says why."""


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
