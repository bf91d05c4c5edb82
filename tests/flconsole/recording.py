"""A recorded run: three clients, two of three rounds, a crash, a refusal, an operator who stopped it."""

import itertools

from engine import telemetry as t
from engine.event_log import EventLog

RUN = "20260102-030405-abcd"
START = 1_767_322_800.0


def joined(client, part):
    return t.ClientJoined(client=client, host="here", pid=100 + part, part=part, examples=500)


def started(name, role, pid, client=None, **more):
    return t.ProcessStarted(
        name=name,
        role=role,
        pid=pid,
        create_time=1.0,
        log=f"logs/{name}.log",
        host="here",
        client=client,
        **more,
    )


def shared_process(pid, *clients, **more):
    """The start of a process of several clients."""
    name = f"clients-{clients[0]}-{clients[-1]}"
    return started(name, "client", pid, clients[0], clients=list(clients), **more)


def exited(name, pid, *, code=None, sig=None, restart=False, reason=""):
    return t.ProcessExited(name=name, pid=pid, code=code, signal=sig, will_restart=restart, reason=reason)


def opened(number, cohort, **more):
    rules = {"quorum": len(cohort), "deadline_s": None, **more}
    return t.RoundOpened(round=number, cohort=list(cohort), base="b", **rules)


def accepted(client, number, **more):
    return t.UpdateAccepted(
        client=client,
        round=number,
        examples=500,
        loss=1.5,
        accuracy=0.5,
        test_accuracy=None,
        train_s=2.0,
        transfer_s=0.1,
        bytes=248_024,
        norm=0.7,
        **more,
    )


def closed(number, *updates):
    """The end of a round with updates as `(client, round trained for)`, their first from that model."""
    accepted = [t.UpdateId(*update) for update in updates]
    return t.RoundClosed(round=number, updates=len(accepted), digest=f"digest-{number}", accepted=accepted)


def finished(number, updates, accuracy):
    return t.RoundFinished(
        round=number,
        updates=updates,
        examples=500 * updates,
        accuracy=accuracy,
        loss=2.0 - (accuracy or 0.0),
        digest=f"digest-{number}",
        seconds=4.0,
        parts={},
        bytes_up=1,
        bytes_down=1,
    )


def ended(kind, *, rounds=2, reason="stopped by an operator", exit_code=0):
    return kind(
        rounds=rounds,
        accuracy=0.61,
        loss=1.39,
        digest="digest-2",
        seconds=10.0,
        run_dir="runs/" + RUN,
        reason=reason,
        exit_code=exit_code,
    )


SERVER_EVENTS = [
    t.ServerStarted(epoch=1, round=0, model_digest="b", parameters=62_006),
    joined("1", 0),
    joined("2", 1),
    joined("3", 2),
    t.ClientRefused(client="4", host="here", reason="no part is free"),
    opened(1, "123"),
    accepted("1", 1),
    accepted("2", 1),
    t.UpdateRejected(client="3", round=1, reason="not_finite", detail="NaN or infinity in the delta"),
    accepted("3", 1),
    t.RoundClosed(round=1, updates=3, digest="digest-1"),
    finished(1, 3, 0.55),
    t.BrokerLost(reason="connection refused"),
    t.BrokerBack(away_s=0.4, reset=True),
    opened(2, "123"),
    t.ClientLost(client="2", reason="killed by SIGSEGV"),
    accepted("1", 2),
    t.ClientBack(client="2", away_s=1.0),
    accepted("3", 2),
    accepted("2", 2),
    t.RoundClosed(round=2, updates=3, digest="digest-2"),
    finished(2, 3, 0.61),
    t.FederationPaused(),
    t.ClientPaused(client="3"),
    t.FederationResumed(),
    opened(3, "12"),
    accepted("1", 3),
]
SUPERVISOR_EVENTS = [
    t.RunStarted(
        pid=10,
        run_dir="runs/" + RUN,
        resumed=False,
        clients=3,
        rounds=3,
        model="lenet",
        dataset="digits",
        stand_in="CIFAR-10 is not on this disk",
        mode="sync",
    ),
    started("broker", "broker", 11),
    started("server", "server", 12),
    started("client-1", "client", 100, "1"),
    started("client-2", "client", 101, "2"),
    started("client-3", "client", 102, "3"),
    exited("client-2", 101, sig="SIGSEGV", restart=True, reason="killed by SIGSEGV"),
    started("client-2", "client", 201, "2"),
    t.Command(
        command="kill-client", arguments={"client": "3", "hard": True}, ok=True, answer="client 3 killed"
    ),
    exited("client-3", 102, sig="SIGKILL", reason="killed by SIGKILL"),
    exited("server", 12, code=143, reason="stopped"),
    ended(t.RunStopped),
]


def record(path, origin, events):
    """Writes events as their process would, a second apart."""
    seconds = itertools.count(START)
    log = EventLog(path, run=RUN, origin=origin, clock=lambda: next(seconds))
    for event in events:
        log.append(event)
    log.close()
