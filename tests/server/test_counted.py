"""What keeps an update from being counted twice."""

from hypothesis import given
from hypothesis import strategies as st

from engine.server.counted import CountedUpdates
from engine.telemetry import UpdateId

updates = st.builds(UpdateId, st.sampled_from(["1", "2", "host-3"]), st.integers(1, 30), st.integers(0, 3))


def test_what_is_in_a_model_is_counted_and_nothing_else():
    counted = CountedUpdates(50, {})
    counted.add([UpdateId("1", 3), UpdateId("1", 3, 1)], 3)

    assert UpdateId("1", 3, 1) in counted
    assert UpdateId("1", 3, 2) not in counted
    assert UpdateId("2", 3) not in counted


def test_it_forgets_what_would_be_refused_as_too_stale():
    counted = CountedUpdates(2, {})
    counted.add([UpdateId("1", 3), UpdateId("1", 4)], 4)
    assert UpdateId("1", 3) in counted  # round 5 is open: 2 behind
    counted.add([], 5)

    assert UpdateId("1", 3) not in counted
    assert UpdateId("1", 4) in counted


@given(st.lists(updates, max_size=30), st.integers(1, 1000), st.data())
def test_a_checkpoint_holds_it_whatever_the_order(ids, max_staleness, data):
    counted, shuffled = CountedUpdates(max_staleness, {}), CountedUpdates(max_staleness, {})
    counted.add(ids, 30)
    shuffled.add(data.draw(st.permutations(ids)), 30)
    again = CountedUpdates(max_staleness, counted.to_checkpoint())

    assert shuffled.to_checkpoint() == counted.to_checkpoint() == again.to_checkpoint()
    for update in ids:
        is_acceptable = 31 - update.round <= max_staleness
        assert (update in again) == is_acceptable
