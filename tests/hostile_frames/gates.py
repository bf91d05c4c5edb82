"""A server's gate in the middle of a run, in `sync` and in `buffered`; what honest clients send gets in."""

from typing import NamedTuple

from engine.config import MAX_TOTAL_EXAMPLES, RunConfig
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.errors import ProtocolError, UpdateRejected
from engine.protocol.serialization import Frame, parse_frame
from engine.server.closing import ClosingRule, WaitForCohort, WhenFull
from engine.server.counted import CountedUpdates
from engine.server.gate import Gate
from engine.server.history import History
from engine.server.round import Contribution, Round
from engine.telemetry import UpdateId
from tests.hostile_frames.honest import BASE, LAYOUT, OLDER_BASE, ROUND, RUN

MAX_STALENESS = 1
MAX_NORM = 10.0
EXAMPLES_OF_A_PART = 200
ROOM_IN_THE_ROUND = 150
"""Examples that the open round still takes: what is in it came from a part of unknown size."""
PARTS = {"1": 0, "2": 1}
"""Part by member; client 1 is awaited, client 2 has been heard."""


class Checkpoint(NamedTuple):
    """A gate, the open round, and who belongs."""

    gate: Gate
    current: Round

    def judge(self, frame: Frame) -> ClientUpdate:
        """What the server makes of a verified frame."""
        return self.gate.judge(frame, self.current, PARTS.get(frame.metadata.client))

    def reason(self, content: bytes) -> str | None:
        """Why a frame is refused; None if it is not."""
        try:
            self.judge(parse_frame(content))
        except (UpdateRejected, ProtocolError) as error:
            return error.reason
        return None


def open_gate(mode: str) -> Checkpoint:
    """In round `ROUND`; update (client 1, the round before, repeat 0) is in its base."""
    config = RunConfig(
        run_id=RUN,
        mode=mode,
        trainer="null",
        clients=2,
        max_update_norm=MAX_NORM,
        **({} if mode == "sync" else {"max_staleness": MAX_STALENESS}),
    )
    counted = CountedUpdates(MAX_STALENESS, {} if mode == "sync" else {"1": ((ROUND - 1, 0),)})
    history = History(bases={ROUND - 2: "cd" * 32, ROUND - 1: OLDER_BASE, ROUND: BASE})
    gate = Gate(
        config, LAYOUT, dict.fromkeys(PARTS.values(), EXAMPLES_OF_A_PART), counted=counted, history=history
    )
    rule: ClosingRule = WaitForCohort() if mode == "sync" else WhenFull(minimum=8)
    current = Round(number=ROUND, base_digest=BASE, cohort=tuple(PARTS), rule=rule)
    held = Contribution("ab" * 16, MAX_TOTAL_EXAMPLES - ROOM_IN_THE_ROUND, TrainingMetrics(), 0, "none", 0.0)
    current.contributions[UpdateId("2", ROUND)] = held
    return Checkpoint(gate, current)
