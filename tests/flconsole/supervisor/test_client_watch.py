"""What the clients do is asked of a real socket, and a server that does not answer is asked nothing more."""

import asyncio

import msgspec
import pytest

from engine.commands import Answer, Inspect, encode
from engine.telemetry import ClientSample
from flconsole.supervisor import client_watch
from flconsole.supervisor.client_watch import ClientWatch
from flconsole.supervisor.server_link import ServerLink
from tests.flconsole.supervisor.answering import connected

TRAINING = {"members": {"1": {"state": "training", "round": 2}}}


def test_what_the_server_says_is_a_sample_of_each_client(socket_path):
    async def look():
        async with connected(socket_path) as (server, link):
            watch = ClientWatch(link)
            server.answers.put_nowait(Answer(ok=True, data=TRAINING))
            return await watch.look(), server.questions

    samples, questions = asyncio.run(look())
    assert samples == {"1": ClientSample(state="training", round=2)}
    assert [msgspec.json.decode(question) for question in questions] == [{"type": "Inspect"}]
    assert questions == [encode(Inspect())]


def test_a_busy_server_is_asked_one_question_and_no_second(socket_path, monkeypatch):
    monkeypatch.setattr(client_watch, "_PATIENCE_S", 0.01)

    async def look():
        async with connected(socket_path) as (server, link):
            watch = ClientWatch(link)
            nothing = [await watch.look() for _ in range(3)]
            asked = len(server.questions)
            server.answers.put_nowait(Answer(ok=True))
            server.answers.put_nowait(Answer(ok=True, data=TRAINING))
            await watch._question
            return nothing, asked, await watch.look()

    nothing, asked, samples = asyncio.run(look())
    assert (nothing, asked) == ([{}, {}, {}], 1)
    assert set(samples) == {"1"}


@pytest.mark.parametrize("data", [{}, {"members": {"1": {"state": 7}}}, {"members": 7}])
def test_an_answer_of_another_form_tells_nothing(socket_path, data):
    async def look():
        async with connected(socket_path) as (server, link):
            watch = ClientWatch(link)
            server.answers.put_nowait(Answer(ok=True, data=data))
            return await watch.look()

    assert asyncio.run(look()) == {}


def test_without_a_server_nothing_is_known(socket_path):
    async def look():
        return await ClientWatch(ServerLink(socket_path, lambda _: None)).look()

    assert asyncio.run(look()) == {}
