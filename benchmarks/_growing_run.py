"""A made-up run with a long history that goes on: `python -m benchmarks._growing_run DIR`, until it is ended.

Its rounds come in real time, and it holds the lock of a supervisor, so that the console takes it for one that
runs.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks._scribe import Moment, Story
from benchmarks._story import tell
from benchmarks.synthetic_run import RunWriter
from engine import telemetry
from flconsole.supervisor.lock import SupervisorLock

HISTORY = 5_000
STORY = Story(clients=100, rounds=HISTORY + 500, played=HISTORY + 400, ended=False, sampled_s=4_000)
READY = "ready"


def main() -> None:
    """Writes the history, says that it is there, and goes on."""
    run_dir = Path(sys.argv[1])
    moments = tell(replace(STORY, started_at=time.time() - _length_of_history()))
    with RunWriter(run_dir, STORY) as writer, SupervisorLock(run_dir):
        for moment in moments:
            if moment.ts > time.time():
                break
            writer.write(moment)
        writer.flush()
        print(READY, flush=True)
        for moment in moments:
            time.sleep(max(0.0, moment.ts - time.time()))
            writer.write(moment)
            writer.flush()


def _length_of_history() -> float:
    """Seconds from the run's start to the end of its history."""
    return next(m.ts for m in tell(STORY) if _ends_history(m)) - STORY.started_at


def _ends_history(moment: Moment) -> bool:
    return isinstance(moment.content, telemetry.RoundFinished) and moment.content.round == HISTORY


if __name__ == "__main__":
    main()
