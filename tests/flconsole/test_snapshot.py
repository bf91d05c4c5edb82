"""What the console shows is folded record by record, and costs little however long the run is."""

from hypothesis import given
from hypothesis import strategies as st

from flconsole.feed import RunFeed
from flconsole.snapshot import POINTS_KEPT, Snapshot, advance, advance_all
from tests.console.staging import Stage
from tests.flconsole.recording import accepted, finished, joined, opened


def curve_of(rounds):
    stage = Stage()
    for number in range(1, rounds + 1):
        stage.tell(accepted("1", number), at=number)
    return stage.view().snapshot.curves["1"]


def test_a_run_is_folded_into_state_timeline_and_curves(run_dir):
    with RunFeed(run_dir) as feed:
        snapshot = advance_all(Snapshot(), feed.read())

    assert snapshot.state.rounds_done == 2
    assert any(entry.text.startswith("run stopped after 2 rounds") for entry in snapshot.timeline.entries)
    assert [len(snapshot.curves[client].points) for client in ("1", "2", "3")] == [3, 2, 2]


def test_what_was_folded_before_changes_nothing(run_dir):
    with RunFeed(run_dir) as feed:
        records = feed.read()
    snapshot = advance_all(Snapshot(), records)

    for record in records:
        assert advance(snapshot, record) is snapshot


def test_a_snapshot_shares_with_its_successor_what_has_not_changed():
    stage = Stage(joined("1", 0), opened(1, "1"), accepted("1", 1))
    before = stage.view().snapshot
    stage.tell(finished(1, 1, 0.5))
    after = stage.view().snapshot

    assert after.curves is before.curves
    assert after.state.clients is before.state.clients
    assert after.timeline is not before.timeline


@given(st.integers(1, 4 * POINTS_KEPT))
def test_a_curve_is_thinned_out_evenly(reports):
    curve = curve_of(reports)

    assert len(curve.points) <= POINTS_KEPT
    assert [point.round for point in curve.points] == list(range(1, reports + 1, curve.stride))
    assert reports <= POINTS_KEPT or len(curve.points) >= POINTS_KEPT // 2


def test_a_point_is_what_the_client_reported():
    (point,) = curve_of(1).points

    assert (point.round, point.loss, point.accuracy) == (1, 1.5, 0.5)


def test_the_points_of_one_round_share_its_number():
    """With a hundred clients, that saves as many numbers for each round."""
    stage = Stage()
    for number in range(1, 301):
        stage.tell(opened(1000 + number, "12"), accepted("1", 1000 + number), accepted("2", 1000 + number))
    curves = stage.view().snapshot.curves

    for one, other in zip(curves["1"].points, curves["2"].points, strict=True):
        assert one.round is other.round
