"""A player goes at the pace of its clock, and wherever it is told."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._scribe import Story
from benchmarks.synthetic_run import write_run
from flconsole import player as module
from flconsole.player import FASTEST, SLOWEST, BadPlace, Player, move_to
from flconsole.replay import ReplayIndex, RoundEnd, Track


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    run_dir = write_run(tmp_path_factory.mktemp("player") / "run", Story(clients=8, rounds=20))
    with contextlib.closing(ReplayIndex(run_dir)) as index:
        for _ in index.build():
            pass
        yield index


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def player(index, clock):
    return Player(index, clock)


def test_it_stands_at_the_start_until_it_plays(player, clock, index):
    clock.now += 100
    player.advance()

    assert (player.head.position, player.head.ts) == (0, index.track.start)
    assert not player.head.is_playing


def test_it_plays_as_fast_as_the_run_was(player, clock, index):
    player.play()
    for _ in range(10):
        clock.now += 0.7
        player.advance()

    assert player.head.ts == pytest.approx(index.track.start + 7)
    assert player.head.position == index.cursor_at(index.track.start + 7).position > 0
    assert player.snapshot == index.cursor(player.head.position).snapshot


def test_faster_and_slower_count_from_now_on(player, clock, index):
    player.play()
    clock.now += 1
    player.faster()
    player.faster()
    clock.now += 1
    player.slower()
    clock.now += 1
    player.advance()

    assert player.head.speed == 2
    assert player.head.ts == pytest.approx(index.track.start + 1 + 4 + 2)


def test_there_is_a_slowest_and_a_fastest_speed(player):
    for _ in range(20):
        player.faster()
    assert player.head.speed == FASTEST
    for _ in range(40):
        player.slower()
    assert player.head.speed == SLOWEST


def test_paused_it_stays_where_it_is(player, clock):
    player.play()
    clock.now += 5
    player.toggle()
    head = player.head
    clock.now += 50
    player.advance()

    assert player.head == head
    player.toggle()
    clock.now += 1
    player.advance()
    assert player.head.ts == pytest.approx(head.ts + 1)


def test_at_the_end_it_pauses_and_plays_again_from_the_start(player, clock, index):
    player.play()
    clock.now += 1e6
    player.advance()
    end = player.head

    assert (end.is_playing, end.position, end.ts) == (False, index.track.records, index.track.end)
    player.toggle()
    assert (player.head.is_playing, player.head.position) == (True, 0)


def test_what_is_too_much_for_one_look_is_played_at_the_next(player, clock, index, monkeypatch):
    monkeypatch.setattr(module, "_MOST_RECORDS", 50)
    player.play()
    clock.now += 1e6
    player.advance()

    assert 50 <= player.head.position < index.track.records
    assert player.head.is_playing
    assert player.head.ts == index.cursor(player.head.position).ts


def test_steps_go_from_event_to_event_and_pause(player, index):
    player.play()
    player.step(1)
    assert (player.head.position, player.head.is_playing) == (index.neighbour(0, 1), False)
    player.step(1)
    player.step(-1)
    assert player.head.position == index.neighbour(0, 1)
    player.step(-1)
    player.step(-1)
    assert player.head.position == 0


def test_rounds_are_gone_through_one_by_one(player, index):
    ends = [end.position for end in index.track.rounds]
    player.step_round(1)
    assert player.head.position == ends[0]
    player.step_round(1)
    assert player.snapshot.state.rounds_done == 2
    player.step(1)
    player.step_round(-1)
    assert player.head.position == ends[1]
    player.step_round(-1)
    player.step_round(-1)
    player.step_round(-1)
    assert player.head.position == 0
    player.go_to_round(20)
    player.step_round(1)
    player.step_round(1)
    assert player.head.position == index.track.records


@pytest.mark.parametrize(("number", "rounds_done"), [(0, 0), (1, 1), (12, 12), (20, 20), (99, 20)])
def test_it_goes_to_the_end_of_a_round(player, number, rounds_done):
    player.go_to_round(number)

    assert player.snapshot.state.rounds_done == rounds_done


def test_going_somewhere_does_not_stop_it(player, clock):
    player.play()
    player.go_to_share(0.5)
    ts = player.head.ts
    clock.now += 1
    player.advance()

    assert player.head.ts == pytest.approx(ts + 1)


@pytest.mark.parametrize(
    ("text", "share"), [("0%", 0.0), ("50%", 0.5), ("12.5 %", 0.125), ("100%", 1.0), ("999%", 1.0)]
)
def test_a_share_is_one_of_the_time(player, index, text, share):
    move_to(text, index.track)(player)

    assert player.head.ts == pytest.approx(index.track.start + share * (index.track.end - index.track.start))


@pytest.mark.parametrize(("text", "seconds"), [("0:07", 7), (" 1:02 ", 62), ("0:01:02", 62), ("00:00:5", 5)])
def test_a_time_counts_from_the_start(player, index, text, seconds):
    move_to(text, index.track)(player)

    assert player.head.ts == pytest.approx(index.track.start + seconds)


def test_a_time_beyond_the_end_is_the_end(player, index):
    move_to("99:59:59", index.track)(player)

    assert player.head.ts == index.track.end
    assert player.head.position == index.track.records


def test_a_number_is_a_round(player, index):
    move_to("7", index.track)(player)

    assert player.snapshot.state.rounds_done == 7


@pytest.mark.parametrize("text", ["", "-1", "seven", "1:2:3:4", "1:99", "%", "1e3", "٣", "9" * 30])
def test_no_place_is_said_to_be_none(text):
    with pytest.raises(BadPlace, match="no round, no share such as 50%"):
        move_to(text, Track())


@given(st.text(max_size=12))
def test_whatever_is_typed_is_a_move_or_none(text):
    with contextlib.suppress(BadPlace):
        assert callable(move_to(text, Track(1, 0.0, 1.0, (RoundEnd(1, 1, 1.0),))))
