"""The timeline keeps what matters, and shows what an operator asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flconsole.timeline import Entry, Kind, Level, Timeline
from flconsole.timeline_filter import EVERYTHING, TimelineFilter, count_troubles


def entry(text="something", level=Level.INFO, kind=Kind.CLIENT, **more):
    return Entry(level=level, kind=kind, text=text, **more)


def timeline_of(entries):
    timeline = Timeline()
    for one in entries:
        timeline = timeline.add(one)
    return timeline


def texts(timeline):
    return [one.text for one in timeline.entries]


def test_entries_stand_in_the_order_in_which_they_were_told():
    levels = [Level.WARNING, Level.INFO, Level.ERROR, Level.INFO]
    timeline = timeline_of(entry(str(number), level) for number, level in enumerate(levels))

    assert texts(timeline) == ["0", "1", "2", "3"]
    assert [one.number for one in timeline.entries] == [1, 2, 3, 4]


def test_no_number_of_rounds_pushes_out_an_error_or_a_command():
    timeline = timeline_of(
        [
            entry("it crashed", Level.ERROR),
            entry("a command", kind=Kind.OPERATOR),
            *(entry(f"round {number}", kind=Kind.ROUND) for number in range(3000)),
        ]
    )

    assert texts(timeline)[:2] == ["it crashed", "a command"]
    assert texts(timeline)[-1] == "round 2999"
    assert len(timeline.entries) <= 2000


@given(
    st.lists(
        st.builds(
            entry,
            text=st.integers().map(str),
            level=st.sampled_from(Level),
            kind=st.sampled_from(Kind),
            stories=st.sets(st.sampled_from("abc")).map(tuple),
            part=st.integers(1, 3),
            ts=st.floats(0, 200),
        ),
        max_size=30,
    )
)
def test_numbers_only_grow_and_of_a_story_the_newest_entry_knows_the_most(told):
    timeline = Timeline()
    for one in told:
        before, timeline = timeline, timeline.add(one)
        numbers = [other.number for other in timeline.entries]
        assert numbers == sorted(set(numbers))
        if timeline is before:
            assert any(set(other.stories) & set(one.stories) for other in before.entries)
        else:
            assert timeline.entries[-1].text == one.text


def test_a_story_is_told_once_by_whoever_knows_the_most():
    opened, finished = (
        entry(text, kind=Kind.ROUND, stories=("round 1",), part=part)
        for text, part in [("opened", 1), ("finished", 2)]
    )
    assert texts(timeline_of([opened, entry("lost"), finished])) == ["lost", "finished"]
    assert texts(timeline_of([finished, opened])) == ["finished"]


def test_an_entry_of_several_stories_is_not_told_where_one_of_them_is_told_better():
    better = entry("b", stories=("b",), part=3)
    lesser = entry("a", stories=("a",), part=1)

    assert texts(timeline_of([better, lesser, entry("both", stories=("a", "b"), part=2)])) == ["b", "a"]


def test_whoever_knows_less_is_heard_again_after_a_while():
    crashed = entry("crashed", stories=("client 1",), part=2, ts=0.0)
    lost = entry("lost", stories=("client 1",), part=1, ts=61.0)

    assert texts(timeline_of([crashed, lost])) == ["crashed", "lost"]


def test_the_same_told_again_and_again_is_counted():
    timeline = timeline_of([entry(text, Level.WARNING, ts=float(n)) for n, text in enumerate("abab" + "a")])

    assert [(one.text, one.times, one.ts, one.number) for one in timeline.entries] == [
        ("b", 2, 3.0, 4),
        ("a", 3, 4.0, 5),
    ]


def test_the_same_after_a_while_is_told_again():
    assert texts(timeline_of([entry("a", ts=0.0), entry("a", ts=61.0)])) == ["a", "a"]


# --- filtering

ENTRIES = [
    entry("client 3 joined from vm"),
    entry("round 1 finished", kind=Kind.ROUND),
    entry("client 3 lost: silent", Level.WARNING),
    entry("operator: pause", kind=Kind.OPERATOR),
    entry("run failed", Level.ERROR, Kind.RUN),
]


@pytest.mark.parametrize(
    ("choice", "words", "places"),
    [
        (EVERYTHING, "", [0, 1, 2, 3, 4]),
        ("warnings and errors", "", [2, 4]),
        ("all but rounds", "", [0, 2, 3, 4]),
        ("clients", "", [0, 2]),
        ("operator", "", [3]),
        (EVERYTHING, "CLIENT lost", [2]),
        (EVERYTHING, "client !lost", [0]),
        (EVERYTHING, "^(round|run) ", [1, 4]),
        (EVERYTHING, "(", []),
        ("clients", "joined", [0]),
    ],
)
def test_a_choice_and_words_filter_the_entries(choice, words, places):
    assert TimelineFilter(choice, words).select(ENTRIES) == [ENTRIES[place] for place in places]


def test_the_choices_go_round_and_leave_out_kinds_that_did_not_happen():
    chosen, seen = TimelineFilter(words="x"), []
    for _ in range(8):
        chosen = chosen.next(ENTRIES)
        seen.append(chosen.choice)

    assert seen == [
        "warnings and errors", "all but rounds", "run", "rounds", "clients", "operator",
        "everything", "warnings and errors",
    ]  # fmt: skip
    assert chosen.words == "x"
    assert TimelineFilter("broker").next(ENTRIES).choice == EVERYTHING


def test_troubles_are_counted_in_words():
    assert count_troubles(ENTRIES) == ["1 error", "1 warning"]
    assert count_troubles(ENTRIES * 2) == ["2 errors", "2 warnings"]
    assert count_troubles(ENTRIES[:2]) == []
