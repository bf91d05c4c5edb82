"""The command line. Standard output is data, standard error is narration."""

# ruff: noqa: PLC0415  # what a command needs is imported when it runs, so that --help comes in a blink

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from engine.config import RunConfig
from engine.errors import ConfigError, EngineError
from engine.lifecycle import Terminated, raise_on_signals
from flconsole.options import (
    Clients,
    Cluster,
    Follow,
    Headless,
    Json,
    JsonLines,
    LowBandwidth,
    ReadOnly,
    RunArgument,
    RunsDir,
)
from flconsole.settings import takes_changes, takes_settings
from flconsole.streams import reopen_closed, writing_output

app = typer.Typer(
    name="flconsole",
    help="Federated learning over Kafka, run by an operator from a terminal.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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

    run_dir = _find(run, runs_dir)
    has_screen = _has_screen(headless=headless, json=json)
    changes = settings if rounds is None else {"rounds": rounds, **settings}
    config = plan.reopen_run(run_dir, changes)
    for change in plan.changed_versions(config):
        _say(f"not as at the start, the same digests cannot be promised: {change}")
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

    raise typer.Exit(open_console(_find(run, runs_dir), read_only=read_only, low_bandwidth=low_bandwidth))


@app.command()
def replay(run: RunArgument = None, *, low_bandwidth: LowBandwidth = None, runs_dir: RunsDir = None) -> None:
    """Play what a run has recorded: pause, step, go to any round, at any speed."""
    from flconsole.console import open_replay

    raise typer.Exit(open_replay(_find(run, runs_dir), low_bandwidth=low_bandwidth))


@app.command()
def runs(*, json: Json = False, runs_dir: RunsDir = None) -> None:
    """List the runs, oldest first."""
    from flconsole import reports
    from flconsole.runs import run_dirs, summarize

    found = [summarize(path) for path in run_dirs(_runs_dir(runs_dir))]
    _write(reports.as_json(found) if json else reports.runs_table(found))


@app.command()
def doctor(
    *,
    bootstrap_servers: Cluster = None,
    json: Json = False,
    runs_dir: RunsDir = None,
) -> None:
    """Tell what works on this machine, and what to do about what does not."""
    from flconsole.doctor import report
    from flconsole.reports import as_json

    raise_on_signals()  # so that what is asked to look never outlives this process
    if json:
        findings = report.find(bootstrap_servers=bootstrap_servers, runs_dir=runs_dir)
        _write(as_json({"exit_code": report.exit_code(findings), "findings": findings}))
    else:
        findings = report.write_findings(bootstrap_servers=bootstrap_servers, runs_dir=runs_dir)
        _write(["", report.verdict(findings)])
    raise typer.Exit(report.exit_code(findings))


@app.command()
def prune(
    *,
    keep: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="So many of the newest stay.", show_default=False)
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Only what was last written before: 30d, 12h, 2w.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would go, and remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """Remove runs that are over. Those with a saved checkpoint or a file `keep` in them stay."""
    from flconsole import prune as pruning

    older_than_s = None if older_than is None else pruning.seconds_of(older_than)
    candidates = pruning.look(_runs_dir(runs_dir), keep=keep, older_than_s=older_than_s)
    _write(pruning.report(candidates))
    doomed = [candidate for candidate in candidates if not candidate.stays]
    if doomed and not dry_run and (yes or pruning.confirmed("remove them?")):
        _say(f"removed: {pruning.remove_all(doomed)}")


@app.command()
def status(run: RunArgument = None, *, json: Json = False, runs_dir: RunsDir = None) -> None:
    """Tell where a run stands."""
    from flconsole import reports
    from flconsole.runs import is_alive, read_state, status_of

    run_dir = _find(run, runs_dir)
    state = read_state(run_dir)
    word = status_of(state, alive=is_alive(run_dir))
    _write(reports.status_json(state, word) if json else reports.status_lines(state, word, run_dir))


@app.command()
def stop(
    run: RunArgument = None,
    *,
    after_round: Annotated[bool, typer.Option("--after-round", help="Finish the open round first.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """End a run; it can be resumed."""
    _request(_find(run, runs_dir), "stop", after_round=after_round)


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
    _request(_find(run, runs_dir), "add-client", count=count, part=part, gpu=gpu)


@app.command("kill-client")
def kill_client(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    client: Annotated[str, typer.Argument(metavar="ID")],
    *,
    kill: Annotated[bool, typer.Option("--kill", help="At once, without letting it finish.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """End a client for good; the federation goes on without it."""
    _request(_find(run, runs_dir), "kill-client", client=client, hard=kill)


@app.command("restart-client")
def restart_client(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    client: Annotated[str, typer.Argument(metavar="ID")],
    *,
    runs_dir: RunsDir = None,
) -> None:
    """Start a client anew, whatever has become of it."""
    _request(_find(run, runs_dir), "restart-client", client=client)


@app.command()
def pause(run: RunArgument = None, *, client: Clients = None, runs_dir: RunsDir = None) -> None:
    """Open no round after the open one, or only leave some clients out."""
    _request(_find(run, runs_dir), "pause", clients=client or None)


@app.command()
def unpause(run: RunArgument = None, *, client: Clients = None, runs_dir: RunsDir = None) -> None:
    """Open rounds again, or let some clients take part again."""
    _request(_find(run, runs_dir), "unpause", clients=client or None)


@app.command()
def save(run: RunArgument = None, *, runs_dir: RunsDir = None) -> None:
    """Keep the newest checkpoint for good."""
    _request(_find(run, runs_dir), "save")


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
    _request(_find(run, runs_dir), "set", **values)


@app.command()
def logs(
    run: RunArgument = None,
    *,
    follow: Follow = False,
    process: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this one: server, client-1 ...")
    ] = None,
    runs_dir: RunsDir = None,
) -> None:
    """Write what the processes wrote."""
    from flconsole import tail

    tail.write_logs(_find(run, runs_dir), process, follow=follow)


@app.command()
def events(run: RunArgument = None, *, follow: Follow = False, runs_dir: RunsDir = None) -> None:
    """Write the lines of both event files."""
    from flconsole import tail

    tail.write_events(_find(run, runs_dir), follow=follow)


@app.command("dead-letters")
def dead_letters(
    run: RunArgument = None,
    *,
    json: Json = False,
    in_hex: Annotated[bool, typer.Option("--hex", help="With the first bytes of each record.")] = False,
    runs_dir: RunsDir = None,
) -> None:
    """List the records that were rejected, and why."""
    from flconsole import dead_letters as rejected

    letters = rejected.read_letters(_find(run, runs_dir))
    if not letters:
        _say("no record has been rejected")
    elif json:
        _write(rejected.letters_json(letters))
    else:
        _write(rejected.letters_in_hex(letters) if in_hex else rejected.letters_table(letters))


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits; an `EngineError` becomes its one line and its exit code."""
    reopen_closed()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(_command(given))
    except EngineError as error:
        if str(error):
            _say(f"error: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except Terminated as signal:
        sys.exit(signal.exit_code)


def _command(given: list[str]) -> list[str]:
    """The command line that is meant: of a bare `flconsole`, the one that the operator chooses on a form."""
    if given:
        has_options_alone = given[0].startswith("-") and given[0] not in ("-h", "--help")
        return ["run", *given] if has_options_alone else given
    from flconsole.console import choose_command, has_terminal

    if not has_terminal():
        return ["run"]
    chosen = choose_command()
    if chosen is None:
        sys.exit(0)
    return chosen


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


def _find(name: str | None, runs_dir: Path | None) -> Path:
    from flconsole.runs import find_run

    return find_run(name, _runs_dir(runs_dir))


def _runs_dir(given: Path | None) -> Path:
    from flconsole import plan

    return given or Path(plan.resolve({}, None).runs_dir)


def _request(run_dir: Path, command: str, **arguments: Any) -> None:
    """Asks the run's supervisor, and says what it answers."""
    from flconsole.supervisor.client import connect

    with connect(run_dir) as supervisor:
        answer = supervisor.request(command, **arguments)
    if not answer.ok:
        raise EngineError(answer.text)
    _say(answer.text or "done")


def _write(lines: Sequence[str]) -> None:
    with writing_output():
        sys.stdout.write("\n".join(lines) + "\n")


def _say(line: str) -> None:
    from flconsole.text import visible

    sys.stderr.write(visible(line) + "\n")
