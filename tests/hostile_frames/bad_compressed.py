"""Compressed bytes that are refused, or would fill memory if they were believed: alone, and in a frame."""

import struct

import msgspec

from engine.codecs.compression import compress_data
from engine.core.weights import Layout
from tests.hostile_frames.honest import PACKED_DELTA, PACKED_LAYOUT, metadata, sealed

_MAGIC = struct.pack("<I", 0xFD2FB528)
_BLOCK_BYTES = 128 << 10
_LAST_BLOCK, _RLE_BLOCK = 1, 1 << 1
MOST_BYTES = 1 << 16
"""What the reader of these files is ready for."""


def bomb(num_bytes: int, *, states_size: bool = False, log_window: int = 17) -> bytes:
    """So many zeros, a multiple of 128 KiB, as blocks of one repeated byte (RFC 8878, section 3.1.1.2).

    Args:
        num_bytes: what comes out.
        states_size: whether the frame says how much that is.
        log_window: how much of what comes out its reader is told to keep, as a power of two.
    """
    blocks = num_bytes // _BLOCK_BYTES
    if states_size:  # single segment, eight bytes of content size
        start = _MAGIC + bytes([0b11100000]) + struct.pack("<Q", num_bytes)
    else:
        start = _MAGIC + bytes([0, log_window - 10 << 3])
    block = (_BLOCK_BYTES << 3 | _RLE_BLOCK).to_bytes(3, "little") + b"\0"
    last = (_BLOCK_BYTES << 3 | _RLE_BLOCK | _LAST_BLOCK).to_bytes(3, "little") + b"\0"
    return start + block * (blocks - 1) + last


def compressed() -> dict[str, bytes]:
    """Name of the file -> content."""
    honest = compress_data(bytes(range(256)) * 16)
    lying_size = bytearray(bomb(_BLOCK_BYTES, states_size=True))
    lying_size[5:13] = struct.pack("<Q", 1 << 12)
    return {
        "payload_too_large.bomb_of_1_gib.zst": bomb(1 << 30, states_size=True),
        "payload_too_large.bomb_of_1_gib_that_hides_its_size.zst": bomb(1 << 30),
        "payload_invalid.bomb_of_1_gib_with_a_window_of_128_mib.zst": bomb(1 << 30, log_window=27),
        "payload_too_large.one_byte_too_many.zst": compress_data(bytes(MOST_BYTES + 1)),
        "payload_too_large.absurd_size.zst": _MAGIC + bytes([0b11100000]) + b"\xfe" * 8,
        "payload_invalid.empty.zst": b"",
        "payload_invalid.no_zstandard.zst": b"PK\x03\x04" + bytes(60),
        "payload_invalid.cut_short.zst": honest[:-3],
        "payload_invalid.window_of_2_gib.zst": bomb(1 << 30, log_window=31),
        "payload_invalid.two_frames.zst": honest + honest,
        "payload_invalid.something_after_it.zst": honest + b"\0",
        "payload_invalid.more_than_it_says.zst": bytes(lying_size),
        "payload_invalid.dictionary_that_nobody_has.zst": _MAGIC + bytes([0b00100001, 7, 4]) + honest[6:],
    }


def packed_frame(*planes: bytes, lengths: tuple[int, ...] = (), layout: Layout = PACKED_LAYOUT) -> bytes:
    """An update of one block, codec `shuffle+zstd`, of these four planes.

    Args:
        planes: as they stand in the payload.
        lengths: what the payload says of theirs, where it lies.
        layout: of the run that it is meant for.
    """
    about = msgspec.json.encode(metadata(layout=layout, codec="shuffle+zstd"))
    table = struct.pack("<4I", *(lengths or map(len, planes)))
    return sealed(about, table + b"".join(planes))


def packed_frames() -> dict[str, bytes]:
    """Name of the file -> content; read in a run whose model is `PACKED_LAYOUT`."""
    size = PACKED_LAYOUT.size
    plane = bytes(size)
    short = compress_data(plane[:-1])
    half = plane[: size // 2]
    frames = {
        "payload_too_large.bomb_of_15_mib_in_a_plane": packed_frame(bomb(15 << 20), plane, plane, plane),
        "payload_too_large.plane_one_value_too_long": packed_frame(
            compress_data(bytes(size + 1)), plane, plane, plane
        ),
        "payload_too_large.not_compressed_at_all": packed_frame(plane, plane, plane, plane + b"\0"),
        "payload_size_mismatch.plane_one_value_too_short": packed_frame(short, plane, plane, plane),
        "payload_size_mismatch.no_planes": packed_frame(lengths=(size,) * 4),
        "payload_size_mismatch.lengths_beyond_the_payload": packed_frame(
            half, half, lengths=(2**32 - 1,) * 4
        ),
        "payload_size_mismatch.planes_that_nobody_counts": packed_frame(
            half, half, half, half, lengths=(1,) * 4
        ),
        "payload_size_mismatch.vector_as_it_is": sealed(
            msgspec.json.encode(metadata(layout=PACKED_LAYOUT, codec="shuffle+zstd")),
            PACKED_DELTA[: size // 2].tobytes(),
        ),
        "payload_invalid.empty_plane": packed_frame(b"", half, half, half),
        "payload_invalid.plane_no_zstandard": packed_frame(half, half, half, half),
        "payload_invalid.plane_longer_than_its_values": packed_frame(bytes(size + 8), half, half, half),
        "unknown_codec.parameter_of_a_codec": sealed(
            msgspec.json.encode(
                metadata(layout=PACKED_LAYOUT, codec="shuffle+zstd", codec_parameters={"level": 22})
            )
        ),
    }
    return {f"{name}.bin": content for name, content in frames.items()}
