"""Small records that are no message."""

import json
from typing import Any

_RECEIPT = {
    "type": "receipt",
    "run": "run",
    "epoch": 1,
    "round": 3,
    "client": "1",
    "transfer": "ab",
    "verdict": "",
}
_JOIN = {"type": "join", "run": "run", "client": "1", "session": "s", "host": "h", "pid": 1, "part": None}


def _wrong(message: dict[str, Any]) -> dict[str, bytes]:
    """Ways that any kind of message can be wrong."""
    text = json.dumps(message).encode()
    without = {name: {k: v for k, v in message.items() if k != name} for name in message}
    return {
        "empty": b"",
        "no_json": b"\x80\x04\x95 pickle",
        "no_utf8": text.replace(b'"run"', b'"\xff"', 1).replace(b': "run"', b': "\xff"'),
        "half_a_surrogate_pair": text.replace(b': "run"', b': "\\ud800"'),
        "array": b"[" + text + b"]",
        "null": b"null",
        "cut_short": text[:-1],
        "two_objects": text * 2,
        "nested_10000_deep": text[:-1] + b', "x": ' + b"[" * 10_000,
        "number_of_5000_digits": text[:-1]
        + b', "epoch": '
        + b"9" * 5_000
        + b', "pid": '
        + b"9" * 5_000
        + b"}",
        "no_type": json.dumps(without["type"]).encode(),
        "unknown_type": json.dumps({**message, "type": "coup"}).encode(),
        "type_as_number": json.dumps({**message, "type": 1}).encode(),
        "no_run": json.dumps(without["run"]).encode(),
        "run_as_number": json.dumps({**message, "run": 7}).encode(),
    }


def _files(ways: dict[str, bytes]) -> dict[str, bytes]:
    return {f"message_invalid.{how}.json": content for how, content in ways.items()}


CONTROL = _files(
    {
        **_wrong(_RECEIPT),
        "what_a_client_says": json.dumps(_JOIN).encode(),
        "epoch_as_text": json.dumps({**_RECEIPT, "epoch": "1"}).encode(),
        "round_of_a_fraction": json.dumps({**_RECEIPT, "round": 3.5}).encode(),
    }
)
"""Name of the file -> content."""

TELEMETRY = _files(
    {
        **_wrong(_JOIN),
        "what_the_server_says": json.dumps(_RECEIPT).encode(),
        "escape_sequence_in_the_host": json.dumps({**_JOIN, "host": "\x1b[2J"}).encode(),
        "newline_in_the_client": json.dumps({**_JOIN, "client": "1\n2"}).encode(),
        "host_too_long": json.dumps({**_JOIN, "host": "h" * 501}).encode(),
        "part_as_text": json.dumps({**_JOIN, "part": "0"}).encode(),
    }
)
"""Name of the file -> content."""
