"""What the supervisor reads from the run's files, and what it makes of it."""

import pytest

from engine import telemetry
from engine.errors import RunDirectoryError
from engine.event_log import EventLog, read_events, verify_chain
from flconsole.supervisor.placement import ClientProcess, Placement
from flconsole.supervisor.records import Records, ServerFollower, clients_of_earlier_incarnations


def round_finished(number: int) -> telemetry.RoundFinished:
    return telemetry.RoundFinished(
        round=number,
        updates=2,
        examples=20,
        accuracy=0.25 * number,
        loss=None,
        digest=f"digest-{number}",
        seconds=0.1,
        parts={},
        bytes_up=1,
        bytes_down=1,
    )


@pytest.fixture
def events(tmp_path):
    log = EventLog(tmp_path / "events.jsonl", run="r", origin="server")
    yield log
    log.close()


@pytest.fixture
def follower(tmp_path):
    follower = ServerFollower(tmp_path)
    yield follower
    follower.close()


def test_before_the_first_round_there_is_none(follower):
    assert follower.last() is None
    assert follower.finished() == 0


def test_rounds_are_followed_as_they_are_written(events, follower):
    for number in (1, 2, 3):
        events.append(round_finished(number))
        events.append(telemetry.BrokerLost(reason="another event"))

        assert follower.finished() == number
        assert follower.last().digest == f"digest-{number}"


def test_why_the_federation_ended_is_known_once_the_server_says_it(events, follower):
    events.append(round_finished(1))
    assert follower.end_reason() == ""

    events.append(telemetry.FederationEnded(reason="all 1 rounds are done"))
    assert follower.end_reason() == "all 1 rounds are done"


def test_a_line_that_is_being_written_counts_when_it_is_whole(tmp_path, events, follower):
    events.append(round_finished(1))
    path = tmp_path / "events.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    assert follower.finished() == 0
    path.write_bytes(whole)
    assert follower.finished() == 1


def test_a_damaged_line_hides_no_other(tmp_path, events, follower):
    events.append(round_finished(1))
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(b'{"type":"round_finished", broken\n')
    events.append(round_finished(2))

    assert follower.finished() == 2


def test_a_file_that_cannot_be_read_is_named(tmp_path, follower):
    (tmp_path / "events.jsonl").mkdir()

    with pytest.raises(RunDirectoryError, match=r"events\.jsonl: Is a directory"):
        follower.last()


def test_who_took_part_and_who_was_killed_is_read_back(tmp_path):
    records = Records(tmp_path, "r")
    for client in ("1", "2", "3"):
        place = Placement(part=int(client), gpu=0)
        records.started(f"client-{client}", "client", 1, log_bytes=0, clients=(client,), placement=place)
    for command, client, ok in (
        ("kill-client", "1", True),
        ("kill-client", "2", True),
        ("restart-client", "2", True),
        ("kill-client", "3", False),
    ):
        records.append(telemetry.Command(command=command, arguments={"client": client}, ok=ok, answer=""))
    records.close()

    started, killed = clients_of_earlier_incarnations(tmp_path)
    assert started == [ClientProcess((c,), Placement(part=int(c), gpu=0)) for c in ("1", "2", "3")]
    assert killed == {"1"}
    assert verify_chain(tmp_path / "processes.jsonl") is None


def test_a_new_run_has_no_earlier_clients(tmp_path):
    assert clients_of_earlier_incarnations(tmp_path) == ([], set())


def test_who_shared_a_process_shares_it_again_also_those_who_were_out_at_its_last_start(tmp_path):
    records = Records(tmp_path, "r")
    place = Placement(part=4)
    for clients in (("5", "6", "7"), ("6", "7"), ("7",)):
        records.started("clients-5-7", "client", 1, log_bytes=0, clients=clients, placement=place)
    records.started("server", "server", 1, log_bytes=0)
    records.close()

    assert clients_of_earlier_incarnations(tmp_path)[0] == [ClientProcess(("5", "6", "7"), place)]
    first, second, third, server = (event for _, event in read_events(tmp_path / "processes.jsonl"))
    assert (first.client, first.clients) == ("5", ["5", "6", "7"])
    assert (second.client, second.clients) == ("6", ["6", "7"])
    assert (third.client, third.clients) == ("7", [])
    assert (server.client, server.clients) == (None, [])


def test_a_rotated_log_goes_on_with_the_same_numbering(tmp_path):
    log = EventLog(tmp_path / "samples.jsonl", run="r", origin="supervisor")
    log.append(telemetry.Sample(processes={}))
    log.rotate(tmp_path / "samples.1.jsonl")
    log.append(telemetry.Sample(processes={}))
    log.close()

    envelopes = [
        telemetry.decode_line((tmp_path / name).read_bytes())[0]
        for name in ("samples.1.jsonl", "samples.jsonl")
    ]
    assert [(envelope.incarnation, envelope.seq) for envelope in envelopes] == [(1, 1), (1, 2)]
