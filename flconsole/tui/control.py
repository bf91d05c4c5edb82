"""The actions that change a run: they ask the operator where that is wise, then the supervisor."""

# ruff: noqa: PLC0415  # a dialog is imported when it is opened

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from textual import work
from textual.screen import Screen

from engine.config import DEFAULT_ROUNDS
from engine.errors import EngineError
from flconsole.state import ClientState
from flconsole.text import counted, natural, visible
from flconsole.tui import requests
from flconsole.tui.background import in_thread
from flconsole.tui.guide import Guide
from flconsole.tui.view import Liveness, Source

_ENDED = (ClientState.STOPPED, ClientState.FAILED)
Result = TypeVar("Result")


class Control(Guide):
    """Mixed into the screen of a run. What blocks goes to a thread; one toast tells what came of it."""

    source: Source
    answer_timeout_s = requests.TIMEOUT_S

    @property
    def chosen_clients(self) -> tuple[str, ...]:
        """The marked clients, or else the one at the cursor."""
        from flconsole.tui.panes.clients import ClientsPane

        return self.query_one(ClientsPane).chosen

    # --- adding clients

    @work
    async def action_add_clients(self) -> None:
        from flconsole.tui.dialogs.add import AddClients

        asked = await self._open(AddClients(self.view))
        if asked is not None:
            await self._ask("add-client", asked)

    @work
    async def action_add_one(self) -> None:
        await self._ask("add-client", {"count": 1})

    # --- ending and restarting clients

    @work
    async def action_stop_client(self) -> None:
        consequence = "Whoever is stopped is told to end, and takes no further part."
        if clients := await self._confirm_chosen("Stop", consequence):
            await self._ask_for_each("kill-client", clients, {"hard": False})

    @work
    async def action_kill_client(self) -> None:
        consequence = "Whoever is killed ends at once, whatever it does, and takes no further part."
        if clients := await self._confirm_chosen("Kill", consequence):
            await self._ask_for_each("kill-client", clients, {"hard": True})

    @work
    async def action_restart_client(self) -> None:
        consequence = "Training that is under way begins anew."
        if others := self.view.snapshot.state.sharing_with(self.chosen_clients):
            consequence += f" So does that of {counted(others)}, in the same process."
        if clients := await self._confirm_chosen("Restart", consequence):
            await self._ask_for_each("restart-client", clients, {})

    @work
    async def action_stop_newest(self) -> None:
        state = self.view.snapshot.state
        processes = [process for process in state.processes.values() if process.pid]
        running = [
            client for process in processes for client in process.clients if client not in state.killed
        ]
        if not running:
            self.notify("no client is running", severity="warning")
            return
        newest = max(running, key=natural)
        if await self._confirm("Stop", f"Stop client {visible(newest)}, the newest?", yes="Stop"):
            await self._ask_for_each("kill-client", [newest], {"hard": False})

    # --- pausing

    @work
    async def action_pause_client(self) -> None:
        state, clients = self.view.snapshot.state, self.chosen_clients
        if clients and state.paused_clients.issuperset(clients):
            await self._ask("unpause", {"clients": clients})
            return
        going_on = [client for client in clients if state.client_state(client) not in _ENDED]
        if going_on:
            await self._ask("pause", {"clients": going_on})
        else:
            refusal = f"{counted(clients)}: ended" if clients else "no client is chosen"
            self.notify(refusal, severity="warning")

    @work
    async def action_pause_federation(self) -> None:
        await self._ask("unpause" if self.view.snapshot.state.paused else "pause", {})

    # --- the run

    @work
    async def action_set_rules(self) -> None:
        from flconsole.tui.dialogs.rules import SetRules

        changed = await self._open(SetRules(self.view))
        if changed:
            await self._ask("set", changed)

    @work
    async def action_save(self) -> None:
        told, is_well = await in_thread(partial(requests.save, self.view, self.answer_timeout_s))
        self.notify(told, severity="information" if is_well else "error")

    @work
    async def action_stop_after_round(self) -> None:
        text = "End the run when the open round is finished? It can be resumed."
        if await self._confirm("Stop after this round", text, yes="Stop"):
            await self._ask("stop", {"after_round": True})

    @work
    async def action_stop_now(self) -> None:
        processes = sum(process.pid is not None for process in self.view.snapshot.state.processes.values())
        text = f"End the run now, with its {processes} processes? The open round is lost; it can be resumed."
        if await self._confirm("Stop now", text, yes="Stop"):
            await self._stop_run()

    @work
    async def action_quit(self) -> None:
        """Leaves; of a run that goes on, the operator says what becomes of it."""
        from flconsole.tui.dialogs.dialog import Answer as Choice
        from flconsole.tui.dialogs.dialog import Question

        answer: str | None = "detach"
        if self.view.liveness is Liveness.RUNNING and not self.read_only:
            text = "The run goes on without this console: come back to it with `flconsole attach`."
            choices = (
                Choice("detach", "Detach", "d"),
                Choice("stop", "Stop the run", "s"),
                Choice("cancel", "Cancel", "c"),
            )
            answer = await self._open(Question("Quit", text, choices))
        if answer == "detach" or (answer == "stop" and await self._stop_run()):
            self.app.exit(0)

    async def _stop_run(self) -> bool:
        """Stops the run and shows who is still alive; whether all of it has ended."""
        from flconsole.tui.dialogs.stopping import Stopping

        if not await self._ask("stop", {}):
            return False
        ended = await self.app.push_screen_wait(Stopping(self.source.run_dir))
        return ended is True

    @work
    async def action_resume_run(self) -> None:
        from flconsole.plan import NothingLeftToDo
        from flconsole.tui.dialogs.rounds import MoreRounds

        resume = partial(requests.resume, self.source.run_dir)
        try:
            said = await self._waiting_for(resume, but_not=(NothingLeftToDo,))
        except NothingLeftToDo:
            done = self.view.snapshot.state.rounds_done
            rounds = await self.app.push_screen_wait(MoreRounds(done, DEFAULT_ROUNDS))
            said = rounds and await self._waiting_for(partial(resume, rounds=rounds))
        if said:
            self.notify(said)

    # --- asking

    async def _open(self, dialog: Screen[Result | None]) -> Result | None:
        """What the operator answers; None too where another dialog is open, of a key pressed twice."""
        return await self.app.push_screen_wait(dialog) if self.app.screen is self.screen else None

    async def _confirm(self, title: str, text: str, *, yes: str) -> bool:
        from flconsole.tui.dialogs.confirm import confirmation

        return await self._open(confirmation(title, text, yes=yes)) == "yes"

    async def _confirm_chosen(self, verb: str, consequence: str) -> tuple[str, ...]:
        """The chosen clients where the operator means them; none where she does not."""
        clients = self.chosen_clients
        if not clients:
            self.notify("no client is chosen", severity="warning")
            return ()
        text = f"{verb} {counted(clients)}? {consequence}"
        return clients if await self._confirm(verb, text, yes=verb) else ()

    async def _ask(self, command: str, arguments: Mapping[str, Any]) -> bool:
        """Sends one request and shows the answer; whether it was granted."""
        work = partial(requests.ask, self.source.run_dir, self.answer_timeout_s, command, arguments)
        answer = await self._waiting_for(work)
        if answer is not None:
            self.notify(answer.text or "done", severity="information" if answer.ok else "error")
        return answer is not None and answer.ok

    async def _ask_for_each(self, command: str, clients: Sequence[str], arguments: Mapping[str, Any]) -> None:
        run_dir, timeout_s = self.source.run_dir, self.answer_timeout_s
        answers = await self._waiting_for(
            partial(requests.ask_for_each, run_dir, timeout_s, command, clients, arguments)
        )
        if answers is not None:
            granted = all(answer.ok for answer in answers.values())
            self.notify(requests.summary(answers), severity="information" if granted else "error")

    async def _waiting_for(
        self, work: Callable[[], Result], *, but_not: tuple[type[EngineError], ...] = ()
    ) -> Result | None:
        """What a function that blocks returns; None, with a notice of why, where it fails.

        Raises:
            EngineError: one of those in `but_not`.
        """
        try:
            return await in_thread(work)
        except but_not:
            raise
        except EngineError as error:
            self.notify(str(error), severity="error")
            return None
