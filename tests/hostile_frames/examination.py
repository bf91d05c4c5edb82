"""Gives mutated input to the engine, and counts what it says of it."""

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import LayoutMismatch, ProtocolError
from engine.protocol.messages import decode_control, decode_telemetry
from engine.protocol.serialization import max_frame_bytes, parse_frame
from engine.server.intake import Arrival, Intake, Refusal
from engine.transport.base import Record
from tests.hostile_frames.honest import DELTA, WIDE_DELTA, WIDE_LAYOUT
from tests.hostile_frames.mutations import MutatedFrame, Mutator
from tests.hostile_frames.reading import LAYOUT_MISMATCH

ACCEPTED = "accepted"
UNFINISHED = "unfinished"
_HONEST_VECTORS = (WIDE_DELTA.tobytes(), DELTA.tobytes())
_LARGEST_WIDE_FRAME = max_frame_bytes(WIDE_LAYOUT)

BYTES_FOR_EACH_BYTE = 64
"""Most memory for one byte of a frame or a message: small JSON values become Python objects."""
BYTES_AT_LEAST = 1 << 16


@dataclass(slots=True)
class Tally:
    """What became of the input."""

    examined: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Reason, or `accepted`, or `unfinished` -> how often."""
    peak_bytes: int = 0
    """Most memory that reading one took at once."""
    failures: list[str] = field(default_factory=list)
    """What it must not do: another exception, another vector, too much memory, no reason."""


class WrongAnswerError(AssertionError):
    """The engine accepted what it should not have, took too much memory, or gave no reason."""


def frame_verdict(mutated: MutatedFrame) -> str:
    """What the engine says of a frame."""
    layout = mutated.layout
    try:
        frame = parse_frame(mutated.content, max_payload_bytes=layout.num_bytes)
        is_model = frame.metadata.kind == "model"
        vector = frame.weights().vector if is_model else frame.update(layout).delta
    except LayoutMismatch:
        return LAYOUT_MISMATCH
    except ProtocolError as error:
        return _reason_of(error)
    if mutated.vector is not None and vector.tobytes() != mutated.vector:
        raise WrongAnswerError("a mutated frame was accepted as another vector")
    return ACCEPTED


def message_verdict(content: bytes) -> str:
    """What the engine says of a record of `control` and of `telemetry`."""
    verdict = ACCEPTED
    decoders: tuple[Callable[[bytes], object], ...] = (decode_control, decode_telemetry)
    for decode in decoders:
        try:
            decode(content)
        except ProtocolError as error:
            verdict = _reason_of(error)
        else:
            return ACCEPTED
    return verdict


def transfer_verdicts(records: list[Record], spill_dir: Path) -> list[str]:
    """What the engine says of each record that it does not take in silence; `unfinished` if of none."""
    intake = Intake(WIDE_LAYOUT, spill_dir, lambda: 0.0)
    verdicts = []
    for record in records:
        taken = intake.take(record)
        if isinstance(taken, Refusal):
            verdicts.append(_reason_of(taken.error))
        elif isinstance(taken, Arrival):
            if bytes(taken.frame.payload) not in _HONEST_VECTORS:
                raise WrongAnswerError("a transfer arrived as another vector")
            verdicts.append(ACCEPTED)
    return verdicts or [UNFINISHED]


def examine(mutator: Mutator, count: int, spill_dir: Path) -> Mapping[str, Tally]:
    """Mutates and reads so many pieces of input: five in ten are frames, four transfers, one is a message.

    Returns:
        `frames`, `transfers`, `messages` -> what became of them.
    """
    kinds = ("frames", "transfers") * 4 + ("frames", "messages")
    tallies = {kind: Tally() for kind in kinds}
    with _traced():
        for number in range(count):
            kind = kinds[number % len(kinds)]
            most_bytes, read = _draw(mutator, kind, spill_dir)
            try:
                _examine_one(tallies[kind], most_bytes, read)
            except Exception as error:  # noqa: BLE001 - whatever comes here is what is looked for
                tallies[kind].failures.append(f"input {number}: {type(error).__name__}: {error}")
    return tallies


def _draw(mutator: Mutator, kind: str, spill_dir: Path) -> tuple[int, Callable[[], list[str]]]:
    """Most bytes that reading the next input may take, and how it is read."""
    if kind == "transfers":
        records = mutator.transfer()
        most_bytes = len(records) * _LARGEST_WIDE_FRAME  # a new buffer for each
        return most_bytes, lambda: transfer_verdicts(records, spill_dir)
    if kind == "frames":
        mutated = mutator.frame()
        return BYTES_FOR_EACH_BYTE * len(mutated.content), lambda: [frame_verdict(mutated)]
    message = mutator.message()
    return BYTES_FOR_EACH_BYTE * len(message), lambda: [message_verdict(message)]


def _examine_one(tally: Tally, most_bytes: int, read: Callable[[], list[str]]) -> None:
    peak_bytes, verdicts = _with_peak(read)
    if peak_bytes > most_bytes + BYTES_AT_LEAST:
        raise WrongAnswerError(f"{peak_bytes} bytes of memory where {most_bytes} are the most")
    tally.reasons.update(verdicts)
    tally.examined += 1
    tally.peak_bytes = max(tally.peak_bytes, peak_bytes)


def _with_peak(action: Callable[[], list[str]]) -> tuple[int, list[str]]:
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    result = action()
    return tracemalloc.get_traced_memory()[1] - before, result


@contextmanager
def _traced() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def _reason_of(error: ProtocolError) -> str:
    if not error.reason or not str(error):
        raise WrongAnswerError(f"{type(error).__name__} says nothing")
    return error.reason
