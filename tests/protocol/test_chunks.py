"""Transfers: any order, any repetition, nothing altered, nothing without bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import errors
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.core.weights import Layout, Tensor
from engine.protocol import chunks
from engine.protocol.chunks import CHUNK_BYTES, Assembler, TransferHeader, split
from engine.protocol.serialization import FrameMetadata, encode_frame, parse_frame

LAYOUT = Layout((Tensor("w", (500_000,)),))
LARGEST = 4_000_000
PLACE = ("model_updates", 1)


def an_update(client="1", round_number=1, seed=0, epoch=1):
    """Header and records of an update that takes three records."""
    delta = np.random.default_rng(seed).standard_normal(LAYOUT.size).astype(np.float32)
    update = ClientUpdate(client, round_number, "00" * 32, 10, delta, TrainingMetrics())
    metadata = FrameMetadata.of_update(update, LAYOUT, run="run")
    frame = encode_frame(metadata, delta)
    header = TransferHeader.of_frame(frame, epoch=epoch)
    return header, list(split(frame, header))


HEADER, RECORDS = an_update()


def add(assembler, record, offset=0, now=0.0, place=PLACE):
    return assembler.add(dict(record.headers), record.value, place, offset, now)


# --- headers


def test_records_fit_and_join_to_the_frame():
    assert [len(record.value) for record in RECORDS] == [
        CHUNK_BYTES,
        CHUNK_BYTES,
        HEADER.size - 2 * CHUNK_BYTES,
    ]
    assert parse_frame(b"".join(record.value for record in RECORDS)).digest[:16].hex() == HEADER.transfer


def test_headers_survive_the_record():
    for seq, record in enumerate(RECORDS):
        assert TransferHeader.from_record_headers(dict(record.headers)) == (HEADER, seq)


@pytest.mark.parametrize("value", [None, b"\xff", b"\x1b[2J", b"x" * 201])
@pytest.mark.parametrize("name", [name for name, _ in RECORDS[0].headers])
def test_a_header_that_is_missing_or_no_short_printable_text_is_refused(name, value):
    headers = {key: old for key, old in RECORDS[0].headers if key != name}
    if value is not None:
        headers[name] = value

    with pytest.raises(errors.TransferHeaderInvalid):
        TransferHeader.from_record_headers(headers)


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1.0", b"007", b"1_0", b"\xd9\xa3", b"9" * 19])
@pytest.mark.parametrize("name", ["round", "epoch", "size", "seq", "count"])
def test_a_number_that_is_not_plain_decimal_is_refused(name, value):
    with pytest.raises(errors.TransferHeaderInvalid, match=name):
        TransferHeader.from_record_headers({**dict(RECORDS[0].headers), name: value})


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": b"3"},
        {"count": b"4"},
        {"count": b"0"},
        {"size": b"51", "count": b"1", "seq": b"0"},
        {"kind": b"gradient"},
        {"kind": b"model"},
        {"transfer": b"AB" * 16},
        {"v": b"2"},
    ],
)
def test_headers_that_contradict_each_other_are_refused(changes):
    with pytest.raises(errors.TransferHeaderInvalid):
        TransferHeader.from_record_headers({**dict(RECORDS[0].headers), **changes})


@given(st.dictionaries(st.sampled_from([name for name, _ in RECORDS[0].headers]), st.binary(max_size=30)))
def test_any_headers_get_an_answer(headers):
    with pytest.raises(errors.TransferHeaderInvalid):
        TransferHeader.from_record_headers({**headers, "count": b"0"})


# --- assembling


@given(st.permutations([0, 1, 2, 0, 1, 2]))
@settings(max_examples=20)
def test_any_order_with_repeats_gives_the_frame_once(order):
    assembler = Assembler(LARGEST)
    complete = [add(assembler, RECORDS[seq], offset=40 + n, now=float(n)) for n, seq in enumerate(order)]
    (transfer,) = [c for c in complete if c is not None]

    assert parse_frame(transfer.frame).digest[:16].hex() == HEADER.transfer
    assert (transfer.header, transfer.place, transfer.first_offset, transfer.started_at) == (
        HEADER,
        PLACE,
        40,
        0.0,
    )
    assert assembler.first_offsets() == {}
    assert assembler.has_finished(HEADER.transfer)


def test_the_safe_offset_is_that_of_the_first_unfinished_record():
    assembler = Assembler(LARGEST)
    _, other = an_update(client="2")
    _, elsewhere = an_update(client="3")

    add(assembler, RECORDS[1], offset=7)
    add(assembler, RECORDS[0], offset=5)
    add(assembler, other[0], offset=6)
    add(assembler, elsewhere[0], offset=9, place=("model_updates", 2))

    assert assembler.first_offsets() == {PLACE: 5, ("model_updates", 2): 9}


def test_a_newer_transfer_of_the_same_key_evicts_the_unfinished_one():
    assembler = Assembler(LARGEST)
    _, newer = an_update(seed=1)
    add(assembler, RECORDS[0], offset=1)
    add(assembler, RECORDS[1], offset=2)

    add(assembler, newer[0], offset=3)

    assert assembler.first_offsets() == {PLACE: 3}
    assert [add(assembler, record) for record in newer[1:]][-1] is not None


def test_a_client_has_two_open_transfers_and_the_oldest_goes_first():
    assembler = Assembler(LARGEST)
    for round_number in (1, 2, 3):
        add(assembler, an_update(round_number=round_number)[1][0], offset=round_number)

    assert assembler.first_offsets() == {PLACE: 2}
    assert assembler.open_bytes <= 2 * (HEADER.size + 1)


def test_a_transfer_that_stands_still_expires():
    assembler = Assembler(LARGEST, expiry_s=60)
    add(assembler, RECORDS[0], now=0)
    add(assembler, RECORDS[1], now=30)
    add(assembler, RECORDS[1], now=80)

    assert assembler.expire(now=89) == []
    assert assembler.expire(now=90) == [HEADER]
    assert assembler.first_offsets() == {}


def test_clearing_forgets_what_was_finished_too():
    assembler = Assembler(LARGEST)
    for record in RECORDS:
        add(assembler, record)
    assembler.clear()

    assert [add(assembler, record) for record in RECORDS][-1] is not None


def test_a_finished_transfer_can_be_sent_again_once_it_is_forgotten():
    assembler = Assembler(LARGEST)
    for record in RECORDS:
        add(assembler, record)
    assert [add(assembler, record) for record in RECORDS] == [None] * 3
    assembler.forget(HEADER.transfer)

    assert [add(assembler, record) for record in RECORDS][-1] is not None


def test_memory_of_finished_transfers_is_bounded(monkeypatch):
    monkeypatch.setattr(chunks, "REMEMBERED_TRANSFERS", 2)
    assembler = Assembler(LARGEST)
    transfers = [an_update(client=str(client)) for client in range(3)]
    for _, records in transfers:
        for record in records:
            add(assembler, record)

    assert [assembler.has_finished(header.transfer) for header, _ in transfers] == [False, True, True]


def test_the_same_frame_under_another_epoch_is_the_same_transfer():
    assembler = Assembler(LARGEST)
    _, repeated = an_update(epoch=2)
    add(assembler, RECORDS[0])

    assert [add(assembler, record) for record in repeated[1:]][-1] is not None


# --- refusals


def never_allocate(size):
    raise AssertionError(f"{size} bytes were allocated")


def test_a_frame_larger_than_any_of_the_run_is_refused_unallocated():
    assembler = Assembler(HEADER.size - 1, allocate=never_allocate)

    with pytest.raises(errors.TransferTooLarge):
        add(assembler, RECORDS[0])


@pytest.mark.parametrize("value", [b"", RECORDS[0].value[:-1], RECORDS[0].value + b"x"])
def test_a_chunk_of_the_wrong_length_is_refused_unallocated(value):
    assembler = Assembler(LARGEST, allocate=never_allocate)

    with pytest.raises(errors.ChunkSizeMismatch):
        add(assembler, RECORDS[0]._replace(value=value))


@pytest.mark.parametrize(
    ("name", "value"), [("client", b"2"), ("round", b"2"), ("run", b"x"), ("codec", b"x")]
)
def test_records_that_disagree_about_their_transfer_are_refused(name, value):
    assembler = Assembler(LARGEST)
    add(assembler, RECORDS[0])
    changed = RECORDS[1]._replace(headers=[*RECORDS[1].headers, (name, value)])

    with pytest.raises(errors.TransferConflict):
        add(assembler, changed)
    with pytest.raises(errors.TransferConflict):
        add(assembler, RECORDS[1], place=("model_updates", 0))
    assert [add(assembler, record) for record in RECORDS[1:]][-1] is not None


def test_a_transfer_whose_end_is_not_its_id_is_dropped_and_may_come_again():
    assembler = Assembler(LARGEST)
    altered = RECORDS[2]._replace(value=RECORDS[2].value[:-32] + bytes(32))
    add(assembler, RECORDS[0])
    add(assembler, RECORDS[1])

    with pytest.raises(errors.TransferDigestMismatch):
        add(assembler, altered)
    assert assembler.first_offsets() == {}
    assert [add(assembler, record) for record in RECORDS][-1] is not None


def test_beyond_the_budget_a_transfer_is_refused():
    assembler = Assembler(LARGEST, HEADER.size)
    add(assembler, RECORDS[0])

    with pytest.raises(errors.TransferTooLarge):
        add(assembler, an_update(client="2")[1][0])


def test_beyond_the_budget_a_transfer_is_spilled_where_there_is_a_place():
    spilled = []

    def spill(size):
        spilled.append(size)
        return np.empty(size, np.uint8)

    assembler = Assembler(LARGEST, HEADER.size, spill=spill)
    other, records = an_update(client="2")
    add(assembler, RECORDS[0])
    add(assembler, records[0])

    assert spilled == [other.size]
    assert assembler.open_bytes == HEADER.size
    assert [add(assembler, record) for record in records[1:]][-1] is not None


def test_the_number_of_open_transfers_is_bounded(monkeypatch):
    monkeypatch.setattr(chunks, "MAX_OPEN_TRANSFERS", 1)
    assembler = Assembler(LARGEST)
    add(assembler, RECORDS[0])

    with pytest.raises(errors.TransferTooLarge, match="open"):
        add(assembler, an_update(client="2")[1][0])
