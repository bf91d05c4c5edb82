"""Each story of a run is one entry that a person understands."""

import pytest

from engine import telemetry as t
from flconsole.timeline import Kind, Level
from tests.console.staging import Stage, back, lost, run_started
from tests.flconsole.recording import (
    accepted,
    ended,
    exited,
    finished,
    joined,
    opened,
    shared_process,
    started,
)


def told(*events, every_s=1.0):
    """The entries after these events; tuples of an event and a time give their own."""
    stage = Stage()
    for number, event in enumerate(events):
        stage.tell(event, at=number * every_s)
    return stage.view().snapshot.timeline.entries


def texts(*events, **options):
    return [entry.text for entry in told(*events, **options)]


def command(name, *, ok=True, answer="done", **arguments):
    return t.Command(command=name, arguments=arguments, ok=ok, answer=answer)


CLIENT = started("client-1", "client", 100, "1")


# --- rounds


def test_a_disk_that_is_getting_full_is_a_warning_that_says_what_to_do():
    (entry,) = told(t.DiskLow(free_bytes=350_000_000, limit_bytes=200_000_000))

    assert (entry.kind, entry.level, entry.process) == (Kind.RUN, Level.WARNING, "supervisor")
    assert entry.text.startswith(
        "the disk is getting full: 350 MB free, the run ends below 200 MB; make room"
    )


def test_a_round_is_one_entry_from_its_opening_to_its_end():
    opening, update = opened(1, "12"), accepted("1", 1)
    closing, end = t.RoundClosed(round=1, updates=2, digest="d"), finished(1, 2, 0.5)

    assert texts(opening) == ["round 1 opened: 2 clients"]
    assert texts(opening, update, closing) == ["round 1 closed with 2 updates"]
    assert texts(run_started(), opening, update, closing, end)[1:] == [
        "round 1/10 finished: accuracy 0.5000, loss 1.5000, 2 updates, 4.00 s"
    ]
    (entry,) = told(opening)
    assert (entry.kind, entry.level, entry.round, entry.process) == (Kind.ROUND, Level.INFO, 1, "server")


def test_a_round_tells_what_closes_it_and_that_it_was_not_evaluated():
    rules = t.RoundOpened(round=2, cohort=["1", "2", "3"], quorum=2, deadline_s=30.0, base="b")

    assert texts(rules) == ["round 2 opened: 3 clients, quorum 2, deadline 30 s"]
    assert texts(t.RoundFinished(
        round=2, updates=2, examples=9, accuracy=None, loss=None, digest="d", seconds=None, parts={},
        bytes_up=1, bytes_down=1,
    )) == ["round 2 finished: not evaluated, 2 updates"]  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "rules", "told"),
    [
        ("sync", {"goal": 2, "quorum": 2}, "3 clients, 2 updates wanted"),
        (
            "sync",
            {"goal": 2, "quorum": 1, "deadline_s": 30.0},
            "3 clients, 2 updates wanted, quorum 1, deadline 30 s",
        ),
        ("timed", {"quorum": 2, "interval_s": 2.5}, "3 clients, closes every 2.5 s with at least 2 updates"),
        ("timed", {"quorum": 1, "interval_s": 60.0}, "3 clients, closes every 60 s with at least 1 update"),
        ("buffered", {"quorum": 5}, "3 clients, closes with 5 updates"),
    ],
)
def test_a_round_of_each_mode_tells_its_rules(mode, rules, told):
    assert texts(run_started(mode=mode), opened(2, "123", **rules))[1:] == [f"round 2 opened: {told}"]


def test_clients_that_were_not_needed_are_not_late():
    surplus = [opened(1, "123", goal=2), accepted("1", 1), accepted("2", 1)]
    short = surplus[:2]
    late = t.ClientLate(client="3", round=1)

    assert not any("late" in text for text in texts(*surplus, late))
    assert "client 3 is late for round 1" in texts(*short, late)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"quorum": 2, "deadline_s": 30.0}, "round 3 now closes with 2 updates or after 30 s"),
        ({"quorum": 1, "deadline_s": None}, "round 3 now closes with 1 update"),
        (
            {"quorum": 2, "deadline_s": None, "interval_s": 5.0},
            "round 3 now closes every 5 s with at least 2 updates",
        ),
    ],
)
def test_rules_that_were_changed_are_told_as_they_are_now(changed, told):
    assert texts(t.RulesChanged(round=3, **changed)) == [told]


def test_a_round_that_a_new_server_goes_on_with_says_so():
    assert texts(opened(4, "12"), opened(4, "12", reopened=True, held=["1"])) == [
        "round 4 opened: 2 clients",
        "round 4 goes on after a restart of the server, 1 update held",
    ]


def test_all_who_are_late_for_a_round_are_one_warning():
    events = [joined(name, 0) for name in "123"]
    late = [t.ClientLate(client=name, round=1) for name in "13"]

    (entry,) = told(*events, opened(1, "123"), *late)[4:]

    assert entry.text == "clients 1, 3 are late for round 1"
    assert entry.level is Level.WARNING
    assert told(*events, opened(1, "123"), late[0])[-1].text == "client 1 is late for round 1"


# --- clients


def test_a_crash_is_one_warning_and_the_return_one_note():
    crash = exited("client-1", 100, code=1, restart=True, reason="exit code 1: ValueError: no images")
    gone = lost("1", "exit code 1: ValueError: no images")
    again = started("client-1", "client", 200, "1")

    in_order = told(CLIENT, crash, gone, again, back("1"))
    the_server_first = told(CLIENT, gone, crash, again, back("1"))

    for first, second in (in_order, the_server_first):
        assert first.text == "client-1 ended: exit code 1: ValueError: no images; it is restarted"
        assert (first.level, first.is_failure, first.process) == (Level.WARNING, True, "client-1")
        assert second.text == "client 1 is back after 1.00 s"
        assert second.level is Level.INFO


def test_until_it_is_back_a_client_was_only_started_again():
    crash = exited("client-1", 100, sig="SIGSEGV", restart=True, reason="killed by SIGSEGV")

    assert texts(CLIENT, crash, started("client-1", "client", 200, "1"))[-1] == "client-1 was started again"


def test_a_client_that_is_given_up_on_is_one_error():
    reason = "exit code 1: boom; given up after 5 restarts"
    events = exited("client-1", 100, code=1, reason=reason), t.ClientLeft(client="1", reason=reason)

    (entry,) = told(CLIENT, *events)

    assert (entry.level, entry.text) == (Level.ERROR, f"client-1 ended: {reason}")


def test_the_crash_of_a_shared_process_is_one_entry_for_all_its_clients():
    reason = "exit code 1: boom"
    crash = exited("clients-1-3", 100, code=1, restart=True, reason=reason)

    (entry,) = told(shared_process(100, "1", "2", "3"), crash, *(lost(client, reason) for client in "123"))

    assert (entry.text, entry.kind) == (f"clients-1-3 ended: {reason}; it is restarted", Kind.CLIENT)
    assert entry.process == "clients-1-3"


def test_an_error_that_ends_one_client_of_several_is_a_failure_in_their_log():
    left = t.ClientLeft(client="2", reason="part 1: missing", failed=True)

    (entry,) = told(shared_process(100, "1", "2", log_bytes=7), left)

    assert (entry.level, entry.text) == (Level.ERROR, "client 2 left: part 1: missing")
    assert (entry.client, entry.process, entry.is_failure, entry.log_start) == ("2", "clients-1-2", True, 7)


def test_one_of_several_that_an_operator_ended_is_no_reason_to_worry():
    left = t.ClientLeft(client="2", reason=t.KILLED_BY_OPERATOR)

    (entry,) = told(shared_process(100, "1", "2"), left)

    assert (entry.level, entry.is_failure) == (Level.INFO, False)


def test_crash_after_crash_is_counted():
    crash = exited("client-1", 100, code=1, restart=True, reason="exit code 1: boom")
    again = started("client-1", "client", 100, "1")

    entries = told(CLIENT, *[crash, lost("1", "exit code 1: boom"), again, back("1")] * 3)

    assert [(entry.level, entry.times) for entry in entries] == [(Level.WARNING, 3), (Level.INFO, 3)]


def test_a_silent_client_is_lost_whatever_happened_to_it_before():
    crash = exited("client-1", 100, code=1, restart=True, reason="exit code 1: boom")

    assert texts(CLIENT, crash, lost("1", "silent for 15 s"))[-1] == "client 1 lost: silent for 15 s"


@pytest.mark.parametrize(
    ("hard", "end", "verb"), [(False, {"code": 143}, "stopped"), (True, {"sig": "SIGKILL"}, "killed")]
)
def test_a_kill_is_the_operators_command_and_one_end(hard, end, verb):
    events = [
        CLIENT,
        command("kill-client", client="1", hard=hard, answer=f"client 1 is being {verb}"),
        lost("1", t.TOLD_TO_END),
        exited("client-1", 100, reason=t.KILLED_BY_OPERATOR, **end),
        t.ClientLeft(client="1", reason=t.KILLED_BY_OPERATOR),
    ]

    asked, done = told(*events)

    assert asked.text == f"operator: kill-client client=1{' hard' if hard else ''}: client 1 is being {verb}"
    assert (asked.kind, asked.client, asked.process) == (Kind.OPERATOR, "1", "client-1")
    assert done.text == f"client-1 was {verb} by the operator"
    assert (done.level, done.is_failure) == (Level.INFO, False)


def test_a_client_elsewhere_that_is_told_to_end_is_lost():
    assert texts(joined("far-1", 0), lost("far-1", t.TOLD_TO_END))[-1] == (
        "client far-1 lost: its process was told to end"
    )


def test_a_client_restarted_by_the_operator_is_a_command_and_a_return():
    events = [
        CLIENT,
        command("restart-client", client="1", answer="client 1 is being restarted"),
        lost("1", t.TOLD_TO_END),
        exited("client-1", 100, code=143, restart=True, reason=t.RESTARTED_BY_OPERATOR),
        started("client-1", "client", 200, "1"),
        back("1"),
    ]

    assert texts(*events) == [
        "operator: restart-client client=1: client 1 is being restarted",
        "client 1 is back after 1.00 s",
    ]


def test_joining_leaving_and_refusals_are_told():
    refused = t.ClientRefused(client="4", host="here", reason="no part is free")
    left = t.ClientLeft(client="1", reason="it left")

    assert [(e.text, e.level) for e in told(joined("1", 0), refused, left)] == [
        ("client 1 joined from here, part 0", Level.INFO),
        ("client 4 refused: no part is free", Level.WARNING),
        ("client 1 left: it left", Level.WARNING),
    ]


def test_a_rejected_update_has_its_reason_and_a_kind_of_its_own():
    rejected = t.UpdateRejected(client="3", round=1, reason="not_finite", detail="NaN in the delta")

    (entry,) = told(rejected, rejected)

    assert entry.text == "update of client 3 rejected: not finite (NaN in the delta)"
    assert (entry.kind, entry.level, entry.round, entry.times) == (Kind.UPDATE, Level.WARNING, 1, 2)


# --- the server, the broker, the run


def test_a_server_that_crashes_and_goes_on():
    events = [
        started("server", "server", 1),
        t.ServerStarted(epoch=1, round=0, model_digest="b", parameters=62_006),
        exited("server", 1, sig="SIGKILL", restart=True, reason="killed by SIGKILL"),
        started("server", "server", 2),
        t.ServerStarted(epoch=2, round=5, model_digest="b", parameters=62_006),
    ]

    assert texts(*events) == [
        "server started: a model of 62006 values",
        "server ended: killed by SIGKILL; it is restarted",
        "server started again: it goes on after round 5",
    ]
    assert told(*events)[1].level is Level.WARNING


def test_a_broker_that_is_lost_and_one_that_is_recycled():
    lost_and_back = t.BrokerLost(reason="refused"), t.BrokerBack(away_s=0.4, reset=True)
    recycled = [
        started("broker", "broker", 1),
        t.BrokerRecycled(reason="3000 batches"),
        exited("broker", 1, sig="SIGKILL", restart=True, reason=f"{t.RECYCLED}: 3000 batches"),
        started("broker", "broker", 2),
        t.BrokerBack(away_s=0.1, reset=True),
    ]

    assert texts(*lost_and_back) == [
        "broker lost: refused",
        "broker is back after 0.40 s, empty: open transfers are sent again",
    ]
    assert texts(*recycled) == [
        "broker restarted as planned: 3000 batches",
        "broker is back after 0.10 s, empty: open transfers are sent again",
    ]


def test_what_an_operator_asks_for_and_what_comes_of_it_is_one_entry():
    assert texts(t.FederationPaused(), command("pause", answer="no other round is opened")) == [
        "operator: pause: no other round is opened"
    ]
    assert texts(
        *(t.ClientPaused(client=name) for name in "12"),
        command("pause", clients=["1", "2"], answer="left out"),
    ) == ["operator: pause clients=1,2: left out"]
    assert texts(
        t.RulesChanged(round=3, quorum=2, deadline_s=None), command("set", quorum=2, answer="from now on")
    ) == ["operator: set quorum=2: from now on"]


@pytest.mark.parametrize(
    ("reason", "detail", "told"),
    [
        (
            "too_stale",
            "too_stale: 61 rounds behind; the most is 50",
            "too stale (61 rounds behind; the most is 50)",
        ),
        (
            "norm_too_large",
            "norm_too_large: a norm of 9; the most is 5",
            "norm too large (a norm of 9; the most is 5)",
        ),
        ("not_a_member", "", "not a member"),
        ("round_full", "", "round full"),
    ],
)
def test_a_rejection_is_told_in_words_and_once(reason, detail, told):
    rejected = t.UpdateRejected(client="3", round=1, reason=reason, detail=detail)

    assert texts(rejected) == [f"update of client 3 rejected: {told}"]


def test_a_pause_nobody_asked_for_now_is_told_by_itself():
    """A server that starts is told what was asked of its predecessor."""
    assert texts(t.ClientPaused(client="3")) == ["client 3 is paused: left out of new rounds"]


def test_a_refused_command_is_a_warning():
    (entry,) = told(command("kill-client", client="9", ok=False, answer="there is no client '9'"))

    assert entry.text == "operator: kill-client client=9: refused: there is no client '9'"
    assert entry.level is Level.WARNING


def test_the_end_of_a_run_is_one_entry():
    events = [
        t.FederationEnded(reason="all 10 rounds are done"),
        exited("server", 1, code=0, reason="exit code 0"),
        exited("client-1", 100, code=143, reason=t.STOPPED_WITH_RUN),
        ended(t.RunFinished, rounds=10, reason="all 10 rounds are done"),
    ]

    assert texts(CLIENT, *events) == ["run finished after 10 rounds in 10 s: all 10 rounds are done"]


def test_a_run_that_failed_points_at_whoever_failed():
    server = exited("server", 1, code=5, reason="exit code 5: too few clients")
    failed = ended(t.RunFailed, rounds=2, reason="server: exit code 5: too few clients", exit_code=5)

    (entry,) = told(started("server", "server", 1), server, failed)

    assert entry.text == "run failed after 2 rounds in 10 s: server: exit code 5: too few clients"
    assert (entry.level, entry.process, entry.is_failure) == (Level.ERROR, "server", True)


def test_a_resumed_run_does_not_restart_its_processes():
    stopped = exited("client-1", 100, code=143, reason=t.STOPPED_WITH_RUN)
    resumed = run_started(resumed=True)

    end = ended(t.RunStopped)

    entries = texts(run_started(), CLIENT, stopped, end, resumed, CLIENT)

    assert entries[0].startswith("run started: ")
    assert "a stand-in" in entries[0]
    assert entries[-1].startswith("run resumed after round 0: ")


def test_a_run_that_goes_on_after_its_supervisor_was_killed_tells_so():
    *_, entry = told(run_started(), run_started(resumed=True))

    assert entry.level is Level.WARNING
    assert entry.text.startswith("run resumed after round 0; the supervisor before was gone without a word: ")


def test_whatever_a_stranger_wrote_is_made_visible():
    (entry,) = told(lost("\x1b[2J", "\x1b]0;title\x07"))

    assert entry.text == r"client \x1b[2J lost: \x1b]0;title\x07"
