"""What `flconsole` asks where it is given nothing to do."""

import signal
import sys
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from engine.errors import ConfigError, EngineError
from engine.lifecycle import Terminated
from flconsole import last_choices, plan
from flconsole.narration import progress
from flconsole.runs import is_alive, read_state, run_dirs
from flconsole.text import visible
from flconsole.tui.background import in_thread
from flconsole.tui.prompt import Prompt
from flconsole.tui.start_form import GoingOn, StartForm, label_of
from flconsole.tui.style import BAD, BOLD, DIM
from flconsole.tui.terminal import Terminal
from flconsole.tui.terminal_app import TerminalApp

_KEYS = "Enter start, arrows change, e write, a attach, q leave"


def choose(terminal: Terminal) -> list[str] | None:
    """Lets the operator choose what to do.

    Returns:
        The command line; None where the operator leaves.

    Raises:
        ConfigError: the user's own defaults make no sense.
        Terminated: a signal ended it.
    """
    app = StartApp(terminal)
    command = app.run()
    if app.failure is not None:
        raise app.failure
    if app.signum is not None:
        raise Terminated(app.signum)
    if command is not None and command[0] == "run":
        try:
            last_choices.save(app.form.choices)
        except EngineError as error:  # no reason not to start
            sys.stderr.write(f"{visible(str(error))}\n")
    return command


def _going_on(runs_dir: Path) -> list[GoingOn]:
    """The runs that go on, the newest first."""
    alive = [run_dir for run_dir in reversed(run_dirs(runs_dir)) if is_alive(run_dir)]
    return [GoingOn(run_dir, progress(read_state(run_dir, samples=False))) for run_dir in alive]


class StartApp(TerminalApp[list[str]]):
    """The form; its result is the command line that was chosen, None where the operator left.

    Args:
        terminal: what the terminal can.
    """

    CSS = """
    Screen { layout: vertical; }
    Static { height: auto; padding: 0 1; }
    #form { height: auto; max-height: 1fr; margin: 1; }
    #problem { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose"),
        Binding("left", "step(-1)"),
        Binding("right", "step(1)"),
        Binding("e", "write"),
        Binding("a", "attach"),
        Binding("q,escape,ctrl+q,ctrl+c", "quit"),
        Binding("ctrl+z", "suspend_process"),
    ]

    def __init__(self, terminal: Terminal | None = None) -> None:
        super().__init__(terminal)
        self.signum: signal.Signals | None = None
        """The signal that ended it."""
        try:
            choices, self._note = last_choices.load(), ""
        except ConfigError as error:
            choices, self._note = {}, f"what was chosen last is not known: {error}"
        self.form = StartForm(choices)

    def compose(self) -> ComposeResult:
        yield Static(Text("flconsole: start a federation", BOLD))
        yield self.form
        yield Static(id="problem")
        yield Prompt()
        yield Static(Text(_KEYS, DIM), id="keys")

    def on_mount(self) -> None:
        self.form.focus()
        self.form.lines_changed()
        self._say(self._note)
        self._look_for_runs()

    @work
    async def _look_for_runs(self) -> None:
        runs_dir = Path(plan.resolve({}, None).runs_dir)
        self.form.show_runs(await in_thread(partial(_going_on, runs_dir)))

    def _say(self, problem: str) -> None:
        self.query_one("#problem", Static).update(Text(visible(problem), BAD))

    def on_start_form_changed(self) -> None:
        self._say(self.form.problem)

    # --- keys

    def action_step(self, step: int) -> None:
        self.form.step(step)

    def action_write(self) -> None:
        """Any value at all, your own function for instance."""
        key = self.form.chosen_key
        if key is None:
            return

        def done(value: str | None) -> None:
            if value is not None:
                self.form.set(key, value.strip())

        prompt = self.query_one(Prompt)
        prompt.ask(f"{label_of(key)}:", self.form.values[key], changed=lambda _value: None, done=done)

    def action_choose(self) -> None:
        run = self.form.chosen_run
        if run is not None:
            self.exit(["attach", str(run.run_dir)])
        elif not self.form.problem:
            options = self.form.options.items()
            self.exit(["run", *(f"--{key.replace('_', '-')}={value}" for key, value in options)])

    def action_attach(self) -> None:
        if self.form.runs:
            self.exit(["attach", str(self.form.runs[0].run_dir)])

    async def action_quit(self) -> None:
        self.exit()

    def end_by(self, signum: signal.Signals) -> None:
        self.signum = signum
        self.exit()
