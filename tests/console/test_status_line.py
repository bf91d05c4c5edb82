"""The status line: what it says of a run, and what gives way where there is little room."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine import telemetry as t
from engine.config import RunConfig
from flconsole.tui.app import ConsoleApp
from flconsole.tui.status_line import StatusLine
from flconsole.tui.status_parts import status_rows
from flconsole.tui.view import Liveness
from tests.console.staging import Stage, run_started
from tests.flconsole.recording import RUN, accepted, ended, exited, finished, joined, opened, started

SIZES = [(80, 24), (120, 40), (60, 20)]
WIDTHS = (60, 80, 120, 200)
UP = [started("broker", "broker", 11), started("server", "server", 12)]
MEMBERS = [joined(client, int(client)) for client in "123"]


def rows_of(stage, width=120):
    return [row.plain for row in status_rows(stage.view(), width)]


def training(*events):
    """A run in its third round, 100 seconds after its start, rounds of 30 seconds behind it."""
    stage = Stage(run_started(), *UP, *MEMBERS, opened(1, "123"))
    stage.tell(finished(1, 3, 0.50), opened(2, "123"), at=30)
    stage.tell(finished(2, 3, 0.55), opened(3, "123"), at=60)
    stage.tell(accepted("1", 3), *events, at=90)
    stage.wait(10)
    return stage


# --- what is said


def test_a_run_that_goes_on():
    assert rows_of(training()) == [
        f"{RUN} · running for 1:40 · digits (CIFAR-10 stand-in) · lenet · sync",
        "round 3/10 · updates 1/3 · acc 0.5500 ↗0.0500 · 3:30 left · server, broker up",
    ]


def test_everything_fits_on_80_columns_but_the_mode():
    first, second = rows_of(training(), 80)

    assert first == f"{RUN} · running for 1:40 · digits (CIFAR-10 stand-in) · lenet"
    assert second == rows_of(training(), 120)[1]


def test_on_60_columns_the_run_its_data_and_its_progress_stay():
    assert rows_of(training(), 60) == [
        f"{RUN} · running for 1:40 · digits (stand-in)",
        "round 3/10 · updates 1/3 · acc 0.5500 ↗0.0500 · 3:30 left",
    ]


def test_on_200_columns_there_is_more():
    first, second = rows_of(
        training(t.ServerStarted(epoch=1, round=0, model_digest="b", parameters=62_006)), 200
    )

    assert "digits (stand-in: CIFAR-10: it is not on disk; scikit-learn's digits stand in for it)" in first
    assert "62,006 parameters" in first
    assert second.startswith("round 3/10 · updates 1/3, waiting for 2, 3 · accuracy 0.5500 ↗0.0500 · ")
    for part in ("server up", "broker embedded", "loss 1.4500 ↘0.0500", "best 0.5500 in round 2"):
        assert f" · {part}" in second


@pytest.mark.parametrize("width", WIDTHS)
def test_a_stand_in_is_named_on_every_screen(width):
    stage = training()
    assert "stand-in" in rows_of(stage, width)[0]
    stage.run_dir = Path("a-name-of-a-run-that-somebody-wrote-by-hand-and-at-length")
    assert "stand-in" in rows_of(stage, width)[0]


@pytest.mark.parametrize("width", WIDTHS)
def test_noise_in_place_of_training_is_named_on_every_screen(width):
    stage = Stage(run_started(), config=RunConfig(trainer="null", model="vector:10"))

    assert "stand-in" in rows_of(stage, width)[0]


def test_data_that_were_asked_for_are_no_stand_in():
    first, _ = rows_of(Stage(run_started(dataset="cifar10", stand_in="")))

    assert " · cifar10 · " in first


def test_before_the_first_round_the_clients_are_waited_for():
    assert rows_of(Stage(run_started(), *UP, *MEMBERS[:2]))[1] == (
        "waiting for clients: 2/3 · acc - · server, broker up"
    )


def test_the_rules_of_the_open_round():
    stage = Stage(run_started(), *MEMBERS, replace(opened(1, "123"), quorum=2, deadline_s=30.0))
    stage.wait(10)
    assert "updates 0/3 (quorum 2, due in 0:20)" in rows_of(stage)[1]
    stage.wait(25)
    assert "(quorum 2, overdue 0:05)" in rows_of(stage)[1]
    stage.tell(t.RoundClosed(round=1, updates=2, digest="d"))
    assert "updates 0/3 ·" in rows_of(stage)[1]


def test_of_more_clients_than_wanted_none_is_waited_for():
    stage = Stage(run_started(), *MEMBERS, opened(1, "123", goal=2, quorum=2), accepted("1", 1))

    assert "updates 1/2 of 3 ·" in rows_of(stage, 200)[1]


def at_own_pace(mode, *events, **rules):
    """A run whose clients train at their own pace."""
    config = RunConfig(clients=3, rounds=10, dataset="digits", mode=mode, codec="shuffle+zstd")
    led = t.ServerStarted(epoch=1, round=0, model_digest="b", parameters=62_006)
    return Stage(
        run_started(mode=mode), *UP, led, *MEMBERS, opened(1, "123", **rules), *events, config=config
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_a_timed_round_tells_how_many_are_needed_and_when_it_may_close(width):
    stage = at_own_pace("timed", accepted("1", 1), accepted("1", 1, repeat=1), quorum=2, interval_s=10.0)

    assert "updates 2 (2 needed), next in 0:10" in rows_of(stage, width)[1]
    stage.wait(6.5)
    assert "next in 0:04" in rows_of(stage, width)[1]
    stage.wait(5)
    assert "next in 0:09" in rows_of(stage, width)[1], "without enough it waits for the tick after"
    assert "waiting for" not in rows_of(stage, width)[1]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_buffered_round_tells_how_many_it_takes(width):
    stage = at_own_pace("buffered", accepted("1", 1), accepted("1", 1, repeat=1), quorum=5)

    assert "updates 2/5 ·" in rows_of(stage, width)[1]


def test_a_codec_tells_what_it_has_saved():
    stage = at_own_pace("buffered", quorum=5)
    assert "62,006 parameters · codec shuffle+zstd" in rows_of(stage, 240)[0]
    stage.tell(replace(accepted("1", 1), bytes=62_006 * 2, codec="shuffle+zstd"))
    assert "62,006 parameters · codec shuffle+zstd, compressed 2.0x" in rows_of(stage, 240)[0]


@pytest.mark.parametrize(("accuracy", "trend"), [(0.60, "↗0.0500"), (0.50, "↘0.0500"), (0.55, "→")])
def test_the_trend_is_the_difference_to_the_round_before(accuracy, trend):
    assert f"acc {accuracy:.4f} {trend} ·" in rows_of(training(finished(3, 3, accuracy)))[1]


def test_rounds_that_were_not_evaluated_are_no_trend():
    stage = training(finished(3, 3, None), opened(4, "123"), finished(4, 3, 0.58))

    assert "acc 0.5800 ↗0.0300 ·" in rows_of(stage)[1]
    assert "acc 0.5000 ·" in rows_of(Stage(run_started(), opened(1, "1"), finished(1, 1, 0.5)))[1] + " ·"


def test_the_time_left_runs_down_within_a_round():
    stage = training()
    stage.wait(5)
    assert "3:30 left" in rows_of(stage)[1], "a round that is overdue foretells nothing"
    assert "left" not in rows_of(Stage(run_started(), opened(1, "1")))[1]


def test_the_time_given_counts_too():
    stage = Stage(run_started(rounds=None), opened(1, "1"), config=RunConfig(duration_minutes=2))
    stage.wait(30)

    assert "round 1 · " in rows_of(stage)[1]
    assert "1:30 left" in rows_of(stage)[1]


# --- whether it is well


def test_a_pause_is_told():
    stage = training(t.FederationPaused())

    assert "paused, 1:40 elapsed" in rows_of(stage)[0]
    assert "left" not in rows_of(stage)[1]


def test_a_server_that_answers_no_more_is_not_called_up():
    stage = training()
    stage.tell(t.Sample(processes={}, clients={"1": t.ClientSample()}), at=100)
    stage.tell(t.Sample(processes={}), at=104)
    assert "server, broker up" in rows_of(stage)[1]

    stage.tell(t.Sample(processes={}), at=106)
    stage.wait(2)
    assert "server silent for 0:08" in rows_of(stage)[1]

    stage.tell(t.Sample(processes={}, clients={"1": t.ClientSample()}), at=110)
    assert "server, broker up" in rows_of(stage)[1]


def test_of_a_server_without_members_no_answer_is_missed():
    stage = Stage(run_started(), *UP)
    for second in range(20):
        stage.tell(t.Sample(processes={}), at=second)

    assert "server, broker up" in rows_of(stage)[1]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (exited("server", 12, sig="SIGBUS", restart=True, reason="SIGBUS"), "server restarting: SIGBUS"),
        (exited("server", 12, code=1, reason="given up"), "server down: given up"),
        (exited("broker", 11, code=1, reason="exit code 1"), "broker down: exit code 1"),
        (t.BrokerLost(reason="connection refused"), "broker lost for 0:10"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("width", WIDTHS[1:])
def test_trouble_is_told_with_its_reason(event, expected, width):
    assert f" · {expected}" in rows_of(training(event), width)[1]


@pytest.mark.parametrize("width", WIDTHS[1:])
@pytest.mark.parametrize("config", [None, RunConfig(bootstrap_servers="kafka-1:9092")])
def test_a_process_of_which_nothing_is_known_is_not_called_up(width, config):
    second = rows_of(Stage(run_started(), config=config), width)[1]

    assert " · server - · broker -" in second


def test_a_broker_elsewhere_has_an_address():
    up = t.ServerStarted(epoch=1, round=0, model_digest="b", parameters=62_006)
    stage = Stage(run_started(), UP[1], up, config=RunConfig(bootstrap_servers="kafka-1:9092"))

    assert "server, broker up" in rows_of(stage)[1]
    assert "broker kafka-1:9092" in rows_of(stage, 200)[1]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_supervisor_that_is_gone_says_how_to_go_on(width):
    stage = training()
    stage.liveness = Liveness.GONE

    first, second = rows_of(stage, width)
    assert "supervisor gone: R resumes" in first
    assert "server" not in second


def test_the_key_that_resumes_is_the_users_own():
    stage = training()
    stage.liveness = Liveness.GONE

    assert "supervisor gone: F8 resumes" in status_rows(stage.view(), 80, "F8")[0].plain


@pytest.mark.parametrize("width", WIDTHS)
def test_what_keeps_the_console_from_newer_records_comes_first(width):
    view = replace(training().view(), error="events.jsonl: Input/output error")

    assert status_rows(view, width)[1].plain.startswith("events.jsonl: Input/output error")


@pytest.mark.parametrize(
    ("kind", "reason", "expected", "told"),
    [
        (t.RunFinished, "done", "finished in 0:10", ""),
        (t.RunStopped, "stopped by an operator", "stopped after 0:10", "stopped by an operator"),
        (t.RunFailed, "the quorum was out of reach", "failed after 0:10", "the quorum was out of reach"),
    ],
)
def test_a_run_that_has_ended_says_how_and_why(kind, reason, expected, told):
    stage = training(ended(kind, reason=reason))
    stage.liveness = Liveness.ENDED

    first, second = rows_of(stage, 80)
    assert f" · {expected} · " in first
    assert told in second
    assert "left" not in second


def test_a_long_reason_is_cut_where_the_row_ends():
    stage = training(ended(t.RunFailed, reason="because " * 40))
    stage.liveness = Liveness.ENDED

    assert rows_of(stage, 80)[1].endswith("…")


def test_a_replay_says_so_and_how_the_run_ended():
    stage = training()
    stage.liveness = Liveness.REPLAY
    assert " · replay: at 1:40 · " in rows_of(stage)[0]
    stage.tell(ended(t.RunFinished))
    assert " · replay: finished in 0:10 · " in rows_of(stage)[0]


def test_the_progress_of_reading_is_told():
    stage = Stage(loading=0.45)

    assert rows_of(stage, 60)[1].startswith("reading the history: 45%")


def test_a_reason_cannot_talk_to_the_terminal():
    stage = training(ended(t.RunFailed, reason="\x1b[2J"))

    assert r"\x1b[2J" in rows_of(stage)[1]


# --- room


@given(width=st.integers(1, 220))
def test_the_rows_fit_whatever_the_width(width):
    for row in status_rows(training(t.BrokerLost(reason="connection refused")).view(), width):
        assert row.cell_len <= width


# --- on a screen


class Watched(StatusLine):
    """Counts the rows it draws."""

    rows_drawn = 0

    def render_line(self, y):
        self.rows_drawn += 1
        return super().render_line(y)


def on_screen(check, stage, size):
    async def run():
        app = ConsoleApp(stage)
        async with app.run_test(size=size) as pilot:
            app.screen.look()
            await pilot.pause()
            await check(pilot)

    asyncio.run(run())


def shown(pilot):
    return [strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips()[:2]]


@pytest.mark.parametrize("size", SIZES)
def test_the_rows_are_the_first_of_the_screen(size):
    stage = training()

    async def check(pilot):
        assert shown(pilot) == rows_of(stage, size[0])

    on_screen(check, stage, size)


def test_another_width_is_used_at_once():
    stage = training()

    async def check(pilot):
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert shown(pilot) == rows_of(stage, 60)

    on_screen(check, stage, (120, 40))


@pytest.mark.parametrize("liveness", [Liveness.ENDED, Liveness.GONE])
def test_nothing_ticks_when_the_run_is_over(liveness, monkeypatch):
    monkeypatch.setattr("flconsole.tui.run_screen.StatusLine", Watched)
    stage = training()
    stage.liveness = liveness

    async def check(pilot):
        line = pilot.app.screen.query_one(Watched)
        line.rows_drawn = 0
        for _ in range(3):
            stage.wait(1)
            pilot.app.screen.look()
            await pilot.pause()
        assert line.rows_drawn == 0
        stage.liveness = Liveness.RUNNING
        pilot.app.screen.look()
        await pilot.pause()
        assert line.rows_drawn > 0

    on_screen(check, stage, (80, 24))


def test_only_the_row_that_changed_is_drawn_again(monkeypatch):
    monkeypatch.setattr("flconsole.tui.run_screen.StatusLine", Watched)
    stage = training()

    async def check(pilot):
        line = pilot.app.screen.query_one(Watched)
        line.rows_drawn = 0
        stage.tell(accepted("2", 3))
        pilot.app.screen.look()
        await pilot.pause()
        assert line.rows_drawn == 1

    on_screen(check, stage, (80, 24))
