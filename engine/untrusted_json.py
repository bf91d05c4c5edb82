"""Decodes JSON that someone else wrote: whatever is wrong with it is one error."""

from typing import TypeVar

import msgspec

_Message = TypeVar("_Message")


def decode(decoder: "msgspec.json.Decoder[_Message]", data: bytes | memoryview) -> _Message:
    """What `decoder` makes of `data`.

    Raises:
        msgspec.DecodeError: not JSON in UTF-8, nested without end, or not of the decoder's type.
    """
    try:
        return decoder.decode(data)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None
