"""Which entries of a timeline an operator wants to see. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from flconsole.patterns import word_filter
from flconsole.timeline import Entry, Kind, Level

EVERYTHING = "everything"
_CHOICES: dict[str, Callable[[Entry], bool]] = {
    EVERYTHING: lambda _entry: True,
    "warnings and errors": lambda entry: entry.level is not Level.INFO,
    "all but rounds": lambda entry: entry.kind is not Kind.ROUND,
}
"""Beside these, each kind is a choice."""


class TimelineFilter(NamedTuple):
    """What is shown: a choice of entries, and of these the ones that match some words."""

    choice: str = EVERYTHING
    words: str = ""
    """As an operator types them; see `word_filter`."""

    def select(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries that are wanted, in the same order."""
        is_chosen = _CHOICES.get(self.choice, self._is_of_kind)
        matches = word_filter(self.words)
        return [entry for entry in entries if is_chosen(entry) and (not self.words or matches(entry.text))]

    def next(self, entries: Sequence[Entry]) -> "TimelineFilter":
        """The next choice: kinds of which there is no entry are left out."""
        kinds = {entry.kind for entry in entries}
        choices = [*_CHOICES, *(kind.value for kind in Kind if kind in kinds)]
        place = choices.index(self.choice) if self.choice in choices else -1
        return self._replace(choice=choices[(place + 1) % len(choices)])

    def _is_of_kind(self, entry: Entry) -> bool:
        return entry.kind.value == self.choice


def count_troubles(entries: Sequence[Entry]) -> list[str]:
    """How many errors and warnings there are, in words; nothing where there is none."""
    counts = Counter(entry.level for entry in entries)
    return [_plural(counts[level], level.value) for level in (Level.ERROR, Level.WARNING) if counts[level]]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
