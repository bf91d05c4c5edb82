"""What clients say beside their updates, and what the server makes of it."""

import logging

import pytest

from engine import telemetry
from engine.event_log import read_events
from engine.protocol import messages
from engine.server.journal import Journal
from engine.server.members import Members
from engine.server.server_channel import ServerChannel
from engine.server.telemetry_handler import TelemetryHandler
from engine.transport.base import CONTROL, Place
from engine.transport.memory import MemoryBroker, MemoryTransport


class House:
    """A telemetry_handler with its journal and its voice, and what came of both."""

    def __init__(self, folder):
        self._broker = MemoryBroker()
        transport = MemoryTransport(self._broker)
        transport.create_topics()
        self._path = folder / "events.jsonl"
        self.journal = Journal(self._path, "run", logging.getLogger("test"))
        self.members = Members(2, 15.0)
        self.telemetry_handler = TelemetryHandler(
            members=self.members,
            channel=ServerChannel(transport, "run", 1),
            journal=self.journal,
            num_parts=2,
            examples_by_part={0: 1000},
        )

    def hear(self, kind, *, client="1", now=0.0, run="run", **fields):
        return self.telemetry_handler.hear(kind(run=run, client=client, **fields), now)

    def join(self, client="1", now=0.0, **fields):
        values = {"session": "s", "host": "here", "pid": 7, "part": None} | fields
        return self.hear(messages.Join, client=client, now=now, **values)

    def answers(self):
        reader = MemoryTransport(self._broker)
        reader.assign({Place(CONTROL): 0})
        return [messages.decode_control(record.value) for record in reader.poll(0.0)]

    def events(self):
        return [event for _, event in read_events(self._path)]


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    yield house
    house.journal.close()


def test_a_newcomer_is_answered_with_a_part_and_recorded(house):
    house.join(client="1", session="one")

    assert house.answers() == [
        messages.JoinAnswered(run="run", epoch=1, client="1", session="one", part=0, parts=2)
    ]
    assert house.events() == [telemetry.ClientJoined(client="1", host="here", pid=7, part=0, examples=1000)]


def test_the_size_of_a_part_that_is_not_known_is_left_open(house):
    house.join(client="2")

    assert house.events()[0].examples is None


def test_who_asks_again_is_answered_again_and_recorded_once(house):
    house.join()
    house.join(now=2.0)

    assert [answer.part for answer in house.answers()] == [0, 0]
    assert len(house.events()) == 1


def test_who_finds_no_free_part_is_told_why(house):
    for client in ("1", "2", "3"):
        house.join(client)

    assert house.answers()[-1].part is None
    assert house.answers()[-1].reason == "no data part is free: all 2 are taken"
    assert house.events()[-1] == telemetry.ClientRefused(
        client="3", host="here", reason="no data part is free: all 2 are taken"
    )


def test_a_member_that_falls_silent_is_lost_once_and_back_when_it_is_heard(house):
    house.join()
    house.telemetry_handler.check_silence(15.1)
    house.telemetry_handler.check_silence(16.0)
    house.hear(messages.Heartbeat, now=18.1, session="s", state="idle", round=None)

    assert house.events()[1:] == [
        telemetry.ClientLost(client="1", reason="silent for 15 s"),
        telemetry.ClientBack(client="1", away_s=3.0),
    ]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (messages.Have, {"round": 1, "digest": "d"}),
        (messages.Sending, {"round": 1}),
        (messages.Heartbeat, {"session": "s", "state": "training", "round": 1}),
    ],
)
def test_whatever_a_member_says_is_a_sign_of_life(house, kind, fields):
    house.join()
    house.hear(kind, now=10.0, **fields)
    house.telemetry_handler.check_silence(24.0)

    assert "1" in house.members
    assert len(house.events()) == 1


def test_the_state_of_a_member_is_the_last_it_showed(house):
    house.join()
    house.hear(messages.Have, round=1, digest="d")
    assert house.members["1"].state == "training"
    house.hear(messages.Sending, round=1)
    assert house.members["1"].state == "sending"


def test_a_restarted_client_is_back_on_its_part(house):
    house.join(session="one")
    house.join(session="two", now=1.25)

    assert house.events()[1:] == [telemetry.ClientBack(client="1", away_s=1.25)]
    assert house.answers()[-1].part == 0


def test_who_ends_and_may_come_back_is_lost(house):
    house.join()
    house.hear(messages.Leave, session="s", reason="told to", final=False)

    assert house.events()[1:] == [telemetry.ClientLost(client="1", reason="told to")]
    assert "1" in house.members


def test_who_leaves_for_good_frees_its_part(house):
    house.join("1")
    house.join("2")
    house.hear(messages.Leave, session="s", reason="its time is over", final=True)
    house.join("3")

    assert telemetry.ClientLeft(client="1", reason="its time is over") in house.events()
    assert house.answers()[-1].part == 0


def test_a_stranger_that_leaves_or_beats_changes_nothing(house):
    house.hear(messages.Leave, session="s", reason="", final=True)
    house.hear(messages.Leave, session="s", reason="", final=False)
    house.hear(messages.Heartbeat, session="s", state="idle", round=None)

    assert house.events() == []


def test_another_runs_clients_are_not_heard(house):
    house.join(run="another")
    wants_model = house.hear(messages.RepublishRequested, run="another", digest="d")

    assert not wants_model
    assert house.answers() == []


def test_a_model_that_cannot_be_read_is_asked_for(house):
    assert house.hear(messages.RepublishRequested, digest="d")
    assert not house.join()


def test_downloads_of_the_open_round_are_counted(house):
    house.telemetry_handler.follow_round(2)
    for client in ("1", "2"):
        house.join(client)
        house.hear(messages.Have, client=client, round=2, digest="d")
    house.hear(messages.Have, round=1, digest="c")
    assert house.telemetry_handler.downloads == 2

    house.telemetry_handler.follow_round(3)
    assert house.telemetry_handler.downloads == 0


# --- a client that is out while its process goes on


def dismissals(house):
    return [said for said in house.answers() if isinstance(said, messages.Dismissed)]


def test_who_is_expelled_leaves_and_is_told_so(house):
    house.join(client="1", session="one")
    house.telemetry_handler.expel("1", "killed by the operator")

    assert "1" not in house.members
    assert house.events()[-1] == telemetry.ClientLeft(client="1", reason="killed by the operator")
    assert dismissals(house) == [
        messages.Dismissed(run="run", epoch=1, client="1", session="one", reason="killed by the operator")
    ]


def test_who_was_expelled_is_told_again_and_does_not_come_back_under_its_process(house):
    house.telemetry_handler.expel("1", "killed by the operator")
    assert dismissals(house) == []  # nobody has shown itself
    house.join(client="1", session="one")

    assert "1" not in house.members
    assert [said.session for said in dismissals(house)] == ["one"]


def test_another_process_of_an_expelled_client_is_admitted(house):
    house.join(client="1", session="one")
    house.telemetry_handler.expel("1", "killed by the operator")
    house.telemetry_handler.note_exit("1")
    house.join(client="1", session="two")

    assert house.members["1"].session == "two"


def test_who_leaves_because_of_an_error_is_recorded_as_failed(house):
    house.join(client="1", session="one")
    house.hear(messages.Leave, session="one", reason="part 0: missing", final=True, failed=True)

    assert house.events()[-1] == telemetry.ClientLeft(client="1", reason="part 0: missing", failed=True)
    assert house.telemetry_handler.left == {"1"}
    house.join(client="1", session="two")
    assert house.telemetry_handler.left == set()
