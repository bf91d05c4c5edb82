"""Buffers in files that nobody has to clean up."""

import numpy as np
import pytest

from engine.core.weights import Layout, Tensor, Weights
from engine.errors import RunDirectoryError, TransferTooLarge
from engine.protocol.chunks import Assembler, TransferHeader, split
from engine.protocol.serialization import FrameMetadata, encode_frame, parse_frame
from engine.spill import file_allocator


def test_a_buffer_holds_what_was_written_and_its_file_has_no_name(tmp_path):
    buffer = file_allocator(tmp_path)(100_000)
    buffer[:] = 7

    assert (buffer.dtype, buffer.shape, int(buffer.sum())) == (np.uint8, (100_000,), 700_000)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_hold_it_is_named(tmp_path):
    with pytest.raises(RunDirectoryError, match="missing"):
        file_allocator(tmp_path / "missing")(10)


def test_no_room_is_an_error_now_and_not_a_signal_later(tmp_path):
    with pytest.raises(RunDirectoryError, match="no room"):
        file_allocator(tmp_path)(2**60)


def test_what_is_reserved_is_left_free(tmp_path):
    assert file_allocator(tmp_path)(10).size == 10

    with pytest.raises(RunDirectoryError, match="no room"):
        file_allocator(tmp_path, reserved_bytes=2**60)(10)


def test_a_full_disk_is_a_refused_transfer_and_not_the_end_of_its_reader(tmp_path):
    frame = encode_frame(
        FrameMetadata.of_model(Layout(()), run="run", round_number=1), np.empty(0, np.float32)
    )
    (record,) = split(frame, TransferHeader.of_frame(frame, epoch=1))
    assembler = Assembler(frame.size, budget_bytes=0, spill=file_allocator(tmp_path, reserved_bytes=2**60))

    with pytest.raises(TransferTooLarge, match="no room"):
        assembler.add(dict(record.headers), record.value, "place", 0, 0.0)


def test_the_assembler_works_on_files(tmp_path):
    layout = Layout((Tensor("w", (300_000,)),))
    weights = Weights(layout, np.arange(300_000, dtype=np.float32))
    metadata = FrameMetadata.of_model(layout, run="run", round_number=1)
    frame = encode_frame(metadata, weights.vector)
    assembler = Assembler(frame.size, budget_bytes=0, spill=file_allocator(tmp_path))

    records = split(frame, TransferHeader.of_frame(frame, epoch=1))
    transfers = [assembler.add(dict(r.headers), r.value, "place", seq, 0.0) for seq, r in enumerate(records)]

    assert transfers[0] is None
    assert parse_frame(transfers[1].frame).weights().digest() == weights.digest()
