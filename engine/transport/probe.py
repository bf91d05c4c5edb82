"""`python -m engine.transport.probe`: asks, before anything is started, whether a broker answers."""

import argparse
import sys

from engine.errors import EngineError
from engine.lifecycle import Terminated, die_with_parent, raise_on_signals
from engine.transport.base import TopicNames
from engine.transport.open import open_transport

_PATIENCE_S = 4.0
"""With the start of this process less than the 5 s in which an operator is told."""


def main() -> int:
    """Says nothing of a broker that answers, else why not in one line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m engine.transport.probe", description=__doc__)
    parser.add_argument("--bootstrap-servers", required=True, metavar="HOST:PORT,...")
    parser.add_argument("--topic-prefix", default="")
    parser.add_argument("--parent", type=int, metavar="PID", help="die with this process")
    arguments = parser.parse_args()
    raise_on_signals()
    if arguments.parent is not None:
        die_with_parent(arguments.parent)
    try:
        open_transport(
            arguments.bootstrap_servers,
            topics=TopicNames(arguments.topic_prefix),
            name="flconsole",
            connect_timeout_s=_PATIENCE_S,
        ).close()
    except EngineError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except Terminated as signal:  # whoever asked knows
        return signal.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
