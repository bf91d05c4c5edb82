"""Commands that step in while a run goes on; its supervisor answers each."""

# ruff: noqa: PLC0415  # what a command needs is imported when it runs, so that --help comes in a blink

from typing import Annotated, Any

import typer

from engine.errors import ConfigError
from flconsole.cli.application import app
from flconsole.cli.options import Clients, RunArgument, RunsDir
from flconsole.cli.shared import find, request


@app.command()
def stop(
    run: RunArgument = None,
    *,
    after_round: Annotated[bool, typer.Option("--after-round", help="Finish the open round first.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """End a run; it can be resumed."""
    request(find(run, runs_dir), "stop", after_round=after_round)


@app.command("add-client")
def add_client(
    run: RunArgument = None,
    *,
    count: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="How many.")] = 1,
    part: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="The first one's part of the data, from 0.")
    ] = None,
    gpu: Annotated[int | None, typer.Option(metavar="N", min=0, help="Their GPU, from 0.")] = None,
    runs_dir: RunsDir = None,
) -> None:
    """Start more clients on this machine."""
    request(find(run, runs_dir), "add-client", count=count, part=part, gpu=gpu)


@app.command("kill-client")
def kill_client(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    client: Annotated[str, typer.Argument(metavar="ID")],
    *,
    kill: Annotated[bool, typer.Option("--kill", help="At once, without letting it finish.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """End a client for good; the federation goes on without it."""
    request(find(run, runs_dir), "kill-client", client=client, hard=kill)


@app.command("restart-client")
def restart_client(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    client: Annotated[str, typer.Argument(metavar="ID")],
    *,
    runs_dir: RunsDir = None,
) -> None:
    """Start a client anew, whatever has become of it."""
    request(find(run, runs_dir), "restart-client", client=client)


@app.command()
def pause(run: RunArgument = None, *, client: Clients = None, runs_dir: RunsDir = None) -> None:
    """Open no round after the open one, or only leave some clients out."""
    request(find(run, runs_dir), "pause", clients=client or None)


@app.command()
def unpause(run: RunArgument = None, *, client: Clients = None, runs_dir: RunsDir = None) -> None:
    """Open rounds again, or let some clients take part again."""
    request(find(run, runs_dir), "unpause", clients=client or None)


@app.command()
def save(run: RunArgument = None, *, runs_dir: RunsDir = None) -> None:
    """Keep the newest checkpoint for good."""
    request(find(run, runs_dir), "save")


@app.command("set")
def set_rules(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    rules: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE...",
            help="With mode sync quorum=N and deadline_s=X, or none for either; with timed "
            "aggregation_interval_seconds=X; with timed and buffered min_updates_per_aggregation=N.",
        ),
    ],
    *,
    runs_dir: RunsDir = None,
) -> None:
    """Change when the open round and all after it close."""
    from typing import get_args

    from engine.commands import Rule
    from engine.config import nearest
    from flconsole.settings import find_setting
    from flconsole.supervisor.requests import SetRules

    values: dict[str, Any] = {"clear": []}
    known = tuple(key for key in SetRules.__struct_fields__ if key != "clear")
    for rule in rules:
        key, equals, value = rule.partition("=")
        if not equals or key not in known:
            raise ConfigError(f"{rule!r}: {nearest(key, known)}, written as KEY=VALUE")
        if value == "none" and key in get_args(Rule):
            values["clear"].append(key)
        else:
            values[key] = find_setting(key, where=rule).check(value, where=rule, strict=False)
    request(find(run, runs_dir), "set", **values)
