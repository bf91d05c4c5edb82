"""Text that an operator keeps of what is on the screen: files in the folder `views` of the run."""

import contextlib
import time
from pathlib import Path

from engine.errors import RunDirectoryError


def save_view(run_dir: Path, name: str, text: str) -> Path:
    """Writes a new file, whole or not at all.

    Args:
        run_dir: the run directory.
        name: the first part of the file's name; the time is the second.
        text: all of it, fit for a terminal.

    Returns:
        The file: `views/<name>-<time>.log`.

    Raises:
        RunDirectoryError: there is no room, or no right to write there.
    """
    folder = run_dir / "views"
    path = folder / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() // 1_000_000 % 1000:03}.log"
    torn = path.with_suffix(".part")
    try:
        folder.mkdir(exist_ok=True)
        torn.write_text(text, encoding="utf-8", errors="backslashreplace")
        torn.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            torn.unlink()
        raise RunDirectoryError(f"{path} is not written: {error.strerror}") from error
    return path
