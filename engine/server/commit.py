"""What makes the end of a round permanent: the checkpoint, and then the word that it is closed.

See `docs/adr/0006-the-end-of-a-round.md`.
"""

from collections.abc import Mapping

from engine import telemetry
from engine.config import RunConfig
from engine.core.weights import Weights
from engine.failpoints import reach
from engine.protocol import messages
from engine.server.checkpoint import Checkpoint, CheckpointHeader, RoundSummary
from engine.server.counted import CountedUpdates
from engine.server.message_loop import MessageLoop
from engine.server.round import Round
from engine.server.takeover import Takeover
from engine.strategies.base import StrategyState
from engine.telemetry import UpdateId


class RoundCommitter:
    """Writes checkpoints and announces what they hold.

    Args:
        config: of the run.
        takeover: where checkpoints and events go, and the epoch.
        counted: the updates that are in a model.
        loop: knows what a restarted server must read again, and says things.
    """

    def __init__(
        self, config: RunConfig, takeover: Takeover, counted: CountedUpdates, loop: MessageLoop
    ) -> None:
        self._config, self._counted, self._loop = config, counted, loop
        self._store, self._journal, self._epoch = takeover.store, takeover.journal, takeover.epoch

    def commit(
        self, closed: Round, weights: Weights, digest: str, state: StrategyState, summary: RoundSummary
    ) -> None:
        """From here on the round is over, whoever dies.

        Args:
            closed: the round, with the updates that its model is made of.
            weights: the model.
            digest: its digest.
            state: of the strategy after this round.
            summary: what is known of the round.

        Raises:
            RunDirectoryError: the checkpoint cannot be written.
        """
        self._counted.add(closed.contributions if self._config.mode != "sync" else (), closed.number)
        accepted = {c.transfer: update for update, c in closed.contributions.items()}
        header = CheckpointHeader(
            run=self._config.run_id,
            round=closed.number,
            epoch=self._epoch,
            digest=digest,
            layout=weights.layout,
            accepted=accepted,
            counted=self._counted.to_checkpoint(),
            summary=summary,
            members=self._loop.members.parts,
            incarnation=self._loop.incarnation,
            safe_offsets=self._loop.safe_offsets(),
            strategy_arrays=tuple((name, array.size) for name, array in state.items()),
        )
        reach("server.before_checkpoint", closed.number)
        self._store.write(Checkpoint(header, weights, state))
        reach("server.after_checkpoint", closed.number)
        self.say_closed(closed.number, accepted, digest)
        self._loop.note_counted(accepted)

    def say_closed(self, number: int, accepted: Mapping[str, UpdateId], digest: str) -> None:
        """Records and announces the updates of a closed round, by their transfer ids."""
        closed = telemetry.RoundClosed(
            round=number, updates=len(accepted), digest=digest, accepted=list(accepted.values())
        )
        self._journal.record(closed)
        self._loop.say(
            messages.RoundClosed(
                run=self._config.run_id,
                epoch=self._epoch,
                round=number,
                accepted=tuple(accepted),
                digest=digest,
            )
        )
        reach("server.round_closed", number)
