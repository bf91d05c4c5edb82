"""Events are read with tolerance, and `docs/events.md` says of each of their fields what it is."""

import re
import types
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import pytest

from engine import telemetry
from engine.telemetry import AnyEvent, ClientBack, decode_line

SPECIFICATION = Path(__file__).parents[1] / "docs" / "events.md"
ENVELOPE = {"v": 1, "ts": 1.5, "run": "r", "origin": "server", "incarnation": 1, "seq": 1}


def line(**fields):
    return msgspec.json.encode({**ENVELOPE, **fields})


def test_an_unknown_field_is_ignored():
    _, event = decode_line(line(type="client_back", client="1", away_s=2.0, mood="good"))

    assert event == ClientBack(client="1", away_s=2.0)


def test_an_unknown_type_has_an_envelope_and_no_event():
    envelope, event = decode_line(line(type="client_danced", client="1"))

    assert (envelope.type, event) == ("client_danced", None)


def test_a_known_type_whose_fields_are_wrong_is_no_event():
    assert decode_line(line(type="client_back", client=7))[1] is None


@pytest.mark.parametrize(
    "torn",
    [
        b"",
        b"{",
        b'{"v":1}',
        b"[]",
        line(type="\xff").replace(b"\xc3", b""),
        b'{"v":' + b"[" * 100_000,
        line(type="client_back", client="1")[:-1],
    ],
)
def test_a_torn_line_is_an_error(torn):
    with pytest.raises(msgspec.DecodeError):
        decode_line(torn)


def test_an_event_never_changes():
    with pytest.raises(AttributeError):
        ClientBack(client="1").client = "2"


# --- the specification


PIECES = {
    telemetry.UpdateId: "update id",
    telemetry.ProcessSample: "process sample",
    telemetry.ClientSample: "client sample",
    telemetry.DeadLetter: "dead letter",
}
"""What events are made of, and how the specification calls it."""


def json_type(annotation):
    """The name that `docs/events.md` has for a Python type."""
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is types.UnionType:
        return " or ".join(map(json_type, members))
    if origin in (list, dict):
        element = json_type(members[-1])
        is_union = get_origin(members[-1]) is types.UnionType
        return f"{'array' if origin is list else 'object'} of {f'({element})' if is_union else element}"
    names = {str: "string", int: "integer", float: "number", bool: "boolean", Any: "any", type(None): "null"}
    return {**names, bytes: "string", **PIECES}[annotation]


def specified():
    """The tables of the specification: heading -> {field: type}; an event without fields has no table."""
    tables, events = {}, set()
    for line in SPECIFICATION.read_text().splitlines():
        if heading := re.fullmatch(r"#+ (`?)([\w. ]+?)`?", line):
            fields = tables[heading[2]] = {}
            events |= {heading[2]} if heading[1] else set()
        elif row := re.fullmatch(r"\| `(\w+)` \| ([\w ()]+) \| (.+) \|", line):
            fields[row[1]] = row[2]
    return {heading: fields for heading, fields in tables.items() if fields or heading in events}


def declared():
    structs = {event.__struct_config__.tag: event for event in get_args(AnyEvent)}
    structs |= {"The envelope": telemetry.Envelope} | {name: struct for struct, name in PIECES.items()}
    return {
        name: {field.name: json_type(field.type) for field in msgspec.structs.fields(struct)}
        for name, struct in structs.items()
    }


@pytest.mark.parametrize("name", declared())
def test_the_specification_says_of_every_field_what_it_is(name):
    assert specified()[name] == declared()[name]


def test_the_specification_has_no_type_that_is_not_there():
    assert specified().keys() == declared().keys()
