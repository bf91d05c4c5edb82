"""The table of clients without a screen: rows, order, filter, columns."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import telemetry as t
from flconsole.client_rows import (
    BY_NAME,
    COLUMNS,
    ClientRow,
    client_rows,
    columns_for,
    row_filter,
    sample_age,
    sort_rows,
)
from flconsole.state import ClientState
from tests.console.staging import Stage, run_started, use
from tests.flconsole.recording import accepted, exited, joined, opened, shared_process, started


def rows_of(*events, at=0.0, **how):
    stage = Stage(*events)
    stage.wait(at)
    return {row.id: row for row in client_rows(stage.view().snapshot.state, stage.now, **how)}


def row(name, **known):
    return ClientRow(id=name, **known)


def ids(rows):
    return [row.id for row in rows]


# --- rows


def test_of_a_client_that_was_only_started_nothing_is_known():
    known = rows_of(started("client-1", "client", 100, "1"))["1"]

    assert known == ClientRow(id="1", state=ClientState.JOINING, process="client-1", starts=1)
    assert {column.text(known) for column in COLUMNS} == {"1", "joining", "-"}


def test_clients_that_share_a_process_say_so_beside_what_it_uses():
    shared, own = shared_process(100, "1", "2", "3"), started("client-4", "client", 101, "4")
    sample = t.Sample(processes={"clients-1-3": t.ProcessSample(cpu_percent=90.0, rss_bytes=10**8)})
    known = rows_of(shared, own, sample)

    assert [known[client].cpu_percent for client in "1234"] == [90.0, 90.0, 90.0, None]
    assert {known[client].memory_bytes for client in "123"} == {10**8}
    assert [BY_NAME["process"].text(known[client]) for client in "1234"] == ["1-3", "1-3", "1-3", "4"]
    assert BY_NAME["process"] in columns_for([known["1"], known["4"]])
    assert BY_NAME["process"] not in columns_for([known["4"]])


def test_a_row_tells_the_last_update_and_its_age():
    known = rows_of(joined("1", 0), opened(4, "1"), accepted("1", 4), at=7.9)["1"]

    assert (known.round, known.loss, known.accuracy, known.examples) == (4, 1.5, 0.5, 500)
    assert (known.updates, known.rejected, known.bytes_up) == (1, 0, 248_024)
    assert known.age_s == pytest.approx(7.9)
    assert (known.host, known.part) == ("here", 0)


def test_a_client_that_trains_shows_the_round_it_trains_for():
    known = rows_of(joined("1", 0), opened(4, "1"), accepted("1", 4), opened(5, "1"))["1"]

    assert (known.state, known.round, known.loss) == (ClientState.TRAINING, 5, 1.5)


def test_at_its_own_pace_a_client_shows_how_stale_its_last_update_was():
    update = accepted("1", 7, staleness=2, repeat=1)
    pace = t.Sample(processes={}, clients={"1": t.ClientSample(state="training", round=6, interval_s=2.5)})
    events = [joined("1", 0), opened(7, "1"), update, pace]

    known = rows_of(
        run_started(mode="timed"), t.ServerStarted(epoch=1, round=0, model_digest="b", parameters=9), *events
    )["1"]
    assert (known.staleness, known.repeat, known.round, known.interval_s) == (2, 1, 6, 2.5)
    assert rows_of(*events)["1"].staleness is None, "in sync every update is for the open round"


def test_an_update_from_a_clock_ahead_of_ours_is_not_younger_than_new():
    assert rows_of(joined("1", 0), opened(1, "1"), accepted("1", 1), at=-5)["1"].age_s == 0


RUNNING = [started("client-1", "client", 100, "1"), joined("1", 0)]
USE = use("1", cpu_percent=93.6, rss_bytes=424_000_000)


def test_a_sample_tells_what_a_running_client_uses():
    known = rows_of(*RUNNING, USE)["1"]

    assert (known.cpu_percent, known.memory_bytes, known.gpu_percent) == (93.6, 424_000_000, None)


def test_a_client_whose_process_has_gone_uses_nothing_that_is_known():
    gone = rows_of(*RUNNING, USE, exited("client-1", 100, sig="SIGKILL"))["1"]

    assert (gone.state, gone.cpu_percent, gone.memory_bytes) == (ClientState.FAILED, None, None)


def test_when_the_supervisor_was_killed_its_clients_were_too():
    ours = rows_of(*RUNNING, USE, opened(1, "1"), is_gone=True)["1"]
    elsewhere = rows_of(joined("2", 1), opened(1, "2"), is_gone=True)["2"]

    assert (ours.state, ours.cpu_percent) == (ClientState.STOPPED, None)
    assert elsewhere.state is ClientState.LOST


def test_the_server_tells_what_a_client_has_received():
    heard = t.Sample(processes={}, clients={"1": t.ClientSample(bytes_down=5_000_000)})

    assert rows_of(*RUNNING)["1"].bytes_down is None
    assert rows_of(*RUNNING, heard)["1"].bytes_down == 5_000_000
    assert rows_of(*RUNNING, heard, USE)["1"].bytes_down == 5_000_000, "not every sample tells"


def test_a_sample_is_stale_after_three_seconds():
    stage = Stage(*RUNNING, USE)
    state = stage.view().snapshot.state

    assert sample_age(state, stage.now + 3) is None
    assert sample_age(state, stage.now + 12) == 12
    assert sample_age(Stage(*RUNNING).view().snapshot.state, stage.now) is None


def test_a_row_counts_the_starts_of_its_process():
    again = started("client-1", "client", 200, "1")

    assert rows_of(*RUNNING, again)["1"].starts == 2
    assert rows_of(joined("2", 0))["2"].starts is None, "its process is elsewhere"


def test_rows_are_in_the_numeric_order_of_their_ids():
    events = [joined(client, 0) for client in ("10", "9", "gpu-10", "gpu-9", "1")]

    assert list(rows_of(*events)) == ["1", "9", "10", "gpu-9", "gpu-10"]


# --- order

names = st.text(st.sampled_from("019ab-."), min_size=1, max_size=6)
fields = {
    "id": names,
    "host": st.none() | names,
    "state": st.sampled_from(ClientState),
    "round": st.none() | st.integers(0, 9),
    "loss": st.none() | st.floats(allow_nan=False),
    "cpu_percent": st.none() | st.floats(0, 100),
    "bytes_up": st.none() | st.integers(0, 10**12),
}
some_rows = st.lists(st.builds(ClientRow, **fields), max_size=12)
some_column = st.sampled_from(sorted(fields))


@given(rows=some_rows, column=some_column, reverse=st.booleans())
def test_sorting_loses_nothing_and_puts_the_unknown_last(rows, column, reverse):
    ordered = sort_rows(rows, column, reverse=reverse)
    is_known = [getattr(row, column) is not None for row in ordered]

    assert sorted(map(id, ordered)) == sorted(map(id, rows))
    assert is_known == sorted(is_known, reverse=True)


@given(rows=some_rows, column=some_column)
def test_sorting_the_other_way_around_turns_the_known_around(rows, column):
    def values(reverse):
        return [getattr(row, column) for row in sort_rows(rows, column, reverse=reverse)]

    known = [value for value in values(reverse=False) if value is not None]
    assert [value for value in values(reverse=True) if value is not None] == known[::-1]


@given(rows=some_rows, column=some_column, reverse=st.booleans())
def test_equals_keep_the_order_they_came_in(rows, column, reverse):
    came = {id(row): position for position, row in enumerate(rows)}
    ordered = sort_rows(rows, column, reverse=reverse)

    for before, after in itertools.pairwise(ordered):
        if getattr(before, column) == getattr(after, column):
            assert came[id(before)] < came[id(after)]


@given(numbers=st.lists(st.integers(0, 10**6), unique=True))
def test_numeric_ids_sort_as_numbers(numbers):
    rows = [row(str(number)) for number in numbers]

    assert ids(sort_rows(rows, "id")) == [str(number) for number in sorted(numbers)]


def test_states_sort_from_joining_to_stopped():
    rows = [row("1", state=ClientState.STOPPED), row("2", state=ClientState.LOST), row("3")]

    assert ids(sort_rows(rows, "state")) == ["3", "2", "1"]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_every_column_sorts(column):
    rows = list(rows_of(*RUNNING, USE, joined("2", 1), opened(1, "12"), accepted("1", 1)).values())

    assert len(sort_rows(rows, column.name, reverse=True)) == 2


# --- filter

FOUND = [
    row("1", host="gpu-a", state=ClientState.TRAINING),
    row("2", host="gpu-b", state=ClientState.LOST),
    row("12", host=None, state=ClientState.TRAINING),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1", "2", "12"]),
        ("   ", ["1", "2", "12"]),
        ("2", ["2", "12"]),
        ("^2$", ["2"]),
        ("gpu", ["1", "2"]),
        ("GPU train", ["1"]),
        ("!lost", ["1", "12"]),
        ("!lost !gpu", ["12"]),
        ("gpu-[ab]", ["1", "2"]),
        ("gpu-[", []),
        ("training", ["1", "12"]),
        ("!", ["1", "2", "12"]),
        ("nowhere", []),
    ],
)
def test_words_are_found_in_id_host_and_state(text, expected):
    assert ids(filter(row_filter(text), FOUND)) == expected


@pytest.mark.parametrize("text", ["gpu-[", "(", "*", "a{99999999999}", "[[a]", "?"])
def test_what_is_no_regular_expression_means_itself(text):
    assert ids(filter(row_filter(text), [row("1", host=f"x{text}y"), row("2", host="zzz")])) == ["1"]


@given(text=st.text(max_size=12), rows=some_rows)
def test_whatever_is_typed_filters(text, rows):
    wanted = ids(filter(row_filter(text), rows))

    assert set(wanted) <= set(ids(rows))


@given(word=st.from_regex(r"[a-z0-9]{1,4}", fullmatch=True), rows=some_rows)
def test_a_word_and_its_inverse_share_the_rows_out(word, rows):
    with_it, without = (list(filter(row_filter(text), rows)) for text in (word, f"!{word}"))

    assert len(with_it) + len(without) == len(rows)


# --- columns


def shown(width, rows):
    return [column.name for column in columns_for(rows, width)]


PLAIN_ROWS = [row(str(number), cpu_percent=1.0) for number in range(1, 101)]


def test_on_60_columns_the_most_telling_stay():
    assert shown(57, PLAIN_ROWS) == [
        "id", "state", "round", "loss", "accuracy", "age_s", "cpu_percent", "memory_bytes"
    ]  # fmt: skip


def test_on_80_columns_there_is_what_the_run_is_about():
    assert shown(77, PLAIN_ROWS) == [
        "id", "state", "round", "loss", "accuracy", "examples", "age_s",
        "bytes_up", "bytes_down", "cpu_percent", "memory_bytes",
    ]  # fmt: skip


def test_on_200_columns_there_is_everything_that_somebody_has():
    rare = {
        "gpu_bytes": 1, "gpu_percent": 0.0, "starts": 2, "rejected": 1,
        "staleness": 0, "repeat": 0, "interval_s": 1.0, "process": "clients-1-2",
    }  # fmt: skip

    assert shown(197, [*PLAIN_ROWS, row("g", **rare)]) == list(BY_NAME)
    assert shown(197, PLAIN_ROWS) == [name for name in BY_NAME if name not in rare]


def test_a_gpu_at_rest_is_shown_and_a_first_start_is_not():
    rows = [row("1", gpu_percent=0.0, starts=1, rejected=0)]

    assert "gpu_percent" in shown(None, rows)
    assert not {"gpu_bytes", "starts", "rejected"} & set(shown(None, rows))


@given(width=st.integers(0, 220), rows=some_rows)
def test_the_columns_fit_beside_each_other(width, rows):
    columns = columns_for(rows, width)

    assert sum(column.width + 1 for column in columns) - 1 <= width
    assert all(len(column.heading) < column.width for column in columns)


@given(narrow=st.integers(0, 220), more=st.integers(0, 50), rows=some_rows)
def test_more_room_takes_no_column_away(narrow, more, rows):
    assert set(shown(narrow, rows)) <= set(shown(narrow + more, rows))


def test_names_have_the_room_they_need_and_no_more_than_that():
    rows = [row("client-number-17", host="h" * 99)]

    assert [column.width for column in columns_for(rows) if column.name in ("id", "host")] == [16, 20]


def test_a_name_cannot_talk_to_the_terminal():
    evil = row("\x1b[2J", host="\x07")

    assert BY_NAME["id"].text(evil) == r"\x1b[2J"
    assert BY_NAME["host"].text(evil) == r"\x07"


# --- figures


@given(st.floats(0, 1e30))
def test_a_loss_fits_its_column(value):
    text = BY_NAME["loss"].text(row("1", loss=value))

    assert len(text) <= BY_NAME["loss"].width
    assert math.isclose(float(text), value, rel_tol=0.05, abs_tol=1e-4)
