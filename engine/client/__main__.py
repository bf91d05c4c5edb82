"""`python -m engine.client`: puts one client together and runs it."""

import argparse
import logging
import os
import sys
from pathlib import Path

from engine.client.federated_client import FederatedClient
from engine.config import RunConfig
from engine.errors import EngineError
from engine.lifecycle import Terminated, raise_on_signals
from engine.logger import get_client_logger, log_failure, setup_colored_logging
from engine.telemetry import TOLD_TO_END
from engine.training.base import Trainer
from engine.training.factory import open_trainer, require_gpu
from engine.transport.base import TopicNames
from engine.transport.open import open_transport


def main() -> int:
    """Runs one client of the run in `--run-dir`; returns its exit code."""
    arguments = _parser().parse_args()
    raise_on_signals()
    log = get_client_logger(arguments.client)
    try:
        config = RunConfig.load(arguments.run_dir / "config.toml")
        setup_colored_logging(config.log_level)
        return _take_part(config, arguments)
    except EngineError as error:
        log_failure(log, error)
        return error.exit_code
    except Terminated as signal:
        log.info("ended by %s", signal)
        return signal.exit_code


def _take_part(config: RunConfig, arguments: argparse.Namespace) -> int:
    client_id: str = arguments.client

    def trainer_of(part: int) -> Trainer:
        return open_trainer(config, client=client_id, part=part, gpu=arguments.gpu)

    if arguments.gpu is not None:
        require_gpu(config, arguments.gpu)

    transport = open_transport(
        arguments.bootstrap_servers,
        embedded=arguments.embedded,
        topics=TopicNames(config.topic_prefix),
        name=f"client-{client_id}",
    )
    client = FederatedClient(
        config,
        client_id,
        transport=transport,
        open_trainer=trainer_of,
        part=arguments.part,
        insists=arguments.insist,
    )
    try:
        get_client_logger(client_id).info("the run is over: %s", client.start())
    except Terminated:
        client.leave(TOLD_TO_END, final=False)
        raise
    finally:
        client.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine.client", description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--client", required=True, help="this client's id, unique in the federation")
    parser.add_argument("--part", type=int, help="the part of the data to ask for; any where it is left out")
    parser.add_argument("--insist", action="store_true", help="take no other part")
    parser.add_argument("--gpu", type=int, help="the GPU to train on, from 0; by its part where left out")
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--embedded", action="store_true", help="the broker is the embedded one")
    return parser


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)  # a training that is under way cannot be joined
