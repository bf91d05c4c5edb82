"""A recorded run on the screen: every key of a replay, and the bar that says where it stands."""

import contextlib
import time

import pytest
from rich.cells import cell_len

from benchmarks._scribe import Story
from benchmarks.synthetic_run import write_run
from engine.errors import ConfigError
from flconsole import replay
from flconsole.player import Playhead
from flconsole.replay import RoundEnd, Track
from flconsole.tui import replay_source
from flconsole.tui.replay_bar import ReplayBar, draw_track, replay_row
from flconsole.tui.replay_source import ReplaySource
from flconsole.tui.view import Liveness
from tests.console.operating import DEADLINE_S, SIZES, at_console
from tests.console.staging import Stage, run_started

sizes = pytest.mark.parametrize("size", SIZES)
ROUNDS = 20


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("replay") / "run", Story(clients=8, rounds=ROUNDS))


class Clock:
    """Stands still until a test lets it go on."""

    now = 1000.0

    def __call__(self):
        return self.now


class Replay:
    """A replay on the screen, with its operator before it."""

    def __init__(self, operator, source, clock):
        self.operator, self.source, self.clock = operator, source, clock

    @property
    def head(self):
        return self.source.view().playhead

    @property
    def round(self):
        return self.source.view().snapshot.state.rounds_done

    @property
    def bar(self):
        region = self.operator.run_screen.query_one(ReplayBar).region
        return self.operator.app.screen._compositor.render_strips()[region.y].text

    async def press(self, *keys):
        """Presses keys, and waits until the player has obeyed and the screen shows it."""
        obeyed = []
        await self.operator.press(*keys)
        self.source.do(lambda _player: obeyed.append(True))
        await self.operator.until(lambda: obeyed, "the player obeys")
        await self.shows()

    async def shows(self):
        """Waits until the screen shows where the player stands."""
        self.operator.run_screen.look()
        await self.operator.until(lambda: self.operator.run_screen.view is self.source.view(), "the screen")

    async def wait(self, seconds):
        """Lets time go by, and the player with it."""
        self.clock.now += seconds
        ts = self.head.ts
        await self.operator.until(lambda: self.head.ts != ts, "the player goes on")
        await self.shows()


def on_screen(check, run_dir, *, size=SIZES[0]):
    clock = Clock()
    source = ReplaySource(run_dir, clock)

    async def scenario(operator):
        film = Replay(operator, source, clock)
        await operator.until(lambda: film.head is not None, "the run is read")
        await film.shows()
        await check(film)

    at_console(scenario, source, size=size)


# --- every key


@sizes
def test_it_plays_at_once_and_p_pauses(run_dir, size):
    async def check(film):
        assert film.source.view().liveness is Liveness.REPLAY
        assert film.bar.startswith("▶ x1  0:00/")
        await film.wait(10)
        assert film.bar.startswith("▶ x1  0:10/")
        assert "round 1/20" in film.bar
        await film.press("p")
        assert film.bar.startswith("‖ x1  0:10/")
        film.clock.now += 10
        await film.press("p")
        assert film.bar.startswith("▶ x1  0:10/")

    on_screen(check, run_dir, size=size)


@sizes
def test_every_key_of_a_replay(run_dir, size):
    async def check(film):
        await film.press("full_stop")
        first = film.head.position
        assert not film.head.is_playing
        await film.press("full_stop", "comma")
        assert film.head.position == first > 0
        await film.press("right_square_bracket", "right_square_bracket", "right_square_bracket")
        assert film.round == 3
        assert "round 3/20" in film.bar
        await film.press("left_square_bracket")
        assert film.round == 2
        await film.press("greater_than_sign", "greater_than_sign")
        assert "x4" in film.bar
        await film.press(*["less_than_sign"] * 4)
        assert "x1/4" in film.bar

    on_screen(check, run_dir, size=size)


@sizes
def test_g_goes_to_a_round_a_share_or_a_time(run_dir, size):
    async def check(film):
        for place, shown in (("12", "round 12/20"), ("50%", "round 8/20"), ("0:20", "0:20/")):
            await film.press("g", *place, "enter")
            assert shown in film.bar, place
        here = film.head.position
        await film.press("g", *"1", "escape")
        assert film.head.position == here
        await film.press("g", *"nowhere", "enter")
        assert "'nowhere' is no round" in await film.operator.told("nowhere")
        assert film.head.position == here
        await film.press("g", "enter")
        assert film.head.position == here

    on_screen(check, run_dir, size=size)


# --- how it plays


def test_what_is_shown_is_what_was_known_at_that_moment(run_dir):
    async def check(film):
        await film.press("g", *"5", "enter", "4")
        screen = film.operator.run_screen
        assert screen.view.snapshot.state.rounds_done == 5
        assert screen.view.now == film.head.ts
        assert "round 5/20" in film.operator.screen
        assert "round 6/20 finished" not in film.operator.screen

    on_screen(check, run_dir)


def test_at_the_end_it_pauses(run_dir):
    async def check(film):
        await film.wait(1e6)
        await film.operator.until(lambda: not film.head.is_playing, "the end")
        await film.shows()
        assert f"round {ROUNDS}/{ROUNDS}" in film.bar
        assert film.bar.startswith("‖")
        assert film.bar.rstrip().endswith("●")

    on_screen(check, run_dir)


def test_paused_nothing_is_drawn(run_dir):
    async def check(film):
        await film.press("g", *"5", "enter", "p")
        drawn = []
        refresh = film.operator.app.screen._compositor.render_update
        film.operator.app.screen._compositor.render_update = lambda **options: (
            drawn.append(options) or refresh(**options)
        )
        film.clock.now += 100
        for _ in range(5):
            film.operator.run_screen.look()
            await film.operator.pilot.pause()
        assert drawn == []

    on_screen(check, run_dir)


def test_keys_that_change_a_run_do_nothing_here(run_dir):
    async def check(film):
        await film.operator.press("a")
        assert "replay" in await film.operator.told("replay")

    on_screen(check, run_dir)


# --- reading


def test_while_it_is_read_the_share_is_shown_and_keys_wait(run_dir, monkeypatch):
    monkeypatch.setattr(replay, "PIECE_BYTES", 4000)
    shares = []

    class Slow(ReplaySource):
        def _read(self):
            for share in self._index.build():
                self._view = replay_source.replace(self._view, loading=share)
                shares.append(self.view().loading)

    source = Slow(run_dir, Clock())
    source.do(lambda player: player.go_to_round(7))

    async def scenario(operator):
        await operator.until(lambda: source.view().playhead is not None, "the run is read")
        await operator.until(lambda: source.view().snapshot.state.rounds_done == 7, "round 7")
        assert source.view().loading is None

    at_console(scenario, source)

    assert len(shares) > 10
    assert shares == sorted(shares)


def until(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_files_that_cannot_be_read_are_told(run_dir, tmp_path):
    for name in ("config.toml", "events.jsonl"):
        (tmp_path / name).write_bytes((run_dir / name).read_bytes())
    (tmp_path / "processes.jsonl").mkdir()

    with contextlib.closing(ReplaySource(tmp_path)) as source:
        until(lambda: source.view().error)
        assert source.view().error == f"{tmp_path / 'processes.jsonl'}: Is a directory"


def test_a_bug_is_told_and_not_a_frozen_screen(run_dir):
    with contextlib.closing(ReplaySource(run_dir)) as source:
        source.do(lambda player: player.no_such_move())
        until(lambda: source.view().error)
        assert "AttributeError: 'Player' object has no attribute" in source.view().error


def test_what_is_no_run_cannot_be_played(tmp_path):
    with pytest.raises(ConfigError):
        ReplaySource(tmp_path)


def test_leaving_while_it_is_read_ends_the_reading(run_dir, monkeypatch):
    monkeypatch.setattr(replay, "PIECE_BYTES", 100)

    source = ReplaySource(run_dir)
    source.close()

    assert not source._thread.is_alive()


# --- the bar


def head(ts, *, rounds=10, is_open=False, speed=1.0, playing=False):
    ends = tuple(RoundEnd(number, 10 * number, 10.0 * number) for number in range(1, rounds + 1))
    track = Track(10 * rounds, 0.0, 10.0 * rounds, ends, is_open)
    return Playhead(track, playing, speed, int(ts), ts)


def test_the_track_has_a_head_and_the_ends_of_rounds():
    assert draw_track(head(50.0), 41).plain == "━━━━┿━━━┿━━━┿━━━┿━━━●───┼───┼───┼───┼───┼"
    assert draw_track(head(0.0), 41).plain.startswith("●───┼")
    assert draw_track(head(100.0), 41).plain.endswith("┿━━━●")


def test_of_many_rounds_only_as_many_are_marked_as_have_room():
    marks = draw_track(head(0.0, rounds=1000), 41).plain.count("┼")

    assert 5 <= marks <= 10


def test_a_run_of_no_length_has_a_track_too():
    still = Playhead(Track(3, 5.0, 5.0), False, 1.0, 3, 5.0)

    assert draw_track(still, 12).plain == "━" * 11 + "●"


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_the_row_fits_whatever_the_width(width):
    for moment in (0.0, 33.0, 100.0):
        row = replay_row(head(moment, is_open=True, speed=4096.0), width).plain
        assert cell_len(row) <= width
        assert row.startswith("‖ x4096")


def test_a_run_that_goes_on_is_said_to():
    assert "(it went on)" in replay_row(head(5.0, is_open=True), 80).plain
    assert "(the run went on from there)" in replay_row(head(5.0, is_open=True), 120).plain


def test_a_live_run_has_no_bar():
    async def scenario(operator):
        assert not operator.run_screen.query_one(ReplayBar).display

    at_console(scenario, Stage(run_started()))
