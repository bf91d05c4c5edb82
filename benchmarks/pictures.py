"""Draws the documentation's pictures, from a made-up run: `python -m benchmarks.pictures [NAME...]`."""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks._home import new_home
from benchmarks._scribe import Story
from benchmarks._still import Still, take
from benchmarks.synthetic_run import write_run
from flconsole.tui.app import ConsoleApp
from flconsole.tui.replay_source import ReplaySource
from flconsole.tui.view import Liveness, Source

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
STORY = Story(clients=12, rounds=100, played=87, ended=False)
SIZE = (120, 34)


def _replay(run_dir: Path) -> Source:
    return ReplaySource(run_dir, clock=lambda: 0.0)


@dataclass(frozen=True)
class Picture:
    """One moment of the console.

    Attributes:
        keys: that lead there, by Textual's names.
        size: columns and rows.
        open: makes the source from the run directory.
    """

    keys: Sequence[str] = ()
    size: tuple[int, int] = SIZE
    open: Callable[[Path], Source] = lambda run_dir: Still(run_dir, Liveness.RUNNING)


PICTURES = {
    "overview": Picture(size=(132, 40), keys=("4", "v", "v", "1", "down")),
    "charts": Picture(keys=("2", "z")),
    "logs": Picture(keys=("3", "z", "slash", *"Traceback", "enter")),
    "add-clients": Picture(size=(100, 24), keys=("a",)),
    "replay": Picture(keys=("p", "g", *"53", "enter"), open=_replay),
    "small": Picture(size=(60, 20)),
}


def main(names: Sequence[str]) -> None:
    """Draws the pictures with these names, or all."""
    FOLDER.mkdir(exist_ok=True)
    with new_home() as home:
        run_dir = write_run(home / STORY.run, STORY)
        for name in names or PICTURES:
            picture = PICTURES[name]
            drawn = take(picture.open(run_dir), picture.size, picture.keys, draw)
            (FOLDER / f"{name}.svg").write_text(drawn, encoding="utf-8")


def draw(app: ConsoleApp) -> str:
    """The screen as SVG, in a font that the reader has: none is fetched from the network."""
    drawn = app.export_screenshot(simplify=True)
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return drawn.replace("Fira Code", "ui-monospace, Menlo, DejaVu Sans Mono")


if __name__ == "__main__":
    main(sys.argv[1:])
