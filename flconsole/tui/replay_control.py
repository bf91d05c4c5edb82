"""The actions that move through a replay."""

from collections.abc import Callable

from flconsole.player import BadPlace, Move, Player, move_to
from flconsole.text import visible
from flconsole.tui.guide import Guide
from flconsole.tui.prompt import Prompt
from flconsole.tui.replay_source import ReplaySource
from flconsole.tui.view import Source, View


class ReplayControl(Guide):
    """Mixed into the screen of a run."""

    source: Source

    def action_play(self) -> None:
        self._do(Player.toggle)

    def action_step(self) -> None:
        self._do(lambda player: player.step(1))

    def action_step_back(self) -> None:
        self._do(lambda player: player.step(-1))

    def action_round_next(self) -> None:
        self._do(lambda player: player.step_round(1))

    def action_round_previous(self) -> None:
        self._do(lambda player: player.step_round(-1))

    def action_faster(self) -> None:
        self._do(Player.faster)

    def action_slower(self) -> None:
        self._do(Player.slower)

    def action_seek(self) -> None:
        """Asks for a round, a share or a time since the start."""

        def check(text: str) -> str | None:
            move = self._move_to(text)
            return move if isinstance(move, str) else None

        def done(text: str | None) -> None:
            move = self._move_to(text)
            if isinstance(move, str):
                self.notify(move, severity="warning")
            elif move is not None:
                self._do(move)

        self.query_one(Prompt).ask("go to (12, 50%, 1:02:03)", "", changed=check, done=done)

    def _move_to(self, text: str | None) -> Move | str | None:
        """The move to a place, or why there is none; nothing where nothing was asked."""
        head = self.view.playhead
        if head is None or not text:
            return None
        try:
            return move_to(text, head.track)
        except BadPlace as error:
            return visible(str(error))

    def _do(self, move: Move) -> None:
        if isinstance(self.source, ReplaySource):
            before = self.source.view()
            self.source.do(move)
            self.look_when(lambda view: view is not before)

    def look_when(self, is_awaited: Callable[[View], bool]) -> None:
        """Draws the newest view as soon as it is the one that is awaited."""
        raise NotImplementedError
