"""Asks before something that cannot be taken back."""

from flconsole.tui.dialogs.dialog import Answer, Question


def confirmation(title: str, text: str, *, yes: str) -> Question:
    """A question that Enter and Escape answer with no.

    Args:
        title: what is about to be done.
        text: what it hits, and how many.
        yes: the label of the answer that does it; its name is `yes`.
    """
    return Question(title, text, (Answer("no", "Cancel", "n"), Answer("yes", yes, "y")))
