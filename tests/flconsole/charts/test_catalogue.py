"""What each chart shows of a run, for any history and any wish of the operator."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine import telemetry as t
from flconsole.charts.axis import Unit
from flconsole.charts.catalogue import CHARTS, SMOOTHINGS, charts_for
from flconsole.charts.gatherers import CURVES_SHOWN, PARTS, Basis, LinesStyle, Look, RoundLines, Settings
from flconsole.charts.plot import BarPlot, HeatMap, Sentence
from flconsole.charts.series import BUCKETS
from flconsole.snapshot import Curve, Report, Snapshot
from flconsole.state import Client, RunState, Staleness
from tests.console.staging import run_started
from tests.flconsole.recording import accepted

BY_NAME = {chart.name: chart for chart in CHARTS}
START, SECONDS = 1_767_322_800.0, 4.0


def finished(number, accuracy=0.5, **more):
    fields = {
        "round": number, "updates": 3, "examples": 300, "accuracy": accuracy, "loss": 1.0,
        "digest": f"{number}: {accuracy}",
        "seconds": SECONDS, "parts": {"training": 3.0, "transfer": 1.0}, "bytes_up": 1000, "bytes_down": 2000,
    }  # fmt: skip
    return t.RoundFinished(**{**fields, **more})


def run(rounds, curves=None, **known):
    """A run with these finished rounds, each `SECONDS` long, and these curves of clients."""
    history = {each.round: each for each in rounds}
    ends = {number: START + SECONDS * number for number in history}
    clients = {name: Client(id=name, membership="joined") for name in curves or {}}
    state = RunState(history=history, round_ends=ends, **{"clients": clients, **known})
    return Snapshot(state=state, curves=curves or {})


def curve(*losses, rounds=None, stride=1):
    numbers = rounds or range(1, len(losses) + 1)
    points = [
        Report(number, START + SECONDS * number, loss, None)
        for number, loss in zip(numbers, losses, strict=True)
    ]
    return Curve(tuple(points), stride)


def plot_of(name, snapshot, **look):
    return BY_NAME[name].gatherer().plot(Look(snapshot=snapshot, **look))


def ys(line):
    return [y for _, y in line.points]


ANY_NUMBER = st.one_of(st.none(), st.floats())
ROUNDS = st.lists(
    st.tuples(ANY_NUMBER, ANY_NUMBER, st.floats(0, 1e9), st.integers(0, 10**12)), max_size=30
).map(
    lambda values: [
        finished(number, accuracy, loss=loss, parts={"training": part}, bytes_up=size)
        for number, (accuracy, loss, part, size) in enumerate(values, 1)
    ]
)
SETTINGS = st.builds(
    Settings, log_y=st.booleans(), smoothing=st.sampled_from(SMOOTHINGS), basis=st.sampled_from(Basis)
)


class TestEveryChart:
    @pytest.mark.parametrize("name", BY_NAME)
    def test_says_in_a_sentence_why_there_is_nothing_to_show_yet(self, name):
        plot = plot_of(name, Snapshot())
        assert isinstance(plot, Sentence)
        assert plot.title == BY_NAME[name].title
        assert plot.text.startswith("no ")

    @settings(max_examples=50, deadline=None)
    @given(ROUNDS, SETTINGS, st.integers(1, 4), st.lists(ANY_NUMBER, max_size=20))
    def test_takes_any_history(self, rounds, wish, eval_every, losses):
        snapshot = run(rounds, {"1": curve(*losses)} if losses else {})
        for name, chart in BY_NAME.items():
            plot = plot_of(name, snapshot, settings=wish, eval_every=eval_every)
            assert plot.title == chart.title

    @settings(max_examples=50, deadline=None)
    @given(ROUNDS, st.lists(st.integers(0, 30), max_size=4), SETTINGS)
    def test_shows_the_same_whether_it_followed_the_run_or_comes_late(self, rounds, stops, wish):
        """The stops may lie behind one another: a replay jumps back."""
        for name, chart in BY_NAME.items():
            gatherer = chart.gatherer()
            for stop in stops:
                gatherer.plot(Look(snapshot=run(rounds[:stop]), settings=wish))
            followed = gatherer.plot(Look(snapshot=run(rounds), settings=wish))
            assert repr(followed) == repr(plot_of(name, run(rounds), settings=wish))  # NaN equals nothing

    def test_forgets_what_it_gathered_when_a_replay_shows_other_rounds(self):
        gatherer = BY_NAME["accuracy"].gatherer()
        gatherer.plot(Look(snapshot=run([finished(1, 0.1), finished(2, 0.2)])))
        plot = gatherer.plot(Look(snapshot=run([finished(1, 0.3), finished(2, 0.4), finished(3, 0.5)])))
        assert ys(plot.lines[0]) == [0.3, 0.4, 0.5]

    def test_reads_a_round_once(self):
        """Although the state takes the similarity out of a round once there is a later one."""
        reads = []
        gatherer = RoundLines(
            LinesStyle(title="Rounds", nothing="no rounds"), {"": lambda each, _run: reads.append(each.round)}
        )
        rounds = [finished(number) for number in range(1, 101)]
        for length in (10, 10, 99, 100):
            gatherer.plot(Look(snapshot=run([replace(each) for each in rounds[:length]])))
        assert reads == [each.round for each in rounds]

    def test_stays_short_however_long_the_run_is(self):
        snapshot = run([finished(number, number % 7) for number in range(1, 5001)])
        assert len(plot_of("accuracy", snapshot).lines[0].points) <= 2 * BUCKETS
        assert len(plot_of("round-time", snapshot).bars) <= BUCKETS


class TestGlobalValues:
    def test_accuracy_over_rounds(self):
        plot = plot_of("accuracy", run([finished(1, 0.25), finished(2, 0.5)]))
        assert plot.lines[0].points == ((1.0, 0.25), (2.0, 0.5))
        assert plot.lines[0].latest == 0.5

    def test_over_time_since_round_1_was_opened(self):
        plot = plot_of("loss", run([finished(1), finished(2)]), settings=Settings(basis=Basis.TIME))
        assert [x for x, _ in plot.lines[0].points] == [SECONDS, 2 * SECONDS]
        assert plot.x is Unit.SECONDS

    def test_a_missing_value_is_a_gap_and_not_a_zero(self):
        assert ys(plot_of("accuracy", run([finished(1), finished(2, None), finished(3)])).lines[0]) == [
            0.5,
            None,
            0.5,
        ]

    def test_a_round_between_two_evaluations_misses_nothing(self):
        rounds = [finished(number, 0.5 if number % 2 == 0 else None, loss=None) for number in range(1, 5)]
        assert plot_of("accuracy", run(rounds), eval_every=2).lines[0].points == ((2.0, 0.5), (4.0, 0.5))

    def test_smoothing_is_said_and_leaves_the_newest_value_as_it_was(self):
        plot = plot_of(
            "accuracy", run([finished(1, 0.0), finished(2, 1.0)]), settings=Settings(smoothing=0.9)
        )
        assert plot.notes == ("smoothed 0.9",)
        assert 0.4 < ys(plot.lines[0])[1] < 0.6
        assert plot.lines[0].latest == 1.0

    def test_a_logarithmic_axis_leaves_out_what_has_no_logarithm_and_says_how_many(self):
        rounds = [finished(1, loss=2.0), finished(2, loss=0.0), finished(3, loss=-1.0)]
        plot = plot_of("loss", run(rounds), settings=Settings(log_y=True))
        assert ys(plot.lines[0]) == [2.0, None, None]
        assert plot.notes == ("log", "2 values not above 0 left out")

    def test_bytes_go_up_and_down_from_zero(self):
        plot = plot_of("bytes", run([finished(1)]))
        assert [(line.label, line.latest) for line in plot.lines] == [("up", 1000), ("down", 2000)]
        assert plot.from_zero

    def test_bytes_tell_what_a_codec_has_saved(self):
        server = t.ServerStarted(epoch=1, round=0, model_digest="b", parameters=1000)
        packed = accepted("1", 1, codec="shuffle+zstd")
        client = Client(id="1", membership="joined", updates=2, bytes_up=5000, last_update=packed)
        known = {"server": server, "clients": {"1": client}}
        assert plot_of("bytes", run([finished(1)], **known)).notes == ("compressed 1.6x",)
        assert plot_of("bytes", run([finished(1)], server=server)).notes == ()

    def test_staleness_is_the_mean_and_the_most_of_each_round(self):
        staleness = {1: Staleness(0.0, 0), 2: Staleness(1.5, 4)}
        plot = plot_of("staleness", run([finished(1), finished(2), finished(3)], staleness=staleness))
        assert [(line.label, ys(line)) for line in plot.lines] == [
            ("mean", [0.0, 1.5, None]), ("most", [0, 4, None]),
        ]  # fmt: skip

    def test_staleness_is_offered_where_there_can_be_any(self):
        names = {mode: [chart.name for chart in charts_for(mode)] for mode in ("sync", "timed", "buffered")}
        assert "staleness" not in names["sync"]
        assert names["timed"] == names["buffered"] == list(BY_NAME)

    def test_updates_per_aggregation(self):
        assert ys(plot_of("updates", run([finished(1), finished(2, updates=2)])).lines[0]) == [3, 2]


class TestRoundTime:
    def test_is_a_stack_of_all_parts_in_one_order(self):
        plot = plot_of("round-time", run([finished(1)]))
        assert isinstance(plot, BarPlot)
        assert dict(zip(plot.parts, plot.bars[0].means, strict=True)) == {
            **dict.fromkeys(PARTS, 0.0), "training": 3.0, "transfer": 1.0,
        }  # fmt: skip

    def test_many_rounds_are_bars_of_their_mean(self):
        rounds = [finished(number, parts={"training": float(number % 2)}) for number in range(1, 2001)]
        plot = plot_of("round-time", run(rounds))
        assert {bar.means[PARTS.index("training")] for bar in plot.bars} == {0.5}
        assert sum(bar.rounds for bar in plot.bars) == 2000

    def test_rounds_that_do_not_tell_their_parts_are_not_drawn_as_zeros(self):
        assert isinstance(plot_of("round-time", run([finished(1, parts={})])), Sentence)


class TestClients:
    def test_the_marked_ones_are_overlaid(self):
        curves = {name: curve(1.0, 0.5) for name in "1234"}
        plot = plot_of("client-loss", run([], curves), clients=("4", "2"))
        assert [line.label for line in plot.lines] == ["4", "2"]
        assert plot.notes == ("2 of 4 clients",)

    def test_without_marks_the_first_few_and_how_many_there_are(self):
        curves = {str(number): curve(1.0) for number in range(1, 13)}
        plot = plot_of("client-loss", run([], curves))
        assert [line.label for line in plot.lines] == [str(number) for number in range(1, CURVES_SHOWN + 1)]
        assert plot.notes == (f"{CURVES_SHOWN} of 12 clients",)

    def test_a_round_without_an_update_is_a_gap(self):
        plot = plot_of("client-loss", run([], {"1": curve(3.0, 2.0, 1.0, rounds=[1, 2, 5])}))
        assert ys(plot.lines[0]) == [3.0, 2.0, None, 1.0]

    def test_at_its_own_pace_a_client_misses_no_round(self):
        own_pace = run([], {"1": curve(3.0, 2.0, 1.0, rounds=[1, 2, 5])}, started=run_started(mode="timed"))
        assert ys(plot_of("client-loss", own_pace).lines[0]) == [3.0, 2.0, 1.0]

    def test_a_thinned_curve_has_no_gaps_where_reports_were_dropped(self):
        plot = plot_of("client-loss", run([], {"1": curve(3.0, 2.0, 1.0, rounds=[1, 3, 5], stride=2)}))
        assert ys(plot.lines[0]) == [3.0, 2.0, 1.0]

    def test_follows_a_curve_and_its_thinning(self):
        gatherer = BY_NAME["client-loss"].gatherer()
        points = curve(*(float(number) for number in range(1, 9))).points
        for shown in (Curve(points[:3]), Curve(points[:7]), Curve(points[::2], 2)):
            plot = gatherer.plot(Look(snapshot=run([], {"1": shown})))
            assert ys(plot.lines[0]) == [point.loss for point in shown.points]

    def test_says_when_no_client_reports_what_is_asked(self):
        plot = plot_of("client-accuracy", run([], {"1": curve(1.0)}))
        assert isinstance(plot, Sentence)
        assert plot.text == "no client has reported its accuracy yet"


class TestSimilarity:
    def test_is_that_of_the_latest_round_by_client(self):
        square = [[1.0, 0.25], [0.25, None]]
        latest = finished(2, similarity=square, similarity_clients=["1", "7"])
        plot = plot_of("similarity", run([finished(1), latest]))
        assert isinstance(plot, HeatMap)
        assert plot.notes == ("round 2",)
        assert plot.ids == ("1", "7")
        assert plot.values == ((1.0, 0.25), (0.25, None))

    @pytest.mark.parametrize(
        ("updates", "reason"),
        [
            (57, "similarity needs at most 32 clients; this round had 57"),
            (1, "similarity needs at least 2 clients; this round had 1"),
            (3, "the similarity of the clients was not recorded in this round"),
        ],
    )
    def test_says_why_there_is_none(self, updates, reason):
        assert plot_of("similarity", run([finished(1, updates=updates)])).text == reason
