"""Writes the tables of keys into `docs/console.md`: `python -m flconsole.tui.keys_page docs/console.md`."""

import sys
from pathlib import Path

from flconsole.tui.actions import Action, sections
from flconsole.tui.keys import spell

BEGIN = "<!-- made by `python -m flconsole.tui.keys_page docs/console.md` from the registry of actions -->"
END = "<!-- end of what is made -->"


def tables() -> str:
    """Every action under its heading, as Markdown."""
    parts = []
    for heading, actions in sections().items():
        rows = [
            f"### {heading}",
            "",
            "| key | action | what it does |",
            "|---|---|---|",
            *map(_row, actions),
        ]
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def _row(action: Action) -> str:
    keys = ", ".join(f"`{spell(key)}`" for key in action.keys)
    asks = " Asks first." if action.asks else ""
    return f"| {keys} | `{action.name}` | {action.help}{asks} |"


def renewed(page: str) -> str:
    """The page with the tables of now.

    Raises:
        ValueError: the page has no place for them.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} ... {END}")
    return f"{head}{BEGIN}\n\n{tables()}\n\n{END}{tail}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
