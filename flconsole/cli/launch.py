"""Commands that start a run, go on with one, or open the console."""

# ruff: noqa: PLC0415  # what a command needs is imported when it runs, so that --help comes in a blink

import shutil
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from engine.config import RunConfig
from engine.lifecycle import Terminated, raise_on_signals
from flconsole.cli.application import app
from flconsole.cli.options import Headless, JsonLines, LowBandwidth, ReadOnly, RunArgument, RunsDir
from flconsole.cli.shared import find, say
from flconsole.settings import takes_changes, takes_settings


@app.command()
@takes_settings
def run(
    *,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TOML file with any of these keys.")
    ] = None,
    headless: Headless = False,
    json: JsonLines = False,
    low_bandwidth: LowBandwidth = None,
    **settings: Any,
) -> None:
    """Start a run. The options go before --config, that before your own defaults."""
    from flconsole import plan

    resolved = plan.resolve(settings, config)
    has_screen = _has_screen(headless=headless, json=json)  # asked before anything is prepared
    raise_on_signals()  # so that what prepares the data never outlives this process
    resolved, run_dir = plan.create_run(resolved)
    if not has_screen:
        _run_headless(resolved, run_dir, resumed=False, json=json)
    _run_detached(run_dir, resumed=False, low_bandwidth=low_bandwidth)


@app.command()
@takes_changes
def resume(
    run: RunArgument = None,
    *,
    rounds: Annotated[
        str | None, typer.Option(metavar="N", help="Rounds in all, with those already done.")
    ] = None,
    headless: Headless = False,
    json: JsonLines = False,
    low_bandwidth: LowBandwidth = None,
    runs_dir: RunsDir = None,
    **settings: Any,
) -> None:
    """Continue a run that was stopped, failed or was killed, as it was or with some keys changed."""
    from flconsole import plan

    run_dir = find(run, runs_dir)
    has_screen = _has_screen(headless=headless, json=json)
    changes = settings if rounds is None else {"rounds": rounds, **settings}
    config = plan.reopen_run(run_dir, changes)
    for change in plan.changed_versions(config):
        say(f"not as at the start, the same digests cannot be promised: {change}")
    if not has_screen:
        _run_headless(config, run_dir, resumed=True, json=json)
    _run_detached(run_dir, resumed=True, low_bandwidth=low_bandwidth)


@app.command()
def attach(
    run: RunArgument = None,
    *,
    read_only: ReadOnly = False,
    low_bandwidth: LowBandwidth = None,
    runs_dir: RunsDir = None,
) -> None:
    """Open the console on a run."""
    from flconsole.console import open_console

    raise typer.Exit(open_console(find(run, runs_dir), read_only=read_only, low_bandwidth=low_bandwidth))


@app.command()
def replay(run: RunArgument = None, *, low_bandwidth: LowBandwidth = None, runs_dir: RunsDir = None) -> None:
    """Play what a run has recorded: pause, step, go to any round, at any speed."""
    from flconsole.console import open_replay

    raise typer.Exit(open_replay(find(run, runs_dir), low_bandwidth=low_bandwidth))


def _has_screen(*, headless: bool, json: bool) -> bool:
    from flconsole.console import has_terminal

    return not headless and not json and has_terminal()


def _run_headless(config: RunConfig, run_dir: Path, *, resumed: bool, json: bool) -> NoReturn:
    """Runs a federation in this process."""
    from flconsole.headless import run_headless

    raise typer.Exit(run_headless(config, run_dir, resumed=resumed, json=json))


def _run_detached(run_dir: Path, *, resumed: bool, low_bandwidth: bool | None) -> NoReturn:
    """Runs a federation that goes on without this process, and opens the console on it."""
    from flconsole.console import open_console
    from flconsole.detached import start_supervisor

    raise_on_signals()
    try:
        start_supervisor(run_dir, resumed=resumed)
    except (Terminated, KeyboardInterrupt):
        if not resumed:  # nothing has happened in it
            shutil.rmtree(run_dir, ignore_errors=True)
        raise
    raise typer.Exit(open_console(run_dir, read_only=False, low_bandwidth=low_bandwidth))
