"""Zstandard, bounded: what comes out is never larger than the reader has agreed to."""

from collections.abc import Mapping

from backports import zstd

from engine.errors import PayloadInvalid, PayloadTooLarge

_LEVEL = 1
"""Levels above 1 are slower and, on the bytes of floats, hardly smaller."""
_BOUNDED: Mapping[int, int] = {zstd.DecompressionParameter.window_log_max: 23}
"""A frame that asks its reader to remember more than 8 MiB is refused, as RFC 8878 advises (3.1.1.1.2)."""


def compress_data(data: bytes | memoryview) -> bytes:
    """Compresses into one Zstandard frame that states its decompressed size."""
    return zstd.compress(data, _LEVEL)


def decompress_data(data: bytes | memoryview, max_bytes: int) -> bytes:
    """Decompresses one Zstandard frame of at most `max_bytes` decompressed bytes.

    The size that a frame states is not believed, only used to refuse early.

    Raises:
        PayloadTooLarge: more than `max_bytes` would come out.
        PayloadInvalid: not one whole Zstandard frame.
    """
    decompressor = zstd.ZstdDecompressor(options=_BOUNDED)
    try:
        stated = zstd.get_frame_info(data).decompressed_size
        if stated is not None and stated > max_bytes:
            raise PayloadTooLarge(f"{len(data)} bytes unpack to {stated}; the most is {max_bytes}")
        # One byte more than allowed tells a frame that is too large from one that just fits.
        result = decompressor.decompress(data, max_length=max_bytes + 1)
    except zstd.ZstdError as error:
        raise PayloadInvalid(f"{len(data)} bytes are not Zstandard: {error}") from None
    if len(result) > max_bytes:
        raise PayloadTooLarge(f"{len(data)} bytes unpack to more than {max_bytes}")
    if not decompressor.eof or decompressor.unused_data:
        raise PayloadInvalid(f"{len(data)} bytes are not one whole Zstandard frame")
    return result
