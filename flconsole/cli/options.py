"""The arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

RunArgument = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="An id, a path or the unique beginning of an id; the newest run."),
]
RunsDir = Annotated[Path | None, typer.Option(metavar="DIR", help="Where runs are kept.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Write JSON.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Write the event files' lines as they are written.")]
Clients = Annotated[
    list[str] | None,
    typer.Option(metavar="ID", help="Only this client; may be given again.", show_default=False),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")]
Headless = Annotated[
    bool,
    typer.Option(
        "--headless", help="Without a screen, in the foreground; so it is, too, without a terminal."
    ),
]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="Look, and change nothing.")]
LowBandwidth = Annotated[
    bool | None,
    typer.Option(
        "--low-bandwidth/--no-low-bandwidth", help="Draw less often; over SSH that is so.", show_default=False
    ),
]
Cluster = Annotated[
    str | None, typer.Option(metavar="HOST:PORT,...", help="Look for this Kafka cluster.", show_default=False)
]
