"""Decodes JSON that someone else wrote: whatever is wrong with it is one error."""

import json
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


def decode_unambiguous(decoder: "msgspec.json.Decoder[_Message]", data: bytes) -> _Message:
    """As `decode`; refuses an object with two fields of one name, of which each reader may take another.

    Raises:
        msgspec.DecodeError: see `decode`.
    """
    message = decode(decoder, data)
    try:
        json.loads(data, object_pairs_hook=_refuse_repeated_names)
    except (ValueError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None
    return message


def _refuse_repeated_names(fields: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for name, _ in fields:
        if name in seen:
            raise ValueError(f"the field {name!r} is there twice")
        seen.add(name)
