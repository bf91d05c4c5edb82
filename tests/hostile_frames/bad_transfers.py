"""Sequences of records that do not become an update."""

import numpy as np

from engine.server.intake import UPDATE_PLACES
from engine.transport.base import Record
from tests.hostile_frames.honest import DELTA, LAYOUT, records
from tests.hostile_frames.transfer_files import encode_records


def _with(record: Record, **headers: bytes | None) -> Record:
    """The record with other headers; None takes one away."""
    changed = {**record.headers, **headers}
    return record._replace(headers={name: value for name, value in changed.items() if value is not None})


def _headers() -> dict[str, list[Record]]:
    """Headers that make no sense by themselves."""
    first, _ = records()
    cases: dict[str, Record] = {f"no_{name}": _with(first, **{name: None}) for name in first.headers}
    cases |= {
        "another_version": _with(first, v=b"2"),
        "unknown_kind": _with(first, kind=b"gradient"),
        "model_from_a_client": _with(first, kind=b"model"),
        "update_from_nobody": _with(first, client=b""),
        "seq_beyond_count": _with(first, seq=b"2"),
        "seq_below_zero": _with(first, seq=b"-1"),
        "seq_no_number": _with(first, seq=b"first"),
        "seq_in_another_script": _with(first, seq="\N{ARABIC-INDIC DIGIT ONE}".encode()),
        "seq_with_a_leading_zero": _with(first, seq=b"00"),
        "round_of_19_digits": _with(first, round=b"9" * 19),
        "count_against_size": _with(first, count=b"3"),
        "count_zero": _with(first, count=b"0"),
        "size_below_any_frame": _with(first, size=b"51", count=b"1"),
        "transfer_no_digest": _with(first, transfer=b"AB" * 16),
        "transfer_too_short": _with(first, transfer=b"ab"),
        "client_no_utf8": _with(first, client=b"\xff"),
        "client_with_an_escape_sequence": _with(first, client=b"\x1b[2J"),
        "client_too_long": _with(first, client=b"1" * 201),
    }
    return {f"transfer_header_invalid.{how}": [record] for how, record in cases.items()}


def _sizes() -> dict[str, list[Record]]:
    """Claims about sizes."""
    first, last = records()
    huge = 10**15
    return {
        "transfer_too_large.one_petabyte": [
            _with(first, size=b"%d" % huge, count=b"%d" % -(-huge // 900_000))
        ],
        "transfer_too_large.largest_number": [
            _with(first, size=b"9" * 18, count=b"%d" % -(-(10**18 - 1) // 900_000))
        ],
        "transfer_too_large.8_gib_of_metadata": [_with(first, size=b"%d" % (8 << 30), count=b"9545")],
        "chunk_size_mismatch.empty": [first._replace(value=b"")],
        "chunk_size_mismatch.one_byte_too_few": [first._replace(value=first.value[:-1])],
        "chunk_size_mismatch.one_byte_too_many": [last._replace(value=last.value + b"\0")],
        "chunk_size_mismatch.first_in_place_of_last": [_with(first, seq=b"1")],
    }


def _conflicts() -> dict[str, list[Record]]:
    """Records that belong together and disagree."""
    first, last = records()
    cases = {
        "another_client": _with(last, client=b"2"),
        "another_round": _with(last, round=b"4"),
        "another_run": _with(last, run=b"other"),
        "another_codec": _with(last, codec=b"gzip"),
        "another_size": _with(last, size=b"%d" % (int(last.headers["size"]) + 1))._replace(
            value=last.value + b"\0"
        ),
        "another_partition": last._replace(place=UPDATE_PLACES[1]),
    }
    return {f"transfer_conflict.{how}": [first, record] for how, record in cases.items()}


def _wholes() -> dict[str, list[Record]]:
    """Complete, and not what they say they are."""
    first, last = records()
    cut_digest = last._replace(value=last.value[:-32] + bytes(32))
    in_the_name_of_another = [_with(record, client=b"2") for record in records()]
    in_another_round = [_with(record, round=b"4") for record in records()]
    altered = first._replace(value=first.value[:-1] + b"\1")
    return {
        "transfer_digest_mismatch.end_of_zeros": [first, cut_digest],
        "transfer_digest_mismatch.another_id": [_with(r, transfer=b"ab" * 16) for r in (first, last)],
        "transfer_conflict.frame_of_another_client": in_the_name_of_another,
        "transfer_conflict.frame_of_another_round": in_another_round,
        "digest_mismatch.altered_on_its_way": [altered, last],
        "digest_mismatch.altered_and_out_of_order": [last, last, altered],
        "payload_too_large.more_than_the_model": records(layout=LAYOUT, delta=np.zeros(240_000, np.float32)),
    }


def _in_one_record() -> dict[str, list[Record]]:
    """Frames that are wrong and whole."""
    (honest,) = records(layout=LAYOUT, delta=DELTA)
    no_frame = b"PK\x03\x04" + honest.value[4:]
    return {"bad_magic.in_a_transfer": [honest._replace(value=no_frame)]}


def transfers() -> dict[str, bytes]:
    """Name of the file -> content."""
    groups = (_headers(), _sizes(), _conflicts(), _wholes(), _in_one_record())
    return {f"{name}.json": encode_records(case) for group in groups for name, case in group.items()}
