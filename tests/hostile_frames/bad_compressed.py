"""Bytes that Zstandard refuses, or that would fill memory if they were believed."""

import struct

from engine.codecs.compression import compress_data

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
        "payload_too_large.bomb_of_1_gib_with_a_window_of_128_mib.zst": bomb(1 << 30, log_window=27),
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
