"""`python -m engine.server`: puts one server together and runs it."""

import argparse
import sys
import time
from pathlib import Path

from engine.commands import HOPELESS_EXIT_CODE
from engine.config import RunConfig
from engine.data import partition_table, write_partition
from engine.errors import (
    BrokerUnreachable,
    CheckpointError,
    EngineError,
    Overtaken,
    RunDirectoryBusy,
    RunDirectoryError,
)
from engine.lifecycle import Terminated, raise_on_signals
from engine.logger import get_server_logger, log_failure, setup_colored_logging
from engine.server.checkpoint import read_checkpoint
from engine.server.federated_server import FederatedServer
from engine.training.factory import open_evaluator
from engine.transport.base import GLOBAL_MODEL, MODEL_UPDATES, TopicNames, Transport
from engine.transport.open import open_transport

_log = get_server_logger()


def main() -> int:
    """Runs the server of the run in `--run-dir`; returns its exit code."""
    arguments = _parser().parse_args()
    raise_on_signals()
    try:
        config = RunConfig.load(arguments.run_dir / "config.toml")
        setup_colored_logging(config.log_level)
        return _serve(config, arguments)
    except EngineError as error:
        log_failure(_log, error)
        return HOPELESS_EXIT_CODE if _is_hopeless(error) else error.exit_code
    except Terminated as signal:
        _log.info("ended by %s", signal)
        return signal.exit_code


def _is_hopeless(error: EngineError) -> bool:
    """Whether another server would fail at the same place: only a person can make room, or mend a file."""
    lasting = isinstance(error, (RunDirectoryError, CheckpointError, Overtaken))
    return lasting and not isinstance(error, RunDirectoryBusy)


def _serve(config: RunConfig, arguments: argparse.Namespace) -> int:
    transport = _connect(config, arguments)
    evaluator = open_evaluator(config, read_checkpoint=lambda path: read_checkpoint(path).weights)
    if config.trainer != "null":
        write_partition(partition_table(config), arguments.run_dir / "partition.csv")
    server = FederatedServer(
        arguments.bootstrap_servers,
        GLOBAL_MODEL,
        MODEL_UPDATES,
        config=config,
        run_dir=arguments.run_dir,
        transport=transport,
        evaluator=evaluator,
        socket_path=arguments.socket,
    )
    try:
        _log.info("the run is over: %s", server.start())
    finally:
        server.close()
    return 0


def _connect(config: RunConfig, arguments: argparse.Namespace) -> Transport:
    """Connects to the broker; a run that goes on waits for it as a connected one would."""
    has_begun = (arguments.run_dir / "events.jsonl").exists()
    give_up_at = time.monotonic() + (config.broker_timeout_s if has_begun else 0.0)
    while True:
        try:
            return open_transport(
                arguments.bootstrap_servers,
                embedded=arguments.embedded,
                topics=TopicNames(config.topic_prefix),
                name="server",
            )
        except BrokerUnreachable:
            if time.monotonic() >= give_up_at:
                raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine.server", description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--embedded", action="store_true", help="the broker is the embedded one")
    parser.add_argument("--socket", type=Path, help="unix socket on which to take the supervisor's commands")
    return parser


if __name__ == "__main__":
    sys.exit(main())
