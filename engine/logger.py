"""Logs: coloured on a terminal, plain elsewhere. A process logs to its standard error, which is its file."""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

from engine.errors import EngineError

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_COLOURS = {"DEBUG": "2", "INFO": "0", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}


class ColourFormatter(logging.Formatter):
    """Paints a line by its level."""

    def format(self, record: logging.LogRecord) -> str:
        return f"\x1b[{_COLOURS.get(record.levelname, '0')}m{super().format(record)}\x1b[0m"


def setup_colored_logging(level: str = "info", stream: TextIO | None = None) -> None:
    """Sends the root logger to `stream` (standard error), coloured only where that is a terminal."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter((ColourFormatter if stream.isatty() else logging.Formatter)(_FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def setup_file_logging(
    path: Path, level: str = "info", *, max_bytes: int = 10_000_000, backups: int = 3
) -> None:
    """Adds a rotated plain file to the root logger."""
    handler = RotatingFileHandler(path, maxBytes=max_bytes, backupCount=backups, encoding="utf-8")
    handler.setFormatter(logging.Formatter(_FORMAT))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(level.upper())


def log_failure(logger: logging.Logger, error: EngineError) -> None:
    """Logs the error that ends a process: its one line comes last.

    Before it stands the traceback where another error lies behind this one, such as an operator's own
    function that raised; at level debug always.
    """
    if error.__cause__ is not None or logger.isEnabledFor(logging.DEBUG):
        logger.error("what led to the end of this process:", exc_info=error)
    logger.error("%s", error)


def get_server_logger() -> logging.Logger:
    """The server's logger."""
    return logging.getLogger("server")


def get_client_logger(client_id: str) -> logging.Logger:
    """The logger of one client."""
    return logging.getLogger(f"client-{client_id}")
