"""Reads hostile bytes as the engine does, and tells how they were refused."""

from collections.abc import Iterable
from pathlib import Path

from engine.codecs.compression import decompress_data
from engine.core.weights import Layout
from engine.errors import LayoutMismatch, ProtocolError
from engine.protocol.messages import decode_control, decode_telemetry
from engine.protocol.serialization import parse_frame
from engine.server.intake import Arrival, Intake, Refusal
from engine.transport.base import Record
from tests.hostile_frames import bad_compressed
from tests.hostile_frames.honest import LAYOUT, WIDE_LAYOUT
from tests.hostile_frames.transfer_files import decode_records

LAYOUT_MISMATCH = "layout_mismatch"


def frame_reason(content: bytes, layout: Layout = LAYOUT) -> str | None:
    """Why a frame is refused, by a client if it holds a model, else by a server; None if it is not."""
    try:
        frame = parse_frame(content, max_payload_bytes=layout.num_bytes)
        _ = frame.weights() if frame.metadata.kind == "model" else frame.update(layout)
    except LayoutMismatch:
        return LAYOUT_MISMATCH
    except ProtocolError as error:
        return error.reason
    return None


def compressed_reason(content: bytes) -> str | None:
    """Why compressed bytes are refused; None if they are not."""
    try:
        decompress_data(content, bad_compressed.MOST_BYTES)
    except ProtocolError as error:
        return error.reason
    return None


def control_reason(content: bytes) -> str | None:
    """Why a record of `control` is refused; None if it is not."""
    try:
        decode_control(content)
    except ProtocolError as error:
        return error.reason
    return None


def telemetry_reason(content: bytes) -> str | None:
    """Why a record of `telemetry` is refused; None if it is not."""
    try:
        decode_telemetry(content)
    except ProtocolError as error:
        return error.reason
    return None


def open_intake(spill_dir: Path, layout: Layout = WIDE_LAYOUT) -> Intake:
    """Of a server whose clock stands still."""
    return Intake(layout, spill_dir, lambda: 0.0)


def take(intake: Intake, records: Iterable[Record]) -> tuple[set[str], list[Arrival]]:
    """The reasons of all that was refused, and all that arrived."""
    taken = [intake.take(record) for record in records]
    reasons = {one.error.reason for one in taken if isinstance(one, Refusal)}
    return reasons, [one for one in taken if isinstance(one, Arrival)]


def transfer_reason(content: bytes, intake: Intake) -> str | None:
    """Why records are refused; None if they are not.

    Raises:
        AssertionError: for several reasons at once, or although an update arrived.
    """
    reasons, arrivals = take(intake, decode_records(content))
    assert not (reasons and arrivals), f"{reasons}, and an update arrived"
    assert len(reasons) <= 1, reasons
    return next(iter(reasons), None)
