"""Going to any place of a recorded run shows what folding it from the start would show."""

import contextlib
import itertools
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks._scribe import Story
from benchmarks.synthetic_run import write_run
from engine import telemetry as t
from engine.errors import RunDirectoryError
from engine.event_log import EventLog
from flconsole import replay
from flconsole.feed import decode
from flconsole.replay import ReplayIndex, Track
from flconsole.snapshot import Snapshot, advance
from flconsole.supervisor.lock import SupervisorLock
from tests.flconsole.recording import RUN, START, accepted, finished, joined, opened, started

FILES = ("events.jsonl", "processes.jsonl", "samples.1.jsonl", "samples.jsonl")


def open_index(run_dir):
    index = ReplayIndex(run_dir)
    for _ in index.build():
        pass
    return contextlib.closing(index)


def snapshots_of(run_dir):
    """After each record in the order of their times, told without any of the code under test."""
    dated = []
    for place, name in enumerate(FILES):
        lines = (run_dir / name).read_bytes().splitlines() if (run_dir / name).exists() else []
        records = [decode(line) for line in lines]
        times = itertools.accumulate((record.envelope.ts for record in records), max)
        dated += [((ts, place), record) for ts, record in zip(times, records, strict=True)]
    ordered = [record for _, record in sorted(dated, key=lambda item: item[0])]
    return list(itertools.accumulate(ordered, advance, initial=Snapshot()))


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("replay") / RUN, Story(clients=8, rounds=20))


@pytest.fixture
def small_pieces(monkeypatch):
    """So that a short run has many of whatever a long one has."""
    monkeypatch.setattr(replay, "PIECE_BYTES", 2000)
    monkeypatch.setattr(replay, "_FIRST_STRIDE", 5)
    monkeypatch.setattr(replay, "_SNAPSHOTS", 6)
    monkeypatch.setattr(replay, "_RECENT", 2)


@pytest.mark.usefixtures("small_pieces")
def test_every_place_is_what_folding_from_the_start_makes_of_it(run_dir):
    expected = snapshots_of(run_dir)
    with open_index(run_dir) as index:
        assert index.track.records == len(expected) - 1
        cursor = None
        for position in range(0, len(expected), 7):
            cursor = index.cursor(position, cursor)
            assert cursor.snapshot == expected[position]
        for position in reversed(range(0, len(expected), 13)):
            assert index.cursor(position).snapshot == expected[position]


EVENTS = st.sampled_from(
    [
        joined("1", 0),
        opened(1, "12"),
        accepted("1", 1),
        accepted("2", 1),
        finished(1, 2, 0.5),
        started("client-1", "client", 100, "1"),
        t.Sample(processes={"client-1": t.ProcessSample(cpu_percent=7.0)}),
    ]
)
TOLD = st.lists(st.tuples(EVENTS, st.integers(-2, 5)), max_size=25)
"""Events, and how many seconds after the one before each was recorded; clocks step back too."""


def record(path, events):
    clock = itertools.accumulate((seconds for _, seconds in events), initial=START)
    log = EventLog(path, run=RUN, origin="server", clock=lambda: next(clock))
    for event, _ in events:
        log.append(event)
    log.close()


@settings(deadline=None)
@given(
    files=st.tuples(TOLD, TOLD, TOLD, TOLD),
    places=st.lists(st.integers(0, 100), min_size=1, max_size=12),
    piece=st.integers(1, 2000),
)
def test_seeking_equals_folding_whatever_was_recorded(files, places, piece):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "PIECE_BYTES", piece)
        patch.setattr(replay, "_FIRST_STRIDE", 2)
        patch.setattr(replay, "_SNAPSHOTS", 4)
        for name, events in zip(FILES, files, strict=True):
            record(Path(folder) / name, events)
        expected = snapshots_of(Path(folder))
        with open_index(Path(folder)) as index:
            cursor = None
            for place in places:
                position = place % len(expected)
                cursor = index.cursor(position, cursor)
                assert cursor.position == position
                assert cursor.snapshot == expected[position]


@pytest.mark.usefixtures("small_pieces")
def test_a_moment_is_what_was_recorded_until_then(run_dir):
    with open_index(run_dir) as index:
        start, end = index.track.start, index.track.end
        for share in (0.0, 0.2, 0.21, 0.9, 1.0, 0.5):
            ts = start + share * (end - start)
            cursor = index.cursor_at(ts)
            assert cursor.ts <= ts
            following = index.cursor(cursor.position + 1)
            assert following.ts > ts or cursor.position == index.track.records


@pytest.mark.usefixtures("small_pieces")
def test_few_snapshots_are_kept_however_many_records_there_are(run_dir):
    with open_index(run_dir) as index:
        positions = [checkpoint.position for checkpoint in index._checkpoints]

        assert 3 <= len(positions) <= 6
        assert positions[0] == 0
        gaps = [later - earlier for earlier, later in itertools.pairwise(positions)]
        assert max(gaps) < 3 * min(gaps)


def test_the_track_tells_when_each_round_finished(run_dir):
    with open_index(run_dir) as index:
        assert [end.round for end in index.track.rounds] == list(range(1, 21))
        for end in index.track.rounds:
            cursor = index.cursor(end.position)
            assert cursor.snapshot.state.rounds_done == end.round
            assert cursor.ts == end.ts
            assert index.cursor(end.position - 1).snapshot.state.rounds_done == end.round - 1


def test_the_neighbour_of_an_event_is_never_a_sample(run_dir):
    expected = snapshots_of(run_dir)
    with open_index(run_dir) as index:
        forwards = [0]
        while (position := index.neighbour(forwards[-1], 1)) != forwards[-1]:
            forwards.append(position)
        backwards = [forwards[-1]]
        while (position := index.neighbour(backwards[-1], -1)) != backwards[-1]:
            backwards.append(position)

        assert forwards == backwards[::-1]
        assert (forwards[0], forwards[-1]) == (0, index.track.records)
        for position in forwards[1:-1]:
            assert expected[position].state.sample is expected[position - 1].state.sample


def test_a_run_that_goes_on_is_played_as_far_as_it_was_when_it_was_opened(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = write_run(tmp_path / "run", Story(clients=8, rounds=30, played=20, ended=False))
    with SupervisorLock(path), contextlib.closing(ReplayIndex(path)) as index:
        with (path / "events.jsonl").open("ab") as events:
            events.write((path / "processes.jsonl").read_bytes())
        (path / "samples.jsonl").rename(path / "samples.1.jsonl")
        shares = list(index.build())

        assert index.track.is_open
        assert index.track.rounds[-1].round == 20
        assert shares[-1] == pytest.approx(1.0, abs=0.05)
        assert index.cursor(index.track.records).snapshot.state.sample is not None


def test_a_run_of_nothing_is_played_to_its_end_at_once(tmp_path):
    with open_index(tmp_path) as index:
        assert index.track == Track()
        assert index.cursor(0).snapshot == Snapshot()
        assert index.neighbour(0, 1) == index.neighbour(0, -1) == 0


@pytest.mark.parametrize("spoil", [lambda path: path.symlink_to(path), lambda path: path.mkdir()])
def test_a_file_that_cannot_be_read_is_named(tmp_path, spoil):
    spoil(tmp_path / "processes.jsonl")

    with pytest.raises(RunDirectoryError, match=str(tmp_path / "processes.jsonl")), open_index(tmp_path):
        pass
