"""What the server says, in which order, and what it says again."""

import numpy as np
import pytest

from engine.core.weights import Weights
from engine.errors import BrokerReset
from engine.protocol import messages
from engine.protocol.chunks import TransferHeader
from engine.protocol.serialization import parse_frame
from engine.server.dead_letters import HEAD_BYTES
from engine.server.server_channel import ServerChannel
from engine.training.layouts import get_random_weights
from engine.transport.base import CONTROL, DEAD_LETTER, GLOBAL_MODEL, MODEL_UPDATES, Place
from engine.transport.memory import MemoryBroker, MemoryTransport

EPOCH = 4
STARTED = messages.EpochStarted(run="run", epoch=EPOCH)
RECEIPT = messages.Receipt(run="run", epoch=EPOCH, round=1, client="1", transfer="ab" * 16, verdict="held")


@pytest.fixture
def broker():
    broker = MemoryBroker()
    MemoryTransport(broker).create_topics()
    return broker


@pytest.fixture
def transport(broker):
    return MemoryTransport(broker)


@pytest.fixture
def channel(transport):
    return ServerChannel(transport, "run", EPOCH)


@pytest.fixture
def read(broker):
    """Everything that lies in a topic now."""

    def records(topic):
        reader = MemoryTransport(broker)
        reader.assign({Place(topic): 0})
        return reader.poll(0.0)

    return records


@pytest.fixture(scope="module")
def weights():
    return get_random_weights("vector:300000")  # two records


def said(records):
    return [messages.decode_control(record.value) for record in records]


def test_each_record_of_control_names_the_epoch_and_the_current_manifest(channel, read, weights):
    channel.say(STARTED)
    channel.publish_model(weights, "digest", 0)
    channel.say(RECEIPT)

    headers = [record.headers for record in read(CONTROL)]
    assert [header["epoch"] for header in headers] == [b"4"] * 3
    assert [header["manifest"] for header in headers] == [b"-1", b"-1", b"1"]


def test_the_manifest_names_chunks_that_are_all_there(channel, read, weights):
    channel.publish_model(weights, "zeroth", 0)
    assert channel.publish_model(weights, "digest", 3)

    manifest = said(read(CONTROL))[-1]
    chunks = read(GLOBAL_MODEL)[manifest.first_offset :]
    header, _ = TransferHeader.from_record_headers(chunks[0].headers)
    frame = np.frombuffer(b"".join(chunk.value for chunk in chunks), np.uint8)
    assert len(chunks) == header.count == 2
    assert (manifest.round, manifest.digest, manifest.size) == (3, "digest", frame.size)
    assert manifest.transfer == header.transfer
    assert parse_frame(frame).weights().vector.tobytes() == weights.vector.tobytes()


def test_a_model_is_published_with_the_runs_codec_and_the_federations_key(transport, read, weights):
    key = b"k" * 32
    channel = ServerChannel(transport, "run", EPOCH, codec="shuffle+zstd", key=key)
    channel.publish_model(weights, "digest", 0)

    chunks = read(GLOBAL_MODEL)
    header, _ = TransferHeader.from_record_headers(chunks[0].headers)
    frame = parse_frame(b"".join(chunk.value for chunk in chunks), key=key)
    assert header.codec == frame.metadata.codec == "shuffle+zstd"
    assert frame.payload.size < 0.9 * weights.vector.nbytes
    assert frame.weights().vector.tobytes() == weights.vector.tobytes()


def test_the_same_model_is_the_same_transfer_whoever_publishes_it(transport, read, weights):
    for epoch in (1, 2):
        ServerChannel(transport, "run", epoch).publish_model(weights, "digest", 0)

    first, second = said(read(CONTROL))
    assert first.transfer == second.transfer


def test_a_model_that_the_broker_does_not_take_is_not_announced(channel, broker, read, weights):
    broker.restart()

    assert not channel.publish_model(weights, "digest", 0)
    MemoryTransport(broker).create_topics()
    assert read(CONTROL) == []


def test_the_bytes_of_models_are_counted(channel, weights):
    channel.publish_model(weights, "digest", 0)
    channel.publish_model(weights, "digest", 1)

    assert channel.frame_bytes > weights.layout.num_bytes
    assert channel.bytes_sent > 2 * weights.layout.num_bytes


def refused(channel, transport, broker, *sent):
    """Says what the broker does not take: it has been replaced, and nobody has noticed yet."""
    broker.restart()
    for message in sent:
        channel.say(message)
    with pytest.raises(BrokerReset):
        transport.poll(0.0)
    transport.create_topics()


def test_what_the_broker_did_not_take_is_said_again(channel, transport, broker, read):
    refused(channel, transport, broker, STARTED)
    channel.repeat_failed()
    channel.flush()
    channel.repeat_failed()

    assert said(read(CONTROL)) == [STARTED]


def test_a_receipt_is_not_since_its_client_sends_again(channel, transport, broker, read):
    refused(channel, transport, broker, RECEIPT)
    channel.repeat_failed()

    assert read(CONTROL) == []


def test_what_is_on_its_way_is_not_repeated(broker, read):
    broker.logs.clear()
    transport = MemoryTransport(broker)
    channel = ServerChannel(transport, "run", EPOCH)
    channel.say(STARTED)  # there is no topic yet
    channel.repeat_failed()
    transport.create_topics()
    channel.flush()

    assert said(read(CONTROL)) == [STARTED]


def test_on_an_empty_broker_there_is_no_manifest_and_nothing_to_repeat(
    channel, transport, broker, read, weights
):
    channel.publish_model(weights, "digest", 0)
    refused(channel, transport, broker, STARTED)
    channel.forget()
    channel.repeat_failed()
    channel.say(RECEIPT)
    channel.flush()

    (record,) = read(CONTROL)
    assert record.headers["manifest"] == b"-1"
    assert channel.bytes_sent == 0


def test_a_rejected_record_is_kept_in_part_with_its_reason_and_where_it_lay(channel, read):
    channel.bury(b"x" * (HEAD_BYTES + 1), "not_finite", Place(MODEL_UPDATES, 2), 17)
    channel.flush()

    (letter,) = read(DEAD_LETTER)
    assert len(letter.value) == HEAD_BYTES
    assert letter.headers == {
        "reason": b"not_finite",
        "topic": b"model_updates",
        "partition": b"2",
        "offset": b"17",
    }


def test_weights_are_not_touched_by_publishing(channel, weights):
    before = Weights(weights.layout, weights.vector.copy())
    channel.publish_model(weights, "digest", 0)

    assert weights.digest() == before.digest()
