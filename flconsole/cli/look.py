"""Commands that only look: at runs, at what they recorded, at this machine; and `prune`, which tidies up."""

# ruff: noqa: PLC0415  # what a command needs is imported when it runs, so that --help comes in a blink

from typing import Annotated

import typer

from engine.lifecycle import raise_on_signals
from flconsole.cli.application import app
from flconsole.cli.options import Cluster, Follow, Json, RunArgument, RunsDir
from flconsole.cli.shared import default_runs_dir, find, say, write


@app.command()
def runs(*, json: Json = False, runs_dir: RunsDir = None) -> None:
    """List the runs, oldest first."""
    from flconsole import reports
    from flconsole.runs import run_dirs, summarize

    found = [summarize(path) for path in run_dirs(default_runs_dir(runs_dir))]
    write(reports.as_json(found) if json else reports.runs_table(found))


@app.command()
def status(run: RunArgument = None, *, json: Json = False, runs_dir: RunsDir = None) -> None:
    """Tell where a run stands."""
    from flconsole import reports
    from flconsole.runs import is_alive, read_state, status_of

    run_dir = find(run, runs_dir)
    state = read_state(run_dir)
    word = status_of(state, alive=is_alive(run_dir))
    write(reports.status_json(state, word) if json else reports.status_lines(state, word, run_dir))


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

    tail.write_logs(find(run, runs_dir), process, follow=follow)


@app.command()
def events(run: RunArgument = None, *, follow: Follow = False, runs_dir: RunsDir = None) -> None:
    """Write the lines of both event files."""
    from flconsole import tail

    tail.write_events(find(run, runs_dir), follow=follow)


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

    letters = rejected.read_letters(find(run, runs_dir))
    if not letters:
        say("no record has been rejected")
    elif json:
        write(rejected.letters_json(letters))
    else:
        write(rejected.letters_in_hex(letters) if in_hex else rejected.letters_table(letters))


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
        write(as_json({"exit_code": report.exit_code(findings), "findings": findings}))
    else:
        findings = report.write_findings(bootstrap_servers=bootstrap_servers, runs_dir=runs_dir)
        write(["", report.verdict(findings)])
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
    candidates = pruning.look(default_runs_dir(runs_dir), keep=keep, older_than_s=older_than_s)
    write(pruning.report(candidates))
    doomed = [candidate for candidate in candidates if not candidate.stays]
    if doomed and not dry_run and (yes or pruning.confirmed("remove them?")):
        say(f"removed: {pruning.remove_all(doomed)}")
