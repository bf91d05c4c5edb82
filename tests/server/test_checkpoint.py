"""Checkpoints: whole or not at all, and never taken for another."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.weights import Layout, Role, Tensor, Weights
from engine.errors import CheckpointError, RunDirectoryError
from engine.server.checkpoint import (
    KEPT,
    Checkpoint,
    CheckpointHeader,
    CheckpointStore,
    RoundSummary,
    next_epoch,
    read_checkpoint,
)
from engine.telemetry import UpdateId

LAYOUT = Layout((Tensor("kernel", (3, 4)), Tensor("mean", (5,), Role.STATISTIC)), fixed_digest="ef" * 32)
ON_ANY_EXAMPLE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def checkpoint(number, *, state=None):
    vector = np.arange(LAYOUT.size, dtype=np.float32) + number
    state = {} if state is None else state
    header = CheckpointHeader(
        run="run",
        round=number,
        epoch=2,
        digest=Weights(LAYOUT, vector).digest(),
        layout=LAYOUT,
        accepted={"aa": UpdateId("1", 7), "bb": UpdateId("gpu-2", 7)},
        summary=RoundSummary(updates=2, examples=20, seconds=1.5, parts={"training": 1.0}),
        members={"1": 0, "gpu-2": 1},
        incarnation="broker",
        safe_offsets={"0": 7, "1": 0, "2": 3},
        strategy_arrays=tuple((name, array.size) for name, array in state.items()),
    )
    return Checkpoint(header, Weights(LAYOUT, vector), state)


def same(one, other):
    return (
        one.header == other.header
        and one.weights.vector.tobytes() == other.weights.vector.tobytes()
        and {name: array.tobytes() for name, array in one.strategy_state.items()}
        == {name: array.tobytes() for name, array in other.strategy_state.items()}
    )


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


@pytest.fixture
def store(folder):
    return CheckpointStore(folder)


@pytest.fixture
def two(store, folder):
    """A store of two checkpoints, the path of the newer one, and its bytes."""
    store.write(checkpoint(1))
    store.write(checkpoint(2))
    newest = folder / "round-000002.ckpt"
    return store, newest, newest.read_bytes()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read_back(store):
    state = {"momentum": np.full(LAYOUT.size, -0.5, np.float32), "steps": np.array([3], np.float32)}
    written = checkpoint(4, state=state)
    store.write(written)

    assert same(store.newest(), written)


def test_the_bits_of_every_number_survive(store):
    state = {"odd": np.array([np.nan, -0.0, np.inf, 1e-45], np.float32)}
    store.write(checkpoint(1, state=state))

    assert store.newest().strategy_state["odd"].tobytes() == state["odd"].tobytes()


def test_a_new_run_has_none(store):
    assert store.newest() is None
    assert store.rounds() == []


def test_the_newest_is_that_of_the_highest_round(store):
    for number in (2, 10, 9):
        store.write(checkpoint(number))

    assert store.newest().header.round == 10


def test_only_whole_files_lie_in_the_folder(store, folder):
    store.write(checkpoint(1))
    (folder / "round-000002.tmp").write_bytes(b"half")

    assert store.rounds() == [1]
    assert store.newest().header.round == 1


@ON_ANY_EXAMPLE
@given(data=st.data())
def test_a_torn_newest_is_passed_over_for_the_one_before(two, data):
    store, newest, whole = two
    newest.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1), label="bytes left")])

    assert same(store.newest(), checkpoint(1))


@ON_ANY_EXAMPLE
@given(data=st.data())
def test_a_newest_with_any_byte_altered_is_passed_over(two, data):
    store, newest, whole = two
    content = bytearray(whole)
    content[data.draw(st.integers(0, len(content) - 1), label="position")] ^= data.draw(st.integers(1, 255))
    newest.write_bytes(content)

    assert same(store.newest(), checkpoint(1))


@ON_ANY_EXAMPLE
@given(content=st.binary(max_size=200))
def test_any_other_bytes_are_no_checkpoint(tmp_path, content):
    path = tmp_path / "round-000001.ckpt"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match=str(path)):
        read_checkpoint(path)


def test_when_none_verifies_each_is_named_and_none_is_made_up(store, folder):
    for number in (1, 2):
        store.write(checkpoint(number))
        (folder / f"round-{number:06d}.ckpt").write_bytes(b"FLC1")

    with pytest.raises(CheckpointError, match=r"round-000002\.ckpt.*round-000001\.ckpt"):
        store.newest()


def test_the_last_three_and_the_best_are_kept(store, folder):
    for number in range(1, 8):
        store.write(checkpoint(number))
        store.prune(best_round=2)

    assert sorted(store.rounds()) == [2, 5, 6, 7]
    assert KEPT == 3


def test_where_nothing_is_best_the_last_three_are_kept(store):
    for number in range(6):
        store.write(checkpoint(number))
    store.prune(best_round=None)

    assert sorted(store.rounds()) == [3, 4, 5]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from engine.core.weights import Layout, Tensor, Weights
from engine.errors import RunDirectoryError
from engine.server.checkpoint import Checkpoint, CheckpointHeader, CheckpointStore, RoundSummary

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
layout = Layout((Tensor("vector", (100_000,)),))
weights = Weights(layout, np.zeros(100_000, np.float32))
header = CheckpointHeader(
    run="run", round=2, epoch=1, digest="", layout=layout, accepted={}, summary=RoundSummary(), members={},
    incarnation="", safe_offsets={},
)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    CheckpointStore(Path(sys.argv[1])).write(Checkpoint(header, weights, {}))
except RunDirectoryError as error:
    sys.exit(str(error))
"""


FULL_DISK_WITHOUT_LINKS = """
import errno, resource, signal, sys
from pathlib import Path
from engine.errors import RunDirectoryError
from engine.server.checkpoint import CheckpointStore

def refuse(self, target):
    raise OSError(errno.EPERM, "")

Path.hardlink_to = refuse
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    CheckpointStore(Path(sys.argv[1])).save()
except RunDirectoryError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("room", [0, 50, 200_000, 400_000])
def test_a_full_disk_leaves_no_half_checkpoint_and_the_older_one_whole(store, folder, room):
    store.write(checkpoint(1))
    ended = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(folder), str(room)], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert ended.stderr == (f"{folder}/round-000002.ckpt: cannot write the checkpoint: {os.strerror(27)}\n")
    assert names(folder) == ["round-000001.ckpt"]
    assert same(store.newest(), checkpoint(1))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


# --- saved for good


def refuse(self, target):
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.fixture(params=["linked", "copied"])
def save(request, monkeypatch):
    """Saves, on a file system that gives a file two names and on one that does not."""
    if request.param == "copied":
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    return CheckpointStore.save


def test_what_is_saved_outlives_what_is_pruned_and_is_not_resumed_from(save, store, folder):
    store.write(checkpoint(1))
    saved = save(store)
    for number in range(2, 7):
        store.write(checkpoint(number))
        store.prune(best_round=None)
    for number in store.rounds():
        (folder / f"round-{number:06d}.ckpt").unlink()

    assert saved == folder / "saved-round-000001.ckpt"
    assert same(read_checkpoint(saved), checkpoint(1))
    assert store.newest() is None
    assert names(folder) == [saved.name]


def test_it_is_the_newest_that_is_saved_however_often(save, store, folder):
    for number in (1, 2):
        store.write(checkpoint(number))
    assert save(store) == save(store) == folder / "saved-round-000002.ckpt"
    assert names(folder) == ["round-000001.ckpt", "round-000002.ckpt", "saved-round-000002.ckpt"]


def test_a_saved_checkpoint_of_the_same_round_is_replaced_by_the_one_that_counts(save, store, folder):
    (folder / "saved-round-000002.ckpt").write_bytes(b"of a round that was never finished")
    store.write(checkpoint(2))

    assert same(read_checkpoint(save(store)), checkpoint(2))


def test_without_a_checkpoint_there_is_nothing_to_save(store):
    assert store.save() is None


def test_a_disk_too_full_to_save_is_named_and_nothing_half_made_is_left(store, folder):
    store.write(checkpoint(1))
    ended = subprocess.run(
        [sys.executable, "-c", FULL_DISK_WITHOUT_LINKS, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.stderr == (f"{folder}: cannot save a checkpoint: {os.strerror(errno.EFBIG)}\n")
    assert names(folder) == ["round-000001.ckpt"]


def test_a_folder_that_is_gone_is_named(store, folder):
    folder.rmdir()

    with pytest.raises(RunDirectoryError, match=str(folder)):
        store.write(checkpoint(1))


def test_an_epoch_is_one_more_than_any_that_was_seen(tmp_path):
    path = tmp_path / "epoch"

    assert next_epoch(path) == 1
    assert next_epoch(path, 0, 0) == 2
    assert next_epoch(path, 7, 3) == 8
    assert next_epoch(path, 1) == 9
    assert names(tmp_path) == ["epoch"]


def test_an_epoch_file_that_is_no_number_is_not_guessed(tmp_path):
    (tmp_path / "epoch").write_text("seven")

    with pytest.raises(RunDirectoryError, match="epoch"):
        next_epoch(tmp_path / "epoch")


def test_an_epoch_that_cannot_be_kept_is_not_used(tmp_path):
    with pytest.raises(RunDirectoryError, match="missing"):
        next_epoch(tmp_path / "missing" / "epoch")
