"""Checkpoints: written whole or not at all, verified when read, the last three and the best kept.

    magic "FLC1" | header length u32 | header (JSON) | model | strategy arrays | BLAKE3-256 of all before it

Little-endian; the arrays are float32, one after the other, in the header's order.
"""

import os
import re
import shutil
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from engine.core.weights import Layout, Vector, Weights
from engine.errors import CheckpointError, RunDirectoryError
from engine.failpoints import reach
from engine.telemetry import SecondsByPart, UpdateId

_MAGIC = b"FLC1"
_DIGEST_BYTES = 32
_PREFIX = struct.Struct("<4sI")
_MAX_HEADER_BYTES = 1 << 26
_NAME = re.compile(r"round-(\d{6,})\.ckpt")
KEPT = 3
Bytes = NDArray[np.uint8]


class RoundSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What `round_finished` will say, as far as it is known before evaluation."""

    updates: int = 0
    examples: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    seconds: float | None = None
    parts: SecondsByPart = {}
    similarity: list[list[float | None]] | None = None
    similarity_clients: list[str] = []


class CheckpointHeader(msgspec.Struct, frozen=True, kw_only=True):
    """Everything but the numbers of the model."""

    run: str
    round: int
    """Rounds in the model: 0 for the initial one."""
    epoch: int
    digest: str
    """Digest of the weights."""
    layout: Layout
    accepted: Mapping[str, UpdateId]
    """Transfer id (hex) -> the update, of those that the round has brought into the model."""
    summary: RoundSummary
    members: dict[str, int]
    """Client -> part, of those that make up the next round's cohort."""
    incarnation: str
    """The broker's identity; with another one, reading starts at offset 0."""
    safe_offsets: dict[str, int]
    """Partition of `model_updates` -> first record of any transfer not yet aggregated."""
    counted: Mapping[str, tuple[tuple[int, int], ...]] = {}
    """With `timed` and `buffered`, the updates that must not be counted again: client -> (round, repeat)."""
    strategy_arrays: tuple[tuple[str, int], ...] = ()
    """Name and length of each array of the strategy's state."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a run after a round."""

    header: CheckpointHeader
    weights: Weights
    strategy_state: Mapping[str, Vector]


class CheckpointStore:
    """The checkpoints of one run directory.

    Args:
        folder: `checkpoints/` of the run directory; made if it is not there.

    Raises:
        RunDirectoryError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(f"{folder}: {error.strerror}") from error

    def write(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint durably: temporary file, fsync, rename, fsync of the folder.

        Raises:
            RunDirectoryError: the disk is full or the folder cannot be written; no half-made file is left.
        """
        final = self._path(checkpoint.header.round)
        temporary = final.with_suffix(".tmp")
        try:
            with temporary.open("wb") as file:
                _write(file, checkpoint)
                file.flush()
                os.fsync(file.fileno())
            reach("server.checkpoint_written", checkpoint.header.round)
            temporary.replace(final)
            _sync_folder(self._folder)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise RunDirectoryError(f"{final}: cannot write the checkpoint: {error.strerror}") from error

    def newest(self) -> Checkpoint | None:
        """The highest checkpoint that verifies; None if there is no checkpoint file at all.

        Raises:
            CheckpointError: there are files, and none of them verifies.
        """
        problems = []
        for number in sorted(self.rounds(), reverse=True):
            try:
                return read_checkpoint(self._path(number))
            except CheckpointError as error:
                problems.append(str(error))
        if problems:
            raise CheckpointError("; ".join(problems))
        return None

    def rounds(self) -> list[int]:
        """The rounds that have a checkpoint file."""
        matches = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return [int(match.group(1)) for match in matches if match]

    def prune(self, best_round: int | None) -> None:
        """Removes all but the last three and the best."""
        for number in sorted(self.rounds())[:-KEPT]:
            if number != best_round:
                self._path(number).unlink(missing_ok=True)

    def save(self) -> Path | None:
        """Keeps the newest checkpoint for good, under a name that is neither pruned nor resumed from.

        Returns:
            The saved file: the same bytes on the disk, or a copy where a file cannot have two names. None if
            there is no checkpoint.

        Raises:
            RunDirectoryError: the disk is full or the folder cannot be written; no half-made file is left.
        """
        try:
            newest = max(self.rounds(), default=None)
            return None if newest is None else self._save(self._path(newest))
        except OSError as error:
            raise RunDirectoryError(f"{self._folder}: cannot save a checkpoint: {error.strerror}") from error

    def _save(self, source: Path) -> Path:
        saved = source.with_name(f"saved-{source.name}")
        temporary = saved.with_suffix(".tmp")
        if saved.exists() and saved.samefile(source):
            return saved
        try:
            _link_or_copy(source, temporary)
            temporary.replace(saved)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(self._folder)
        return saved

    def _path(self, round_number: int) -> Path:
        return self._folder / f"round-{round_number:06d}.ckpt"


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads and verifies one checkpoint file.

    Raises:
        CheckpointError: torn, altered, or not a checkpoint; names the file.
    """
    try:
        header, body = _parse(np.fromfile(path, np.uint8))
        values = _arrays(header, body)
        names = [name for name, _ in header.strategy_arrays]
        return Checkpoint(
            header, Weights(header.layout, values[0]), dict(zip(names, values[1:], strict=True))
        )
    except (OSError, struct.error, msgspec.DecodeError, CheckpointError) as error:
        raise CheckpointError(f"{path}: {error}") from None


def _parse(content: Bytes) -> tuple[CheckpointHeader, Bytes]:
    magic, header_length = _PREFIX.unpack(content[: _PREFIX.size].tobytes())
    start = _PREFIX.size + header_length
    if magic != _MAGIC or header_length > _MAX_HEADER_BYTES or start + _DIGEST_BYTES > content.size:
        raise CheckpointError("not a checkpoint, or cut short")
    if blake3(content[:-_DIGEST_BYTES].data).digest() != content[-_DIGEST_BYTES:].tobytes():
        raise CheckpointError("its digest does not match its content")
    header = msgspec.json.decode(content[_PREFIX.size : start].tobytes(), type=CheckpointHeader)
    return header, content[start:-_DIGEST_BYTES].copy()  # aligned, which the file's bytes need not be


def _arrays(header: CheckpointHeader, body: Bytes) -> list[Vector]:
    """The model's vector, then the strategy's arrays."""
    lengths = [header.layout.size, *(length for _, length in header.strategy_arrays)]
    if body.nbytes != 4 * sum(lengths):
        raise CheckpointError("its arrays have another size than its header says")
    return np.split(body.view(np.float32), np.cumsum(lengths)[:-1])


def _write(file: BinaryIO, checkpoint: Checkpoint) -> None:
    header = msgspec.json.encode(checkpoint.header)
    arrays = [checkpoint.weights.vector, *checkpoint.strategy_state.values()]
    pieces: list[bytes | memoryview] = [_PREFIX.pack(_MAGIC, len(header)), header]
    pieces += [array.data.cast("B") for array in arrays]
    hasher = blake3()
    for piece in pieces:
        hasher.update(piece)
        file.write(piece)
    file.write(hasher.digest())


def _link_or_copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # not on this file system; where it is for want of room, copying says so
        with source.open("rb") as original, target.open("wb") as copy:
            shutil.copyfileobj(original, copy)
            copy.flush()
            os.fsync(copy.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def next_epoch(path: Path, *known: int) -> int:
    """One more than any epoch seen, made durable in `path` before it is returned.

    Raises:
        RunDirectoryError: the file cannot be written.
    """
    try:
        stored = int(path.read_text()) if path.exists() else 0
        epoch = max((stored, *known)) + 1
        temporary = path.with_suffix(".tmp")
        with temporary.open("w") as file:
            file.write(f"{epoch}\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except (OSError, ValueError) as error:
        raise RunDirectoryError(f"{path}: {error}") from error
    return epoch
