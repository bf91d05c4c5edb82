"""A server that is sent the whole corpus of hostile input comes to the models that it comes to anyway."""

from engine import telemetry
from engine.protocol import messages
from engine.protocol.serialization import MIN_FRAME_BYTES
from engine.transport.base import MODEL_UPDATES, TELEMETRY, Place
from tests.hostile_frames.make import CORPUS
from tests.hostile_frames.transfer_files import decode_records

FRAME_FOLDERS = ("frame", "packed_frame", "update_sync", "update_buffered", "compressed")


def corpus(*folders):
    return [path.read_bytes() for folder in folders for path in sorted((CORPUS / folder).iterdir())]


def as_transfer(frame, client="1"):
    """The headers that let a frame of one record get through the assembler."""
    return [
        ("v", b"1"),
        ("run", b"run"),
        ("kind", b"update"),
        ("round", b"3"),
        ("epoch", b"1"),
        ("client", client.encode()),
        ("transfer", frame[-32:-16].hex().encode()),
        ("codec", b"none"),
        ("seq", b"0"),
        ("count", b"1"),
        ("size", b"%d" % len(frame)),
    ]


def send_corpus(transport):
    """As a client that may write to both topics; returns how many records it has sent."""
    sent = 0
    for frame in corpus(*FRAME_FOLDERS):
        headers = as_transfer(frame) if len(frame) >= MIN_FRAME_BYTES else []
        transport.publish(Place(MODEL_UPDATES, 1), frame, headers=headers)
        sent += 1
    for record in [record for content in corpus("transfer") for record in decode_records(content)]:
        transport.publish(record.place, record.value, headers=list(record.headers.items()))
        sent += 1
    for message in corpus("telemetry", "control"):
        transport.publish(Place(TELEMETRY, 0), message)
        sent += 1
    return sent


def test_the_whole_corpus_changes_no_model_and_leaves_a_reason_for_each_file(run, undisturbed):
    sent = send_corpus(run.clients[0].transport)
    for number in (1, 2):
        opened = run.clients[0].wait_for(messages.RoundOpened, round=number)
        for client in run.clients:
            client.send(opened)
    run.running.finish()

    assert run.digests() == undisturbed
    rejected = run.events(telemetry.UpdateRejected)
    assert sent // 2 < len(rejected) <= sent
    assert all(event.reason and event.detail for event in rejected)
    assert {event.client for event in run.events(telemetry.UpdateAccepted)} == {"1", "2", "3"}
