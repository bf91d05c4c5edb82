"""`python -m engine.broker --port PORT --cluster-id ID [--parent PID]`: becomes the embedded broker.

On Linux this process *is* the broker afterwards, same pid, and dies with its parent. Elsewhere, where no
request to the kernel survives an exec, it stays beside the broker and ends it.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from engine.broker.embedded import broker_command, broker_environment
from engine.errors import EngineError
from engine.lifecycle import Terminated, die_with_parent, raise_on_signals

_STOP_TIMEOUT_S = 5.0
_PARENT_CHECK_S = 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Becomes the broker on Linux; elsewhere stays beside it and ends with its parent."""
    options = _parse(arguments)
    try:
        command = broker_command(options.port, options.cluster_id)
    except EngineError as error:
        print(f"broker: {error}", file=sys.stderr)  # noqa: T201 (standard error is this process's log)
        return error.exit_code
    environment = broker_environment(os.environ)
    if options.parent is not None and sys.platform != "linux":
        return run_beside(command, environment, options.parent)
    if options.parent is not None:
        die_with_parent(options.parent)
    return os.execve(command[0], command, environment)  # noqa: S606 (a fixed program, no shell)


def run_beside(command: Sequence[str], environment: dict[str, str], parent: int) -> int:
    """Runs the broker as a child until it ends, a signal asks for its end, or `parent` is gone."""
    raise_on_signals()
    with subprocess.Popen(command, env=environment) as broker:
        try:
            while os.getppid() == parent:
                try:
                    return broker.wait(_PARENT_CHECK_S)
                except subprocess.TimeoutExpired:
                    continue
        except Terminated as signal:
            return signal.exit_code
        finally:
            _stop(broker)
    return 1


def _stop(broker: subprocess.Popen[bytes]) -> None:
    broker.terminate()
    try:
        broker.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        broker.kill()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m engine.broker", description="The embedded broker.")
    parser.add_argument("--port", type=int, required=True, help="where it listens, on 127.0.0.1 only")
    parser.add_argument(
        "--cluster-id", required=True, help="identity of its storage: a new one for each start"
    )
    parser.add_argument("--parent", type=int, help="the process it dies with; default: none")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
