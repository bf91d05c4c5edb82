"""A client in trouble stays marked until somebody has looked at it."""

import pytest

from flconsole.alerts import Alerts
from tests.console.staging import Stage, back, lost
from tests.flconsole.recording import exited, joined, started

MEMBERS = [started(f"client-{client}", "client", 100, client) for client in "12"]
MEMBERS += [joined("1", 0), joined("2", 1)]


@pytest.fixture
def stage():
    return Stage(*MEMBERS)


@pytest.fixture
def alerts(stage):
    alerts = Alerts()
    alerts.follow(stage.view().snapshot.state)
    return alerts


def test_a_loss_raises_an_alert_that_outlives_the_return(stage, alerts):
    stage.tell(lost("2"))
    stage.tell(back("2"))
    alerts.follow(stage.view().snapshot.state)

    assert list(alerts) == ["2"]


def test_looking_ends_an_alert_until_the_next_loss(stage, alerts):
    stage.tell(lost("2"))
    alerts.follow(stage.view().snapshot.state)
    alerts.look_at("2")
    alerts.follow(stage.view().snapshot.state)
    assert list(alerts) == []

    stage.tell(back("2"), lost("2"))
    alerts.follow(stage.view().snapshot.state)
    assert list(alerts) == ["2"]


def test_a_failure_raises_an_alert_and_so_does_the_one_after_a_restart(stage, alerts):
    for pid in (100, 200):
        stage.tell(exited("client-1", pid, code=1))
        alerts.follow(stage.view().snapshot.state)
        assert list(alerts) == ["1"]
        alerts.look_at("1")
        stage.tell(started("client-1", "client", pid + 100, "1"))
        alerts.follow(stage.view().snapshot.state)
        assert list(alerts) == []


def test_a_client_that_was_told_to_end_alerts_nobody(stage, alerts):
    stage.tell(exited("client-1", 100, code=143))
    alerts.follow(stage.view().snapshot.state)

    assert list(alerts) == []


def test_at_first_sight_only_the_present_counts():
    was_lost, is_lost = [lost("1"), back("1")], [lost("2")]
    alerts = Alerts()
    alerts.follow(Stage(*MEMBERS, *was_lost, *is_lost).view().snapshot.state)

    assert list(alerts) == ["2"]


def test_who_no_longer_exists_alerts_nobody(stage, alerts):
    before = Stage(MEMBERS[0]).view().snapshot.state
    stage.tell(lost("2"))
    alerts.follow(stage.view().snapshot.state)
    alerts.follow(before)

    assert list(alerts) == []
