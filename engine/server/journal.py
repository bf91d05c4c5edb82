"""Records what happens: to `events.jsonl`, to the log, and into the history that a restart would read."""

import logging
from pathlib import Path

import msgspec

from engine import telemetry
from engine.event_log import EventLog
from engine.server.history import History

_WARNINGS = (
    telemetry.ClientLost,
    telemetry.ClientLate,
    telemetry.ClientRefused,
    telemetry.UpdateRejected,
    telemetry.BrokerLost,
    telemetry.Failure,
)

_UNSAID = ("similarity", "similarity_clients")
"""Fields that are for machines: a log has one line for each event."""


class Journal:
    """The server's memory of the run.

    Args:
        path: `events.jsonl` of the run directory.
        run: the run's id.
        logger: where each event is also said in words.
    """

    def __init__(self, path: Path, run: str, logger: logging.Logger) -> None:
        self._log = EventLog(path, run=run, origin="server")
        self._logger = logger
        self.history = History.read(path)

    def record(self, event: telemetry.Event) -> None:
        """Records one event.

        Raises:
            RunDirectoryError: the file cannot be written.
        """
        self._log.append(event)
        self.history.note(event)
        fields = {
            key: value
            for key, value in msgspec.to_builtins(event).items()
            if value not in (None, "", [], {}) and key not in _UNSAID
        }
        name = fields.pop("type")
        level = logging.WARNING if isinstance(event, _WARNINGS) else logging.INFO
        self._logger.log(level, "%s %s", name, " ".join(f"{key}={value}" for key, value in fields.items()))

    def close(self) -> None:
        self._log.sync()
        self._log.close()
