"""A notice may hold any text, and nothing obeys it."""

from tests.console.operating import at_console
from tests.console.staging import Stage, run_started

EVIL = "[red]client[/] \x1b[2J"


def test_whatever_a_notice_says_stands_there_as_it_is():
    async def scenario(operator):
        operator.run_screen.notify(EVIL)
        await operator.until(lambda: r"[red]client[/] \x1b[2J" in operator.screen, "the notice")

    at_console(scenario, Stage(run_started()))


def test_what_went_wrong_is_shown_for_longer():
    async def scenario(operator):
        for severity in ("information", "error"):
            operator.run_screen.notify(severity, severity=severity)
        await operator.until(lambda: len(operator.notices) == 2, "both notices")
        first, second = operator.app._notifications

        assert (first.severity, second.severity) == ("information", "error")
        assert second.timeout > first.timeout

    at_console(scenario, Stage(run_started()))
