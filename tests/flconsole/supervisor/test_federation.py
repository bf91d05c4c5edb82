"""What operators want is passed on to the server, and told again to the next one once it was carried out."""

import asyncio

import msgspec
import pytest

from engine.commands import Answer, Pause, ServerCommand, SetPaused, SetRound, StopAfterRound, Unpause
from flconsole.supervisor import requests
from flconsole.supervisor.federation import Federation
from tests.flconsole.supervisor.answering import connected

NOTHING_PAUSED = SetPaused(federation=False, clients=())


def ask(socket_path, *asked, answers=None, kept=None):
    """Asks one after the other; what the server heard, and what the next one would be told."""
    kept = [] if kept is None else kept

    async def talk():
        async with connected(socket_path) as (server, link):
            federation = Federation(link, kept.append)
            for request, answer in zip(asked, answers or [Answer(ok=True)] * len(asked), strict=True):
                server.answers.put_nowait(answer)
                assert await federation.ask(request) == answer
            heard = [msgspec.json.decode(line, type=ServerCommand) for line in server.questions]
            return heard, federation.desired()

    return asyncio.run(talk())


def test_without_wishes_a_server_is_told_that_nothing_is_paused(socket_path):
    assert ask(socket_path) == ([], [NOTHING_PAUSED])


def test_pauses_add_up(socket_path):
    heard, desired = ask(
        socket_path,
        requests.Pause(),
        requests.Pause(clients=["2", "1"]),
        requests.Unpause(clients=["2"]),
        requests.Pause(clients=["3"]),
        requests.Unpause(),
    )

    assert heard[:3] == [Pause(), Pause(clients=("2", "1")), Unpause(clients=("2",))]
    assert desired == [SetPaused(federation=False, clients=("1", "3"))]


@pytest.mark.parametrize(
    "request_", [requests.Pause(), requests.Pause(clients=["9"]), requests.SetRules(quorum=9)]
)
def test_what_the_server_refuses_is_no_wish(socket_path, request_):
    _, desired = ask(socket_path, request_, answers=[Answer(ok=False, text="no")])

    assert desired == [NOTHING_PAUSED]


def test_rules_that_the_server_has_changed_are_kept(socket_path):
    kept = []
    changes = [
        requests.SetRules(quorum=2, deadline_s=9.0),
        requests.SetRules(clear=["quorum"]),
        requests.SetRules(aggregation_interval_seconds=5.0, min_updates_per_aggregation=2),
    ]
    heard, desired = ask(socket_path, *changes, kept=kept)

    assert heard == kept
    assert kept == [
        SetRound(quorum=2, deadline_s=9.0),
        SetRound(clear=("quorum",)),
        SetRound(aggregation_interval_seconds=5.0, min_updates_per_aggregation=2),
    ]
    assert desired == [NOTHING_PAUSED]  # a successor reads them for itself


def test_rules_that_the_server_refuses_are_not_kept(socket_path):
    kept = []
    ask(socket_path, requests.SetRules(quorum=9), answers=[Answer(ok=False, text="no")], kept=kept)

    assert kept == []


def test_rules_that_cannot_be_kept_hold_and_the_operator_is_told(socket_path):
    def full(_change):
        raise OSError(28, "No space left on device")

    async def talk():
        async with connected(socket_path) as (server, link):
            server.answers.put_nowait(Answer(ok=True, text="from now on: quorum 2"))
            return await Federation(link, full).ask(requests.SetRules(quorum=2))

    answer = asyncio.run(talk())
    assert answer.ok
    assert answer.text.startswith("from now on: quorum 2; but only until the server restarts: ")
    assert "No space left on device" in answer.text


def test_a_stop_is_told_again_even_where_the_server_was_away_when_it_was_asked_for(socket_path):
    async def stop():
        async with connected(socket_path) as (_, link):
            federation = Federation(link, [].append)
            answer = await federation.ask(requests.Stop(after_round=True))
            return answer, federation.desired()

    answer, desired = asyncio.run(stop())
    assert answer.ok
    assert desired == [NOTHING_PAUSED, StopAfterRound()]


def test_what_the_server_carries_out_late_holds_all_the_same(socket_path):
    async def pause():
        async with connected(socket_path) as (server, link):
            is_done = asyncio.Event()
            answer = await link.ask(Pause(), timeout_s=0.01, when_done=is_done.set)
            server.answers.put_nowait(Answer(ok=True))
            await is_done.wait()
            return answer

    assert asyncio.run(pause()) == Answer(ok=False, text="the server has not answered for 0.01 s")
