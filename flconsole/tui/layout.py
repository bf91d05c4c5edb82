"""Which panes can be seen, by the room there is. Pure."""

from enum import StrEnum

PANES = ("clients", "charts", "logs", "timeline")
"""In the order of the keys 1 to 4."""

_WIDE, _BROAD, _TALL = 160, 110, 36
_LOWEST_BESIDE = 12


class Layout(StrEnum):
    """How the panes share the screen; also the name of its style class."""

    ONE = "one"
    STACKED = "stacked"
    """The clients above one other."""
    BESIDE = "beside"
    """The clients beside one other."""
    ROWS = "rows"
    """All four: the clients and the timeline across the screen, below them charts and logs side by side."""
    GRID = "grid"
    """All four, two by two."""


def layout_for(width: int, height: int) -> Layout:
    """The layout for a screen of so many cells."""
    if height >= _TALL and width >= _BROAD:
        return Layout.GRID if width >= _WIDE else Layout.ROWS
    if width >= _WIDE and height >= _LOWEST_BESIDE:
        return Layout.BESIDE
    return Layout.STACKED if width >= 80 and height >= 24 else Layout.ONE


def panes_seen(layout: Layout, active: str, other: str) -> tuple[str, ...]:
    """The panes that can be seen.

    Args:
        layout: how the panes share the screen.
        active: the pane with the focus.
        other: the pane that was looked at last besides the clients.
    """
    if layout is Layout.ONE:
        return (active,)
    return ("clients", other) if layout in (Layout.STACKED, Layout.BESIDE) else PANES


def rows_for_clients(layout: Layout, room: int, clients: int) -> int:
    """Rows of the clients' pane where it is above others: no more than it needs, and leaving them enough.

    Args:
        layout: how the panes share the screen.
        room: rows for all panes.
        clients: how many there are.
    """
    share = room // 2 if layout is Layout.STACKED else room // 3
    return max(4, min(clients + 2, share))  # with the border and the heading
