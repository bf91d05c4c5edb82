"""Text that an operator keeps of what is on the screen: files in the folder `views` of the run."""

import contextlib
import itertools
import time
from pathlib import Path

from engine.errors import RunDirectoryError


def save_view(run_dir: Path, name: str, text: str, *, suffix: str = ".log") -> Path:
    """Writes a new file, whole or not at all.

    Args:
        run_dir: the run directory.
        name: the first part of the file's name; the time is the second.
        text: all of it, fit for a terminal.
        suffix: ends the file's name.

    Returns:
        The file: `views/<name>-<time><suffix>`.

    Raises:
        RunDirectoryError: there is no room, or no right to write there.
    """
    folder, moment = run_dir / "views", time.strftime("%Y%m%d-%H%M%S")
    try:
        folder.mkdir(exist_ok=True)
        for number in itertools.count(1):
            path = folder / f"{name}-{moment}{f'-{number}' if number > 1 else ''}{suffix}"
            with contextlib.suppress(FileExistsError):
                _write_new(path, text)
                return path
    except OSError as error:
        raise RunDirectoryError(f"{folder}: {name} is not written: {error.strerror}") from error
    raise AssertionError("there is always another number")


def _write_new(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
        try:
            file.write(text)
            file.flush()
        except OSError:
            path.unlink()
            raise
