"""The state of a run follows from its records, however often and in whatever portions they are read."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine import telemetry as t
from engine.telemetry import Envelope
from flconsole.fold import fold, fold_all
from flconsole.narration import progress
from flconsole.runs import read_state
from flconsole.state import ClientState, RunState, Staleness
from tests.console.staging import Stage, run_started
from tests.flconsole.recording import (
    RUN,
    SERVER_EVENTS,
    START,
    SUPERVISOR_EVENTS,
    accepted,
    closed,
    ended,
    exited,
    finished,
    joined,
    opened,
    shared_process,
    started,
)


def enveloped(origin, events, incarnation=1):
    return [
        (
            Envelope(
                v=1,
                ts=START + number,
                run=RUN,
                origin=origin,
                incarnation=incarnation,
                seq=number,
                type="as it is",
            ),
            event,
        )
        for number, event in enumerate(events, 1)
    ]


def state_of(*server_events, supervisor=()):
    return fold_all(RunState(), enveloped("server", server_events) + enveloped("supervisor", supervisor))


SERVER = enveloped("server", SERVER_EVENTS)
SUPERVISOR = enveloped("supervisor", SUPERVISOR_EVENTS)


@st.composite
def interleaved(draw):
    """The records of both writers, each in its order."""
    server, supervisor = list(SERVER), list(SUPERVISOR)
    records = []
    while server or supervisor:
        source = draw(st.sampled_from([side for side in (server, supervisor) if side]))
        records.append(source.pop(0))
    return records


@given(records=interleaved(), data=st.data())
def test_folding_a_prefix_twice_changes_nothing(records, data):
    prefix = records[: data.draw(st.integers(0, len(records)))]
    once = fold_all(RunState(), prefix)

    assert fold_all(once, prefix) == once
    assert fold_all(once, records) == fold_all(RunState(), records)


@given(records=interleaved(), data=st.data())
def test_repeated_records_change_nothing(records, data):
    repeated = []
    for position, record in enumerate(records):
        again = data.draw(st.integers(0, position))
        repeated += [record, records[again]]

    assert fold_all(RunState(), repeated) == fold_all(RunState(), records)


@given(records=interleaved())
def test_how_the_writers_interleave_changes_nothing(records):
    folded = fold_all(RunState(), records)
    in_turn = fold_all(RunState(), SERVER + SUPERVISOR)

    assert folded == in_turn
    assert [folded.client_state(c) for c in folded.client_ids] == [
        in_turn.client_state(c) for c in in_turn.client_ids
    ]


def test_a_snapshot_never_changes():
    before = fold_all(RunState(), SERVER[:6])
    copy = msgspec.json.encode(before)
    fold_all(before, SERVER[6:])

    assert msgspec.json.encode(before) == copy


def test_nothing_told_is_nothing_known():
    state = RunState()

    assert (state.run, state.rounds, state.accuracy, state.loss, state.seconds_left, state.round) == (
        None,
    ) * 6
    assert state.client_ids == []


def test_a_type_of_the_future_is_ignored():
    envelope, _ = SERVER[0]

    assert fold(RunState(), envelope, None) == RunState()


def test_the_recorded_run_reads_as_it_went(run_dir):
    state = read_state(run_dir)

    assert (state.run, state.rounds_done, state.rounds, state.accuracy) == (RUN, 2, 3, 0.61)
    assert (state.round.number, state.round.heard, state.round.closed) == (3, {"1"}, False)
    assert list(state.history) == [1, 2]
    assert (state.broker.losses, state.broker.resets, state.broker.lost_since) == (1, 1, None)
    assert state.clients["3"].rejected == 1
    assert state.clients["1"].updates == 3
    assert state.processes["client-2"].starts == 2
    assert state.sample.processes["broker"].cpu_percent == 7.0
    assert isinstance(state.outcome, t.RunStopped)
    assert state.client_ids == ["1", "2", "3", "4"]


def test_a_client_has_what_it_sent_and_when_it_was_last_accepted():
    client = state_of(joined("1", 0), accepted("1", 1), accepted("1", 2)).clients["1"]

    assert (client.updates, client.bytes_up, client.last_update.round) == (2, 2 * 248_024, 2)
    assert client.last_update_at == START + 3
    assert state_of(joined("1", 0)).clients["1"].last_update_at is None


def test_rules_that_change_during_a_round_are_those_of_the_round():
    changed = state_of(opened(1, "12"), t.RulesChanged(round=1, quorum=1, deadline_s=3.0)).round
    of_another = state_of(opened(2, "12"), t.RulesChanged(round=1, quorum=1, deadline_s=3.0)).round

    assert (changed.quorum, changed.deadline_s) == (1, 3.0)
    assert (of_another.quorum, of_another.deadline_s) == (2, None)


def test_the_interval_of_a_timed_round_changes_with_its_rules():
    timed = opened(1, "12", quorum=1, interval_s=10.0)
    changed = t.RulesChanged(round=1, quorum=2, deadline_s=None, interval_s=3.0)

    assert (state_of(timed).round.quorum, state_of(timed).round.interval_s) == (1, 10.0)
    assert (state_of(timed, changed).round.quorum, state_of(timed, changed).round.interval_s) == (2, 3.0)


def own_pace(*server_events, sample=None):
    """A run in which clients train at their own pace."""
    supervisor = [run_started(mode="timed"), *([] if sample is None else [sample])]
    return state_of(SERVER_EVENTS[0], joined("1", 0), joined("2", 1), *server_events, supervisor=supervisor)


def test_at_its_own_pace_a_client_has_any_number_of_updates_in_a_round():
    round_ = own_pace(
        opened(7, "12", quorum=2, interval_s=3.0),
        accepted("1", 7),
        accepted("1", 7, repeat=1),
        accepted("1", 7, staleness=2),
        accepted("1", 7, staleness=2),
    ).round

    assert [(each.round, each.repeat) for each in round_.accepted] == [(7, 0), (7, 1), (5, 0)]
    assert (round_.heard, round_.missing) == ({"1"}, ["2"])


def test_an_update_that_was_recorded_counts_in_a_round_that_goes_on_though_it_is_not_held_yet():
    """It is sent again, and never recorded again."""
    events = [opened(7, "12", quorum=3), accepted("1", 7), accepted("1", 7, repeat=1)]
    again = opened(7, "12", quorum=3, reopened=True, held=["1"])

    assert len(own_pace(*events, again).round.accepted) == 2
    assert len(own_pace(again).round.accepted) == 1
    assert len(own_pace(*events, opened(8, "12", quorum=3)).round.accepted) == 0


def says(client, state, **more):
    return t.Sample(processes={}, clients={client: t.ClientSample(state=state, **more)})


@pytest.mark.parametrize(
    ("word", "expected"),
    [("training", "training"), ("sending", "sending"), ("idle", "idle"), (None, "training")],
)
def test_at_its_own_pace_a_client_does_what_it_says(word, expected):
    state = own_pace(opened(1, "12", quorum=2), accepted("1", 1), sample=says("1", word))

    assert state.client_state("1") == expected


def test_at_its_own_pace_a_client_that_joins_during_a_round_takes_part_in_it():
    assert own_pace(opened(1, "2", quorum=2)).client_state("1") is ClientState.TRAINING
    assert own_pace().client_state("1") is ClientState.IDLE


def test_at_its_own_pace_a_paused_client_ends_what_it_has_begun():
    paused = [opened(1, "12", quorum=2), t.ClientPaused(client="1")]

    assert own_pace(*paused, sample=says("1", "training")).client_state("1") is ClientState.TRAINING
    assert own_pace(*paused, sample=says("1", "idle")).client_state("1") is ClientState.PAUSED
    assert own_pace(*paused).client_state("1") is ClientState.PAUSED


def test_a_client_that_was_not_needed_is_not_late():
    surplus = [joined(client, 0) for client in "123"] + [opened(1, "123", goal=2)]
    late = [accepted("1", 1), accepted("2", 1), t.ClientLate(client="3", round=1)]

    assert state_of(*surplus, *late).clients["3"].membership == "joined"
    assert state_of(*surplus, *late[1:]).clients["3"].membership == "late"


def test_a_closed_round_has_the_staleness_of_its_updates():
    state = state_of(
        closed(4, ("1", 4), ("2", 3), ("2", 1)),
        closed(5, ("1", 5)),
        t.RoundClosed(round=6, updates=1, digest="d"),
    )

    assert state.staleness == {4: Staleness(mean=4 / 3, most=3), 5: Staleness(mean=0.0, most=0)}


def test_the_saving_of_a_codec_is_known_from_the_updates_that_came():
    plain = [SERVER_EVENTS[0], joined("1", 0), accepted("1", 1)]
    packed = replace(accepted("1", 2), bytes=62_006 * 2, codec="shuffle+zstd")

    assert state_of(*plain).compression is None
    assert state_of(joined("1", 0), packed).compression is None, "nobody has told how large the model is"
    assert state_of(*plain[:2], packed).compression == 2.0


def test_only_the_latest_round_keeps_how_alike_its_clients_were():
    alike = {"similarity": [[1.0, None], [None, None]], "similarity_clients": ["1", "2"]}
    rounds = [replace(finished(number, 2, 0.5), **alike) for number in (1, 2)]
    state = state_of(*rounds)

    assert state.latest == rounds[1]
    assert state.history[1] == finished(1, 2, 0.5)
    assert state_of(*rounds, finished(3, 2, 0.5)).history[2] == finished(2, 2, 0.5)


def test_every_round_has_the_time_of_its_end():
    assert state_of(finished(1, 3, 0.5), finished(2, 3, 0.6)).round_ends == {1: START + 1, 2: START + 2}


def test_a_disk_that_is_getting_full_is_known_until_another_supervisor_looks():
    warning = t.DiskLow(free_bytes=3, limit_bytes=2)
    begun = state_of(opened(1, "12"), supervisor=[run_started(), warning])

    assert begun.disk_low == warning
    assert "disk nearly full" in progress(begun)
    assert state_of(supervisor=[run_started(), warning, run_started(resumed=True)]).disk_low is None


def test_a_process_knows_where_in_its_log_its_own_words_begin():
    again = replace(started("server", "server", 2), log_bytes=512)
    state = state_of(supervisor=[started("server", "server", 1), again])

    assert (state.processes["server"].log_start, state.processes["server"].starts) == (512, 2)


def test_a_client_that_was_started_and_has_not_joined_is_joining():
    assert (
        state_of(supervisor=[started("client-1", "client", 5, "1")]).client_state("1") is ClientState.JOINING
    )


def test_a_client_of_an_open_round_trains_until_its_update_is_held():
    before = state_of(joined("1", 0), joined("2", 1), opened(1, "12"))
    after = state_of(joined("1", 0), joined("2", 1), opened(1, "12"), accepted("1", 1))

    assert before.client_state("1") is ClientState.TRAINING
    assert after.client_state("1") is ClientState.IDLE
    assert after.client_state("2") is ClientState.TRAINING


def test_a_client_outside_the_cohort_is_idle():
    assert state_of(joined("1", 0), joined("2", 1), opened(1, "1")).client_state("2") is ClientState.IDLE


def test_what_a_restarted_server_holds_is_not_trained_again():
    state = state_of(joined("1", 0), joined("2", 1), opened(2, "12", reopened=True, held=["2"]))

    assert state.client_state("2") is ClientState.IDLE
    assert state.client_state("1") is ClientState.TRAINING


def test_a_late_client_is_late_until_the_next_round_counts_on_it():
    late = [joined("1", 0), opened(1, "1"), t.ClientLate(client="1", round=1)]

    assert state_of(*late).client_state("1") is ClientState.LATE
    assert state_of(*late, opened(2, "1")).client_state("1") is ClientState.TRAINING


def test_a_paused_client_is_paused_once_the_open_round_has_its_update():
    paused = [joined("1", 0), opened(1, "1"), t.ClientPaused(client="1")]

    assert state_of(*paused).client_state("1") is ClientState.TRAINING
    assert state_of(*paused, accepted("1", 1)).client_state("1") is ClientState.PAUSED
    resumed = state_of(*paused, accepted("1", 1), t.ClientResumed(client="1"))
    assert resumed.client_state("1") is ClientState.IDLE
    assert state_of(*paused, t.ClientLost(client="1", reason="silent")).client_state("1") is ClientState.LOST


def test_a_late_client_that_is_paused_is_not_late_for_ever():
    late = [joined("1", 0), opened(1, "1"), t.ClientLate(client="1", round=1)]

    assert state_of(*late, closed(1), t.ClientPaused(client="1")).client_state("1") is ClientState.PAUSED


def test_the_federation_is_paused_until_it_is_resumed():
    paused = [joined("1", 0), t.FederationPaused()]

    assert state_of(*paused).paused
    assert not state_of(*paused, t.FederationResumed()).paused


def test_after_a_resume_nobody_knows_what_a_client_does_until_a_server_has_taken_over():
    stage = Stage(run_started(), SERVER_EVENTS[0])
    stage.tell(joined("1", 0), opened(1, "1"), at=1)
    stage.tell(run_started(resumed=True), at=9)
    assert stage.view().snapshot.state.client_state("1") is ClientState.JOINING

    stage.tell(SERVER_EVENTS[0], at=10)
    assert stage.view().snapshot.state.client_state("1") is ClientState.TRAINING


def test_a_lost_client_is_lost_until_it_is_back():
    lost = [joined("1", 0), t.ClientLost(client="1", reason="silent")]

    assert state_of(*lost).client_state("1") is ClientState.LOST
    assert state_of(*lost, t.ClientBack(client="1")).client_state("1") is ClientState.IDLE


def test_how_often_a_client_was_lost_outlives_its_return():
    lost, back = t.ClientLost(client="1", reason="silent"), t.ClientBack(client="1")

    assert state_of(joined("1", 0)).clients["1"].losses == 0
    assert state_of(joined("1", 0), lost, back, lost, back).clients["1"].losses == 2


def test_what_a_client_had_received_outlives_a_sample_that_does_not_tell():
    told = t.Sample(processes={}, clients={"1": t.ClientSample(bytes_down=5), "2": t.ClientSample()})

    assert state_of(supervisor=[told, t.Sample(processes={})]).bytes_down == {"1": 5}


def test_what_a_client_had_received_is_counted_on_over_a_server_that_takes_over():
    told = [t.Sample(processes={}, clients={"1": t.ClientSample(bytes_down=value)}) for value in (5, 9, 2, 4)]

    assert [state_of(supervisor=told[:n]).bytes_down["1"] for n in (1, 2, 3, 4)] == [5, 9, 11, 13]


def test_the_state_knows_when_its_newest_record_was_written():
    assert RunState().recorded_at is None
    assert fold_all(RunState(), SERVER + SUPERVISOR).recorded_at == max(
        envelope.ts for envelope, _ in SERVER + SUPERVISOR
    )


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (exited("client-1", 5, code=1, reason="exit code 1"), ClientState.FAILED),
        (exited("client-1", 5, sig="SIGSEGV"), ClientState.FAILED),
        (exited("client-1", 5, sig="SIGKILL"), ClientState.FAILED),
        (exited("client-1", 5, code=0), ClientState.STOPPED),
        (exited("client-1", 5, code=143), ClientState.STOPPED),
        (exited("client-1", 5, sig="SIGTERM"), ClientState.STOPPED),
        (exited("client-1", 5, sig="SIGKILL", reason=t.STOPPED_WITH_RUN), ClientState.STOPPED),
    ],
)
def test_a_client_gone_for_good_failed_or_was_stopped(end, expected):
    state = state_of(joined("1", 0), supervisor=[started("client-1", "client", 5, "1"), end])

    assert state.client_state("1") is expected


def test_a_client_that_an_operator_killed_did_not_fail():
    kill = t.Command(command="kill-client", arguments={"client": "1", "hard": True}, ok=True, answer="")
    killed = [started("client-1", "client", 5, "1"), kill, exited("client-1", 5, sig="SIGKILL")]

    assert state_of(joined("1", 0), supervisor=killed).client_state("1") is ClientState.STOPPED


def test_a_client_without_a_process_here_failed_where_it_says_so():
    left = [joined("gpu-1", 0), t.ClientLeft(client="gpu-1", reason="out of memory", failed=True)]

    assert state_of(*left).client_state("gpu-1") is ClientState.FAILED
    assert state_of(left[0], replace(left[1], failed=False)).client_state("gpu-1") is ClientState.STOPPED
    assert state_of(*left, joined("gpu-1", 0)).client_state("gpu-1") is ClientState.IDLE


def test_a_crash_that_is_restarted_is_no_failure():
    crash = [started("client-1", "client", 5, "1"), exited("client-1", 5, sig="SIGKILL", restart=True)]

    assert state_of(joined("1", 0), supervisor=crash).client_state("1") is ClientState.IDLE


def test_when_the_run_has_ended_clients_have_stopped():
    state = state_of(joined("1", 0), supervisor=[ended(t.RunFinished)])

    assert state.client_state("1") is ClientState.STOPPED


def test_a_resumed_run_has_no_outcome_and_keeps_its_history():
    server = enveloped("server", SERVER_EVENTS)
    resumed = msgspec.structs.replace(SUPERVISOR_EVENTS[0], resumed=True)
    state = fold_all(RunState(), server + SUPERVISOR + enveloped("supervisor", [resumed], incarnation=2))

    assert state.outcome is None
    assert state.rounds_done == 2
    assert all(process.pid is None for process in state.processes.values())


def test_the_accuracy_is_that_of_the_latest_round_that_was_evaluated():
    state = state_of(finished(1, 3, 0.5), finished(2, 3, None))

    assert (state.rounds_done, state.accuracy) == (2, 0.5)


def test_the_time_left_is_foretold_from_the_rounds_so_far():
    state = state_of(finished(1, 3, 0.5), finished(2, 3, 0.5), supervisor=SUPERVISOR_EVENTS[:1])

    assert state.seconds_left == pytest.approx(1.0)


def test_a_bad_update_makes_no_client():
    state = state_of(t.UpdateRejected(client="stranger", round=None, reason="bad_magic"))

    assert state.client_ids == []


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (t.ClientSample(state="sending", round=2), ClientState.SENDING),
        (t.ClientSample(state="sending", round=1), ClientState.TRAINING),
        (t.ClientSample(state="training", round=2), ClientState.TRAINING),
        (t.ClientSample(), ClientState.TRAINING),
    ],
)
def test_a_client_sends_when_the_newest_sample_says_so_of_the_open_round(told, expected):
    server = enveloped("server", [joined("1", 0), opened(2, "1")])
    samples = enveloped("supervisor", [t.Sample(processes={}), t.Sample(processes={}, clients={"1": told})])
    state = fold_all(RunState(), server + samples)

    assert state.client_state("1") is expected
    assert state.sample_at == samples[-1][0].ts
    done = fold_all(state, enveloped("server", [accepted("1", 2)], incarnation=2))
    assert done.client_state("1") is ClientState.IDLE


def test_samples_have_numbers_of_their_own():
    sample = t.Sample(processes={"server": t.ProcessSample(rss_bytes=1)})
    supervisor = enveloped("supervisor", [started("server", "server", 1)] * 3)
    state = fold_all(RunState(), supervisor + enveloped("supervisor", [sample]))

    assert state.sample == sample


# --- clients that share a process


def test_what_ends_a_process_ends_all_its_clients():
    crash = exited("clients-1-3", 100, code=1, reason="exit code 1: boom")
    state = state_of(joined("1", 0), supervisor=[shared_process(100, "1", "2", "3"), crash])

    assert state.client_ids == ["1", "2", "3"]
    assert {state.client_state(client) for client in "123"} == {ClientState.FAILED}


def test_one_that_left_because_of_an_error_has_failed_and_the_others_go_on():
    left = t.ClientLeft(client="2", reason="part 1: missing", failed=True)
    state = state_of(
        t.ServerStarted(epoch=1, round=0, model_digest="b", parameters=9),
        joined("1", 0),
        joined("2", 1),
        left,
        supervisor=[shared_process(100, "1", "2")],
    )

    assert state.client_state("2") is ClientState.FAILED
    assert state.client_state("1") is ClientState.IDLE


def test_one_that_an_operator_ended_is_stopped_and_still_finds_its_log():
    kill = t.Command(command="kill-client", arguments={"client": "2", "hard": True}, ok=True, answer="")
    left = t.ClientLeft(client="2", reason=t.KILLED_BY_OPERATOR)
    crash = exited("clients-1-3", 100, sig="SIGKILL", restart=True, reason="killed by SIGKILL")
    state = state_of(
        joined("2", 1),
        left,
        supervisor=[
            shared_process(100, "1", "2", "3"),
            kill,
            crash,
            started("clients-1-3", "client", 101, "1", clients=["1", "3"]),
        ],
    )

    assert state.client_state("2") is ClientState.STOPPED
    assert state.process_of("2").log == "logs/clients-1-3.log"
    assert state.process_of("2").clients == ("1", "3")
    assert state.sharing_with(["2", "3"]) == ["1"]
    assert state.sharing_with(["9"]) == []


def test_of_a_client_elsewhere_no_process_is_known():
    assert state_of(joined("gpu-1", 0)).process_of("gpu-1") is None
