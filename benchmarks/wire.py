"""A model of 40 MB to a frame and back, codec `none`, buffers reused, on one thread."""

import time
from collections.abc import Callable

import numpy as np

from benchmarks._rows import Row, row
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.core.weights import Layout, Tensor
from engine.protocol.chunks import Assembler, TransferHeader, split
from engine.protocol.serialization import FrameMetadata, encode_frame, max_frame_bytes, parse_frame

LAYOUT = Layout((Tensor("vector", (10_000_000,)),))
TARGET_GBPS = 1.5
REPEATS = 15


def gigabytes_per_s(action: Callable[[], object]) -> float:
    """Best of some tries: what else runs on the machine only ever adds."""
    tries = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        action()
        tries.append(time.perf_counter() - start)
    return LAYOUT.num_bytes / min(tries) / 1e9


def run() -> list[Row]:
    """Measures everything; takes a few seconds."""
    delta = np.random.default_rng(1).standard_normal(LAYOUT.size, np.float32)
    update = ClientUpdate("1", 1, "00" * 32, 1000, delta, TrainingMetrics())
    metadata = FrameMetadata.of_update(update, LAYOUT, run="benchmark")
    buffer = np.empty(max_frame_bytes(LAYOUT), np.uint8)
    frame = encode_frame(metadata, delta, buffer=buffer)
    header = TransferHeader.of_frame(frame, epoch=1)
    records = [(dict(record.headers), record.value) for record in split(frame, header)]
    target = np.empty(header.size, np.uint8)

    def assemble() -> None:
        assembler = Assembler(header.size, allocate=lambda _: target)
        for offset, (headers, value) in enumerate(records):
            assembler.add(headers, value, "place", offset, 0.0)

    return [
        row(
            "copy of the vector alone",
            gigabytes_per_s(lambda: np.copyto(target[: delta.nbytes], delta.view(np.uint8))),
            "GB/s",
        ),
        row(
            "encode and digest, 40 MB",
            gigabytes_per_s(lambda: encode_frame(metadata, delta, buffer=buffer)),
            "GB/s",
            at_least=TARGET_GBPS,
        ),
        row(
            "decode and verify, 40 MB",
            gigabytes_per_s(lambda: parse_frame(frame).vector(LAYOUT)),
            "GB/s",
            at_least=TARGET_GBPS,
        ),
        row("cut into records", gigabytes_per_s(lambda: list(split(frame, header))), "GB/s"),
        row("assemble from records", gigabytes_per_s(assemble), "GB/s"),
    ]
