"""What the console does not do: every line of every log is written to a `RichLog` as it comes.

`python -m benchmarks._line_by_line RUN_DIR`
"""

import sys
from pathlib import Path

from rich.text import Text
from textual.app import App, ComposeResult
from textual.widgets import RichLog

from flconsole.feed import LineFollower
from flconsole.text import coloured

_POLL_S = 0.1
_LINES_KEPT = 5_000


class LineByLineApp(App[None]):
    """The logs of a run, merged as they come."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__()
        self._followers = [LineFollower(path) for path in sorted((run_dir / "logs").glob("*.log"))]

    def compose(self) -> ComposeResult:
        yield RichLog(max_lines=_LINES_KEPT)

    def on_mount(self) -> None:
        self.set_interval(_POLL_S, self._follow)

    def _follow(self) -> None:
        log = self.query_one(RichLog)
        for follower in self._followers:
            for line in follower.read():
                log.write(Text.from_ansi(coloured(line.decode(), process=follower.path.stem)))


if __name__ == "__main__":
    LineByLineApp(Path(sys.argv[1])).run()
