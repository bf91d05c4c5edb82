"""What can be done now, and how to find it: refusals with their reason, the help, the palette."""

# ruff: noqa: PLC0415  # a dialog is imported when it is opened

from textual import work
from textual.widget import Widget

from flconsole.tui.actions import ACTIONS, Action, Place, why_not
from flconsole.tui.keys import Keys
from flconsole.tui.view import View

_BY_METHOD = {action.method: action for action in ACTIONS}
_NOT_OF_A_PANE = (Place.EVERYWHERE, Place.REPLAY)


class Guide(Widget):
    """Mixed into the screen of a run."""

    view: View
    read_only: bool
    keys: Keys
    active_pane: str
    """The pane whose keys work."""

    def why_not(self, action: Action) -> str:
        """Why an action cannot be done now; empty where it can."""
        return why_not(action, self.view.liveness, read_only=self.read_only)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Hides what makes no sense for this run, and greys what `--read-only` forbids."""
        known = _BY_METHOD.get(action)
        if known is None or not self.why_not(known):
            return True
        return None if self.view.liveness in known.when else False

    def refuse(self, key: str) -> None:
        """Says why a key that nobody took does nothing, where that is so."""
        places = (*_NOT_OF_A_PANE, self.active_pane)
        meant = [a for a in ACTIONS if a.place in places and key in self.keys.of(a)]
        if meant and all(map(self.why_not, meant)):
            action = next((a for a in meant if self.view.liveness in a.when), meant[0])
            self.notify(f"{action.title}: {self.why_not(action)}", severity="warning")

    def action_help(self) -> None:
        from flconsole.tui.dialogs.help import Help

        self.app.push_screen(Help(self.keys))

    @work
    async def action_palette(self) -> None:
        from flconsole.tui.palette import Palette

        action = await self.app.push_screen_wait(Palette(self.keys, self.why_not))
        if action is None:
            return
        if reason := self.why_not(action):
            self.notify(f"{action.title}: {reason}", severity="warning")
            return
        await self.do(action)

    async def do(self, action: Action) -> None:
        """Does an action as if its key had been pressed where it works."""
        owner: Widget = self
        if action.place not in _NOT_OF_A_PANE:
            self.activate(action.place)
            owner = self if action.changes else self.pane(action.place)
        await self.app.run_action(action.method, owner)

    def activate(self, name: str) -> None:
        """Gives a pane the focus."""
        raise NotImplementedError

    def pane(self, name: str) -> Widget:
        raise NotImplementedError
