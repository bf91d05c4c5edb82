"""Who belongs to the federation, and on which part of the data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.protocol.messages import Join
from engine.server.members import Members

TIMEOUT_S = 15.0


def join(client, *, part=None, session="first", insists=False):
    return Join(run="run", client=client, session=session, host="here", pid=1, part=part, insists=insists)


@pytest.fixture
def members():
    return Members(3, TIMEOUT_S)


def test_a_numbered_client_gets_the_part_of_its_number(members):
    assert [members.join(join(client), 0.0).part for client in ("3", "1", "2")] == [2, 0, 1]


def test_a_client_gets_the_part_it_already_works_on(members):
    assert members.join(join("1", part=2), 0.0).part == 2


def test_any_free_part_goes_to_a_client_whose_wish_is_taken(members):
    members.join(join("1"), 0.0)

    assert members.join(join("gpu-1", part=0), 0.0).part == 1
    assert members.join(join("2"), 0.0).part == 2


def test_a_part_that_does_not_exist_is_not_handed_out(members):
    assert members.join(join("9", part=7), 0.0).part == 0


def test_who_insists_on_a_part_gets_it_or_none(members):
    assert members.join(join("7", part=1, insists=True), 0.0).part == 1
    taken = members.join(join("8", part=1, insists=True), 0.0)
    beyond = members.join(join("9", part=3, insists=True), 0.0)

    assert (taken.part, taken.reason) == (None, "part 1 is taken by client 7")
    assert (beyond.part, beyond.reason) == (None, "part 3 does not exist; the parts are 0 to 2")
    assert members.clients() == ("7",)


def test_who_insists_and_is_a_member_already_keeps_its_part(members):
    members.join(join("7", part=1, insists=True), 0.0)

    assert members.join(join("7", part=1, insists=True, session="second"), 1.0).part == 1


def test_without_a_part_there_is_nothing_to_insist_on(members):
    assert members.join(join("2", insists=True), 0.0).part == 1


def test_when_no_part_is_free_it_is_said(members):
    for client in ("1", "2", "3"):
        members.join(join(client), 0.0)
    admission = members.join(join("4"), 0.0)

    assert admission.part is None
    assert admission.reason == "no data part is free: all 3 are taken"
    assert "4" not in members


def test_who_leaves_frees_a_part(members):
    for client in ("1", "2", "3"):
        members.join(join(client), 0.0)

    assert members.remove("2")
    assert members.join(join("4"), 0.0).part == 1


def test_who_is_unknown_cannot_leave(members):
    assert not members.remove("7")


def test_joining_again_in_the_same_session_changes_nothing(members):
    first = members.join(join("1"), 0.0)
    again = members.join(join("1"), 4.0)

    assert (first.is_new, again.is_new) == (True, False)
    assert again.part == first.part
    assert again.came_back_after_s is None


def test_another_session_is_the_same_member_come_back(members):
    members.join(join("1"), 0.0)
    admission = members.join(join("1", session="second"), 4.0)

    assert admission == (0, "", False, 4.0)


def test_silence_makes_a_member_lost_once(members):
    members.join(join("1"), 0.0)

    assert list(members.silent(TIMEOUT_S)) == []
    assert list(members.silent(TIMEOUT_S + 1)) == ["1"]
    assert members.lose("1", TIMEOUT_S + 1)
    assert not members.lose("1", TIMEOUT_S + 2)
    assert list(members.silent(TIMEOUT_S + 2)) == []


def test_a_sign_of_life_brings_a_lost_member_back(members):
    members.join(join("1"), 0.0)
    members.lose("1", 20.0)

    assert members.heard("1", 23.0, "idle", None) == 3.0
    assert members.heard("1", 24.0, "idle", None) is None


def test_joining_brings_a_lost_member_back(members):
    members.join(join("1"), 0.0)
    members.lose("1", 20.0)

    assert members.join(join("1"), 21.5).came_back_after_s == 1.5


def test_a_stranger_is_not_heard(members):
    assert members.heard("7", 1.0, "idle", None) is None
    assert not members.lose("7", 1.0)


def test_nobody_is_blamed_for_a_silent_broker(members):
    members.join(join("1"), 0.0)
    members.excuse_silence(100.0)

    assert list(members.silent(100.0 + TIMEOUT_S)) == []


def test_members_from_before_a_restart_are_waited_for_and_not_back_when_they_join(members):
    members.restore({"1": 2}, now=50.0)

    assert list(members.silent(50.0 + TIMEOUT_S)) == []
    assert members.join(join("1"), 51.0) == (2, "", False, None)


def test_the_cohort_is_in_a_fixed_order_numbers_first():
    members = Members(5, TIMEOUT_S)
    for client in ("10", "gpu-2", "2", "gpu-10", "1"):
        members.join(join(client), 0.0)

    assert members.clients() == ("1", "2", "10", "gpu-10", "gpu-2")


@given(st.lists(st.one_of(st.text(), st.sampled_from(["²", "٣", "9" * 5000, "-1", "0"])), max_size=6))
def test_any_text_may_be_a_client_id(clients):
    members = Members(3, TIMEOUT_S)
    for client in clients:
        members.join(join(client), 0.0)

    assert sorted(members.clients()) == sorted(members.parts)


class Membership(RuleBasedStateMachine):
    """Clients come, go, return and claim parts in any order."""

    clients = st.sampled_from(["1", "2", "3", "4", "gpu-1", "gpu-2"])

    def __init__(self):
        super().__init__()
        self.members = Members(3, TIMEOUT_S)
        self.now = 0.0

    @rule(client=clients, part=st.one_of(st.none(), st.integers(-1, 4)), session=st.sampled_from("ab"))
    def join(self, client, part, session):
        had = self.members.parts.get(client)
        free = 3 - len(self.members)
        admission = self.members.join(join(client, part=part, session=session), self.now)
        if had is not None:
            assert admission.part == had
        else:
            assert (admission.part is not None) == (free > 0)

    @rule(client=clients)
    def leave(self, client):
        belonged = client in self.members
        assert self.members.remove(client) == belonged
        assert client not in self.members

    @rule(client=clients)
    def lose(self, client):
        self.members.lose(client, self.now)

    @rule(client=clients)
    def hear(self, client):
        self.members.heard(client, self.now, "idle", None)

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds):
        self.now += seconds
        for client in self.members.silent(self.now):
            assert self.members.lose(client, self.now)

    @invariant()
    def no_part_is_held_by_two(self):
        parts = list(self.members.parts.values())
        assert len(set(parts)) == len(parts)
        assert set(parts) <= {0, 1, 2}

    @invariant()
    def whoever_belongs_is_in_the_cohort(self):
        assert set(self.members.clients()) == set(self.members.parts)
        assert len(self.members.clients()) == len(self.members)


TestMembership = Membership.TestCase
