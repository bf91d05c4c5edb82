"""An update is kept until its round is closed and sent until the server holds it."""

import dataclasses

import numpy as np
import pytest

from engine.client.outbox import DAMAGE_PAUSE_S, FIRST_PATIENCE_S, LONGEST_PATIENCE_S, Outbox
from engine.errors import BrokerReset
from engine.protocol.chunks import TRAIN_SECONDS_HEADER, TransferHeader
from engine.protocol.serialization import parse_frame
from engine.transport.base import MODEL_UPDATES, place_of
from engine.transport.memory import MemoryBroker, MemoryTransport


@pytest.fixture
def broker():
    return MemoryBroker()


@pytest.fixture
def transport(broker):
    transport = MemoryTransport(broker)
    transport.create_topics()
    return transport


@pytest.fixture
def outbox(transport, clock):
    return Outbox(client="1", run="run", codec="shuffle+zstd", transport=transport, clock=clock)


@pytest.fixture
def sent(broker):
    """Records in the client's partition, oldest first."""

    def records():
        return broker.logs[place_of(MODEL_UPDATES, "1")]

    return records


@pytest.fixture
def put(outbox, update, layout, transport):
    def put_and_flush(**changes):
        outbox.put(dataclasses.replace(update, **changes), layout, 1, 2.5)
        transport.flush(0.0)

    return put_and_flush


def transfer_of(record):
    return TransferHeader.from_record_headers(record.headers)[0].transfer


def test_what_is_put_is_sent_at_once_with_its_training_time_beside(put, sent):
    put()

    (record,) = sent()
    assert record.headers[TRAIN_SECONDS_HEADER] == b"2.500000"


def test_without_a_receipt_it_is_sent_again_ever_more_rarely(outbox, put, sent, transport, clock):
    put()
    waits = []
    for _ in range(7):
        count, waited = len(sent()), 0
        while len(sent()) == count:
            clock.advance(1)
            waited += 1
            outbox.send_due()
            transport.flush(0.0)
        waits.append(waited)

    assert waits == [10, 20, 40, 80, 120, 120, 120]
    assert (FIRST_PATIENCE_S, LONGEST_PATIENCE_S) == (10, 120)
    assert len({transfer_of(record) for record in sent()}) == 1


@pytest.mark.parametrize("verdict", ["held", "duplicate"])
def test_what_is_held_is_kept_and_not_sent_again(outbox, put, sent, clock, verdict):
    put()
    refused = outbox.note_receipt(transfer_of(sent()[0]), verdict)
    clock.advance(1e6)
    outbox.send_due()

    assert not refused
    assert len(sent()) == 1
    assert outbox.has(1, "ab" * 32)


def test_what_is_held_can_be_sent_again_when_the_server_has_lost_it(outbox, put, sent, transport, clock):
    put()
    outbox.note_receipt(transfer_of(sent()[0]), "held")
    outbox.send_again()
    transport.flush(0.0)
    assert len(sent()) == 2

    clock.advance(FIRST_PATIENCE_S)
    outbox.send_due()
    assert len(sent()) == 3


def test_what_is_refused_is_forgotten(outbox, put, sent, clock):
    put()
    assert outbox.note_receipt(transfer_of(sent()[0]), "not_finite")
    clock.advance(1e6)
    outbox.send_due()
    outbox.send_again()

    assert len(sent()) == 1
    assert not outbox.has(1, "ab" * 32)


def test_what_was_damaged_on_its_way_is_kept_and_sent_again_soon(outbox, put, sent, clock):
    put()
    assert not outbox.note_receipt(transfer_of(sent()[0]), "digest_mismatch")
    outbox.send_due()
    assert len(sent()) == 1

    clock.advance(DAMAGE_PAUSE_S)
    outbox.send_due()
    assert len(sent()) == 2


def test_what_is_damaged_time_and_again_is_sent_ever_more_rarely(outbox, put, sent, transport, clock):
    put()
    waits = []
    for _ in range(9):
        outbox.note_receipt(transfer_of(sent()[0]), "digest_mismatch")
        count, waited = len(sent()), 0
        while len(sent()) == count:
            clock.advance(1)
            waited += 1
            outbox.send_due()
            transport.flush(0.0)
        waits.append(waited)

    assert waits == [1, 2, 4, 8, 16, 32, 64, 120, 120]


def noise(size):
    return np.random.default_rng(1).integers(0, 2**32, size, np.uint32).view(np.float32)


@pytest.mark.parametrize(("values", "used"), [(np.ones, "shuffle+zstd"), (noise, "none")])
def test_headers_and_frame_say_the_codec_that_was_used(put, sent, layout, values, used):
    delta = values(layout.size).astype(np.float32)
    put(delta=delta)

    header, _ = TransferHeader.from_record_headers(sent()[0].headers)
    frame = parse_frame(sent()[0].value)
    assert header.codec == frame.metadata.codec == used
    assert frame.update(layout).delta.tobytes() == delta.tobytes()


def test_a_receipt_for_another_transfer_changes_nothing(outbox, put):
    put()

    assert not outbox.note_receipt("cd" * 16, "not_finite")
    assert outbox.has(1, "ab" * 32)


def test_a_closed_round_frees_what_it_had(outbox, put):
    put(round=3)
    outbox.forget_until(2)
    assert outbox.has(3, "ab" * 32)
    outbox.forget_until(3)
    assert not outbox.has(3, "ab" * 32)


def test_it_is_another_update_from_another_base(outbox, put):
    put()

    assert not outbox.has(1, "cd" * 32)
    assert not outbox.has(2, "ab" * 32)


def test_what_the_broker_did_not_take_is_sent_again_without_waiting(outbox, put, broker, sent, transport):
    broker.restart()
    put()
    with pytest.raises(BrokerReset):
        transport.poll(0.0)
    transport.create_topics()
    assert sent() == []
    outbox.send_due()

    assert len(sent()) == 1


def test_what_is_still_on_its_way_is_not_repeated_and_time_counts_from_its_arrival(
    outbox, put, broker, sent, clock
):
    transport = outbox._transport
    broker.logs.clear()  # no topic takes it yet
    put()
    clock.advance(1000)
    outbox.send_due()
    transport.create_topics()
    transport.flush(0.0)
    assert len(sent()) == 1

    clock.advance(FIRST_PATIENCE_S - 1)
    outbox.send_due()
    assert len(sent()) == 1
    clock.advance(1)
    outbox.send_due()
    assert len(sent()) == 2


def test_the_next_update_uses_the_memory_of_the_one_before(outbox, put, sent, transport):
    put()
    first = outbox._parcels[0].frame.base
    put(round=2)

    assert outbox._parcels[0].frame.base is first
    assert len({transfer_of(record) for record in sent()}) == 2
    outbox.send_again()
    transport.flush(0.0)
    assert sent()[2].value == sent()[1].value
