"""The action that shows why something failed."""

# ruff: noqa: PLC0415  # a dialog is imported when it is opened

from functools import partial

from textual import work

from engine.errors import EngineError
from flconsole.failures import find_failure, suspects
from flconsole.tui.background import in_thread
from flconsole.tui.guide import Guide


class Failures(Guide):
    """Mixed into the screen of a run."""

    @work
    async def action_traceback(self) -> None:
        """Of the entry or the client at the cursor, where it has failed, else of the newest failure."""
        from flconsole.tui.dialogs.traceback import TracebackDialog
        from flconsole.tui.panes.clients import ClientsPane
        from flconsole.tui.panes.timeline import TimelinePane

        entry, process = None, None
        if self.active_pane == "timeline":
            entry = self.query_one(TimelinePane).chosen
        elif self.active_pane == "clients":
            chosen = map(self.view.snapshot.state.process_of, self.query_one(ClientsPane).chosen)
            process = next((process.name for process in chosen if process is not None), None)
        among = suspects(self.view.snapshot, entry=entry, process=process)
        try:
            found = await in_thread(partial(find_failure, self.view.run_dir, among))
        except EngineError as error:
            self.notify(str(error), severity="error")
            return
        if found is None:
            self.notify("nothing has failed")
            return
        await self.app.push_screen_wait(TracebackDialog(*found))
