"""Zstandard, bounded: what comes out is never larger than the reader has agreed to."""

from collections.abc import Mapping

from backports import zstd

from engine.errors import PayloadInvalid, PayloadTooLarge

_PARAMETER = zstd.CompressionParameter
_FAST: Mapping[int, int] = {_PARAMETER.compression_level: 1}
"""Levels above 1 are slower and, on the bytes of floats, hardly smaller."""
_FAST_ON_NOISE: Mapping[int, int] = {**_FAST, _PARAMETER.min_match: 7}
"""Short repetitions are chance in noise: to pass them over is quicker, and smaller too."""
_BOUNDED: Mapping[int, int] = {zstd.DecompressionParameter.window_log_max: 23}
"""A frame that asks its reader to remember more than 8 MiB is refused, as RFC 8878 advises (3.1.1.1.2)."""


def compress_data(data: bytes | memoryview, *, is_noise: bool = False) -> bytes:
    """Compresses into one Zstandard frame that states its decompressed size.

    Args:
        data: anything.
        is_noise: whether some values are more frequent than others in it, and little else repeats.
    """
    return zstd.compress(data, options=_FAST_ON_NOISE if is_noise else _FAST)


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
