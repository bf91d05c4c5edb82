"""What an operator types to see fewer lines of a table or a timeline. Pure."""

import re
import warnings
from collections.abc import Callable


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
    with warnings.catch_warnings(action="error", category=FutureWarning):  # a set within a set
        try:
            return re.compile(word, re.IGNORECASE)
        except (re.error, OverflowError, RecursionError, FutureWarning):
            return re.compile(re.escape(word), re.IGNORECASE)
