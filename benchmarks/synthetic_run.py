"""Writes the directory of a run that never was, of any size: `python -m benchmarks.synthetic_run DIR`.

The files are written by the writers of a real run, so that nothing can tell them from one. The same arguments
make the same bytes.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from benchmarks._scribe import Moment, Story
from benchmarks._story import tell
from engine.config import RunConfig
from engine.event_log import EventLog
from engine.telemetry import Event

_ORIGINS = {"events": "server", "processes": "supervisor", "samples": "supervisor"}
_SAMPLES_ROTATED_AT = 4_000_000


class RunWriter:
    """Writes moments of a story into a run directory, all at once or as they happen.

    Args:
        run_dir: made if it is not there.
        story: gives the configuration.
    """

    def __init__(self, run_dir: Path, story: Story) -> None:
        self._run_dir, self._now = run_dir, story.started_at
        for name in ("logs", "checkpoints"):
            (run_dir / name).mkdir(parents=True)
        (run_dir / "config.toml").write_text(config_of(story).to_toml(), encoding="utf-8")
        self._events = {
            name: EventLog(run_dir / f"{name}.jsonl", run=story.run, origin=origin, clock=lambda: self._now)
            for name, origin in _ORIGINS.items()
        }
        self._logs = {
            path.stem: path.open("a", encoding="utf-8", buffering=1 << 16)
            for path in [run_dir / "logs" / f"{name}.log" for name in _process_names(story)]
        }

    def write(self, moment: Moment) -> None:
        """Writes one moment; a log's line may stay in a buffer until `flush`."""
        self._now = moment.ts
        if isinstance(moment.content, Event):
            self._events[moment.file].append(moment.content)
        else:
            self._logs[moment.file].write(moment.content + "\n")
        if moment.file == "samples":
            self._rotate_samples()

    def write_all(self, moments: Iterable[Moment]) -> None:
        """Writes many moments, and everything that was in a buffer."""
        for moment in moments:
            self.write(moment)
        self.flush()

    def flush(self) -> None:
        for log in self._logs.values():
            log.flush()

    def close(self) -> None:
        for events in self._events.values():
            events.close()
        for log in self._logs.values():
            log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _rotate_samples(self) -> None:
        path = self._run_dir / "samples.jsonl"
        if path.stat().st_size > _SAMPLES_ROTATED_AT:
            self._events["samples"].rotate(path.with_suffix(".1.jsonl"))


def write_run(run_dir: Path, story: Story) -> Path:
    """Writes the whole run; returns its directory."""
    with RunWriter(run_dir, story) as writer:
        writer.write_all(tell(story))
    return run_dir


def config_of(story: Story) -> RunConfig:
    """The configuration that such a run would have."""
    return RunConfig(
        clients=story.clients - 1,
        parts=story.clients,
        rounds=story.rounds,
        seed=story.seed,
        model="lenet",
        dataset=story.dataset,
        stand_in=story.stand_in,
        run_id=story.run,
        versions={"python": "3.11.7", "flconsole": "0.1.0"},
    )


def _process_names(story: Story) -> list[str]:
    return ["broker", "nursery", "server", *(f"client-{number}" for number in range(1, story.clients + 1))]


def main() -> None:
    """The command line."""
    defaults = Story()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.synthetic_run", description=__doc__)
    parser.add_argument("directory", type=Path, help="the run directory to be made")
    parser.add_argument("--clients", type=int, default=defaults.clients)
    parser.add_argument(
        "--rounds", type=int, default=defaults.rounds, help="rounds that the run was asked for"
    )
    parser.add_argument("--played", type=int, help="rounds that it did; the default is all")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--open", action="store_true", help="leave the run open, in the middle of a round")
    options = parser.parse_args()
    story = Story(
        clients=options.clients,
        rounds=options.rounds,
        played=options.played,
        seed=options.seed,
        ended=not options.open,
    )
    print(write_run(options.directory, story))


if __name__ == "__main__":
    main()
