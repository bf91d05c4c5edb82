"""An operator at the console: presses keys, waits for what she expects, reads notices and dialogs."""

import asyncio
import time

from flconsole.tui.app import ConsoleApp

SIZES = [(80, 24), (120, 40)]
DEADLINE_S = 20.0


class Operator:
    """Sits before one console."""

    def __init__(self, app, pilot):
        self.app, self.pilot, self.run_screen = app, pilot, app.screen

    async def press(self, *keys):
        await self.pilot.press(*keys)

    async def write(self, text):
        await self.pilot.press(*text)

    async def until(self, condition, what):
        """Waits for something without keeping the console from its work."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not within {DEADLINE_S:g} s; {self.screen}"
            await asyncio.sleep(0.01)
        await self.pilot.pause()

    async def told(self, text):
        """Waits for a notice; returns all of it."""
        await self.until(lambda: any(text in notice for notice in self.notices), f"a notice of {text!r}")
        return next(notice for notice in self.notices if text in notice)

    async def asked(self, text):
        """Waits for a dialog that says so."""
        await self.until(
            lambda: self.app.screen is not self.run_screen and text in self.screen, f"a dialog with {text!r}"
        )

    @property
    def is_asked(self):
        return self.app.screen is not self.run_screen

    @property
    def notices(self):
        return [notice.message for notice in self.app._notifications]

    @property
    def screen(self):
        """What is seen, of a dialog if there is one, with the spaces drawn together."""
        strips = self.app.screen._compositor.render_strips()
        if self.is_asked and self.app.screen.query("#dialog"):
            box = self.app.screen.query_one("#dialog").region
            strips = [strip.crop(box.x + 1, box.right - 1) for strip in strips[box.y : box.bottom]]
        return " ".join(" ".join(strip.text for strip in strips).split())


def at_console(scenario, source, *, size=SIZES[0], **options):
    """Opens the console on a source and lets the scenario operate it.

    Returns:
        What the console returned; None where it was still open at the end.
    """

    async def run():
        app = ConsoleApp(source, **options)
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            await scenario(Operator(app, pilot))
        return app.return_value

    return asyncio.run(run())
