"""The screen as a picture."""

import re
from functools import partial

from textual import work

from engine.errors import RunDirectoryError
from flconsole.saved_views import save_view
from flconsole.text import visible
from flconsole.tui.background import in_thread
from flconsole.tui.guide import Guide

_REMOTE_FONT = re.compile(r"@font-face \{[^}]*\}")
"""Rich names fonts on a server on the internet; whoever looks at a picture has one of her own."""


class Screenshot(Guide):
    """Mixed into the screen of a run."""

    @work
    async def action_screenshot(self) -> None:
        run_dir = self.view.run_dir
        svg = _REMOTE_FONT.sub("", self.app.export_screenshot(title=visible(run_dir.name)))
        try:
            path = await in_thread(partial(save_view, run_dir, "screen", svg, suffix=".svg"))
        except RunDirectoryError as error:
            self.notify(str(error), severity="error")
        else:
            self.notify(f"the screen is in {path}")
