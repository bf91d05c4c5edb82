"""The charts of a run as SVG files in its directory. Blocks on the disk: for a thread."""

import io
from pathlib import Path

from rich.console import Console

from engine.errors import RunDirectoryError
from flconsole.charts.catalogue import Chart, charts_for
from flconsole.charts.chart_text import Ink, heading
from flconsole.charts.gatherers import Look
from flconsole.charts.plot import Plot, Sentence
from flconsole.files import replace_file
from flconsole.text import visible
from flconsole.tui.view import View

PLOTS = "plots"
"""The folder in the run directory."""
_WIDTH, _HEIGHT = 110, 30
_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
  <style>
    .{unique_id}-matrix {{ font: {char_height}px monospace; line-height: {line_height}px; }}
    .{unique_id}-title {{ font: bold 18px sans-serif; }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">{matrix}</g>
  </g>
</svg>
"""
"""Rich's own, without its fonts from a server on the internet."""


def save_charts(view: View) -> list[Path]:
    """Writes one file for each chart that has something to show, over those written before.

    Returns:
        The files, in the order of the charts.

    Raises:
        RunDirectoryError: the files cannot be written, or the disk is full.
    """
    folder = view.run_dir / PLOTS
    look = Look(snapshot=view.snapshot, eval_every=view.config.eval_every)
    plots = [(chart, chart.gatherer().plot(look)) for chart in charts_for(view.config.mode)]
    pictures = {
        folder / f"{chart.name}.svg": _svg(chart, plot, view.run_dir.name)
        for chart, plot in plots
        if not isinstance(plot, Sentence)
    }
    try:
        folder.mkdir(exist_ok=True)
        for path, picture in pictures.items():
            replace_file(path, picture)
    except OSError as error:
        raise RunDirectoryError(f"{folder}: the charts are not saved: {error.strerror}") from error
    return list(pictures)


def _svg(chart: Chart, plot: Plot, run: str) -> str:
    from flconsole.charts.plotting import draw  # noqa: PLC0415  # imports plotext

    console = Console(
        file=io.StringIO(), record=True, width=_WIDTH, force_terminal=True, color_system="standard"
    )
    for line in (heading(plot, _WIDTH, Ink()), *draw(plot, _WIDTH, _HEIGHT, Ink())):
        console.print(line, end="\n")
    return console.export_svg(title=f"{visible(run)} · {chart.title}", code_format=_FORMAT)
