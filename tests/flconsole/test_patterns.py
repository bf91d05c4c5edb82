"""What an operator types to find lines."""

import re
import signal

import pytest

from flconsole.patterns import TooSlow, in_time

ENDLESS = re.compile("(a+)+$")


def test_what_would_match_for_ever_is_interrupted():
    with pytest.raises(TooSlow, match="too slow"), in_time(0.05):
        ENDLESS.search("a" * 60 + "!")


def test_afterwards_nothing_is_interrupted_any_more():
    before = signal.getsignal(signal.SIGVTALRM)
    with in_time(0.05):
        assert ENDLESS.search("aaaa")

    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGVTALRM) == before


def search_within_a_search():
    with in_time(0.1):
        assert ENDLESS.search("aaaa")
    ENDLESS.search("a" * 60 + "!")


def test_what_is_done_within_does_not_take_the_end_away():
    with pytest.raises(TooSlow), in_time(0.2):
        search_within_a_search()
