"""Every file of the corpus is refused with the reason it is named after, and every reason has a file."""

import ast
from pathlib import Path

import pytest

from engine import errors
from engine.server import gate
from tests.hostile_frames import gates, honest, make, reading

SERVER = Path(gate.__file__).parent
FILES = {path.relative_to(make.CORPUS).as_posix() for path in make.CORPUS.rglob("*.*")}


def files_of(folder):
    return sorted(name for name in FILES if name.startswith(f"{folder}/"))


def content_of(name):
    return (make.CORPUS / name).read_bytes()


def named_reason(name):
    return name.partition("/")[2].partition(".")[0]


def leaves(error):
    """The classes of the tree that have none below them."""
    below = error.__subclasses__()
    return [leaf for child in below for leaf in leaves(child)] if below else [error]


def test_the_corpus_is_what_its_script_writes():
    written = make.corpus()

    assert sorted(written) == sorted(FILES)
    assert [name for name in sorted(FILES) if written[name] != content_of(name)] == []


@pytest.mark.parametrize("name", files_of("frame"))
def test_a_hostile_frame_is_refused_with_its_reason(name):
    assert reading.frame_reason(content_of(name)) == named_reason(name)


@pytest.mark.parametrize("name", files_of("packed_frame"))
def test_a_hostile_frame_of_compressed_values_is_refused_with_its_reason(name):
    assert reading.frame_reason(content_of(name), honest.PACKED_LAYOUT) == named_reason(name)


@pytest.mark.parametrize("name", files_of("compressed"))
def test_hostile_compressed_bytes_are_refused_with_their_reason(name):
    assert reading.compressed_reason(content_of(name)) == named_reason(name)


@pytest.mark.parametrize("name", files_of("control"))
def test_a_hostile_control_record_is_refused_with_its_reason(name):
    assert reading.control_reason(content_of(name)) == named_reason(name)


@pytest.mark.parametrize("name", files_of("telemetry"))
def test_a_hostile_telemetry_record_is_refused_with_its_reason(name):
    assert reading.telemetry_reason(content_of(name)) == named_reason(name)


@pytest.mark.parametrize("name", files_of("update_sync") + files_of("update_buffered"))
def test_a_hostile_update_is_refused_with_its_reason(name):
    mode = name.partition("/")[0].removeprefix("update_")

    assert gates.open_gate(mode).reason(content_of(name)) == named_reason(name)


@pytest.mark.parametrize("name", files_of("transfer"))
def test_a_hostile_transfer_is_refused_with_its_reason_and_keeps_nobody_out(name, tmp_path):
    intake = reading.open_intake(tmp_path)

    assert reading.transfer_reason(content_of(name), intake) == named_reason(name)
    for client in ("1", "2"):
        refused, arrived = reading.take(intake, honest.records(client))
        assert ({a.header.client for a in arrived}, refused) == ({client}, set())


def test_what_the_corpus_is_made_from_is_not_refused(tmp_path):
    assert reading.frame_reason(honest.update_frame()) is None
    assert reading.frame_reason(honest.model_frame()) is None
    refused, arrived = reading.take(reading.open_intake(tmp_path), honest.records())
    assert (refused, len(arrived)) == (set(), 1)
    for mode in ("sync", "buffered"):
        assert gates.open_gate(mode).reason(honest.update_frame()) is None


@pytest.mark.parametrize("error", leaves(errors.FrameError), ids=lambda error: error.reason)
def test_every_way_a_frame_can_be_wrong_has_a_file(error):
    assert error.reason in {named_reason(name) for name in files_of("frame") + files_of("packed_frame")}


@pytest.mark.parametrize("error", leaves(errors.TransferError), ids=lambda error: error.reason)
def test_every_way_a_transfer_can_be_wrong_has_a_file(error):
    assert error.reason in {named_reason(name) for name in files_of("transfer")}


def test_every_way_a_message_can_be_wrong_has_a_file():
    for folder in ("control", "telemetry"):
        assert {named_reason(name) for name in files_of(folder)} == {
            leaf.reason for leaf in leaves(errors.MessageInvalid)
        }


def test_every_reason_of_the_gate_has_a_file():
    """Every `UpdateRejected("reason", ...)` in the server."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SERVER.glob("*.py")]
    reasons = {
        call.args[0].value
        for tree in trees
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "UpdateRejected"
    }

    assert reasons == {named_reason(name) for name in files_of("update_sync") + files_of("update_buffered")}
