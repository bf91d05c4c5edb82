"""What the parts of the screen ask their application."""

from typing import Protocol, cast

from textual.widget import Widget

from flconsole.tui.terminal import Terminal


class Host(Protocol):
    """The application that shows a run."""

    @property
    def terminal(self) -> Terminal: ...

    @property
    def is_behind(self) -> bool:
        """Whether the terminal has not taken yet what was drawn last."""

    @property
    def low_bandwidth(self) -> bool:
        """Whether to draw less often."""

    def call_operator(self, what: str) -> None:
        """Rings the bell and writes into the window's title; the text must be `visible`."""


def host_of(widget: Widget) -> Host:
    """The application that shows the widget."""
    return cast(Host, widget.app)
