"""What the console asks of a supervisor, and what it says of the answers. Blocking; called in a thread."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from engine.commands import Answer
from engine.errors import EngineError
from flconsole.supervisor.client import connect
from flconsole.text import listed, visible
from flconsole.tui.view import View

TIMEOUT_S = 8.0
"""Longer than the supervisor itself waits for its server."""
_SHOWN_REFUSALS = 3


def ask(run_dir: Path, timeout_s: float, command: str, arguments: Mapping[str, Any]) -> Answer:
    """One request.

    Raises:
        SupervisorGone: there is nobody to answer, or no answer came in time.
    """
    with connect(run_dir, timeout_s=timeout_s) as supervisor:
        return supervisor.request(command, **arguments)


def ask_for_each(
    run_dir: Path, timeout_s: float, command: str, clients: Sequence[str], arguments: Mapping[str, Any]
) -> dict[str, Answer]:
    """The same request for each client, over one connection.

    Raises:
        SupervisorGone: there is nobody to answer, or no answer came in time.
    """
    with connect(run_dir, timeout_s=timeout_s) as supervisor:
        return {client: supervisor.request(command, client=client, **arguments) for client in clients}


def save(view: View, timeout_s: float) -> tuple[str, bool]:
    """Keeps the newest checkpoint for good, and writes the charts of what is shown.

    Returns:
        What came of both, and whether both went well.
    """
    told, is_well = [], True
    for keep in (partial(_keep_checkpoint, view.run_dir, timeout_s), partial(_keep_charts, view)):
        try:
            told.append(keep())
        except EngineError as error:
            told.append(str(error))
            is_well = False
    return visible("; ".join(told)), is_well


def _keep_checkpoint(run_dir: Path, timeout_s: float) -> str:
    answer = ask(run_dir, timeout_s, "save", {})
    if not answer.ok:
        raise EngineError(answer.text)
    return answer.text


def _keep_charts(view: View) -> str:
    from flconsole.tui.chart_files import save_charts  # noqa: PLC0415  # plotext, which takes a while

    charts = save_charts(view)
    return f"{len(charts)} charts in {charts[0].parent}" if charts else "no chart has anything to show"


def resume(run_dir: Path, *, rounds: str | None = None) -> str:
    """Starts a supervisor on a run again, to go on from its last checkpoint.

    Args:
        run_dir: the run directory.
        rounds: rounds in all; None leaves them as they were.

    Returns:
        What there is to say of it.

    Raises:
        NothingLeftToDo: all that was asked of the run is done.
        EngineError: it cannot go on; says why.
    """
    from flconsole import plan  # noqa: PLC0415  # seldom needed
    from flconsole.detached import start_supervisor  # noqa: PLC0415

    config = plan.reopen_run(run_dir, {} if rounds is None else {"rounds": rounds}, quiet=True)
    pid = start_supervisor(run_dir, resumed=True)
    changes = plan.changed_versions(config)
    caveat = f"; the same digests cannot be promised: {', '.join(changes)}" if changes else ""
    return f"the run goes on, supervised by pid {pid}{caveat}"


def summary(answers: Mapping[str, Answer]) -> str:
    """All answers in a few words: a lone one as it is, of several the clients, and why some were refused."""
    if len(answers) == 1:
        return visible(next(iter(answers.values())).text)
    done = [client for client, answer in answers.items() if answer.ok]
    refusals = [visible(answer.text) for answer in answers.values() if not answer.ok]
    parts = [f"done for {len(done)} clients: {listed(done)}"] if done else []
    parts += refusals[:_SHOWN_REFUSALS]
    if len(refusals) > _SHOWN_REFUSALS:
        parts.append(f"{len(refusals) - _SHOWN_REFUSALS} more were refused")
    return "; ".join(parts)
