"""`python -m engine.client`: puts the clients of one process together and runs them."""

import argparse
import functools
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.client.client_group import ClientGroup, group_name
from engine.config import RunConfig
from engine.errors import EngineError
from engine.lifecycle import Terminated, raise_on_signals
from engine.logger import get_client_logger, log_failure, setup_colored_logging
from engine.telemetry import TOLD_TO_END
from engine.training.base import Trainer
from engine.training.factory import open_trainers, require_gpu
from engine.transport.base import TopicNames
from engine.transport.open import open_transport


def main() -> int:
    """Runs clients of the run in `--run-dir`; returns the exit code of their process."""
    arguments = _parser().parse_args()
    raise_on_signals()
    log = get_client_logger(group_name(list(arguments.clients)))
    try:
        config = RunConfig.load(arguments.run_dir / "config.toml")
        setup_colored_logging(config.log_level)
        log.info("%s", _take_part(config, arguments))
    except EngineError as error:
        log_failure(log, error)
        return error.exit_code
    except Terminated as signal:
        log.info("ended by %s", signal)
        return signal.exit_code
    return 0


def _take_part(config: RunConfig, arguments: argparse.Namespace) -> str:
    """Takes part to the end; returns in words how it came."""
    if arguments.gpu is not None:
        require_gpu(config, arguments.gpu)
    transport = open_transport(
        arguments.bootstrap_servers,
        embedded=arguments.embedded,
        topics=TopicNames(config.topic_prefix),
        name=f"client-{group_name(list(arguments.clients))}",
    )
    group = ClientGroup(
        config,
        arguments.clients,
        transport=transport,
        open_trainer=_open_trainer(config, arguments.gpu),
        insists=arguments.insist,
    )
    try:
        return f"the run is over: {group.start()}"
    except Terminated:
        group.leave(TOLD_TO_END, final=False)
        raise
    finally:
        group.close()


def _open_trainer(config: RunConfig, gpu: int | None) -> Callable[[str, int], Trainer]:
    """What opens trainers in the thread that trains: TensorFlow is loaded there, at the first of them."""
    trainers = functools.cache(functools.partial(open_trainers, config, gpu=gpu))

    def open_trainer(client: str, part: int) -> Trainer:
        return trainers()(client, part)

    return open_trainer


class _AddClient(argparse.Action):
    """`--client`: one more client, which asks for any part."""

    def __call__(self, parser: Any, namespace: Any, value: Any, option: str | None = None) -> None:
        clients: dict[str, int | None] = getattr(namespace, self.dest)
        if value in clients:
            parser.error(f"{option} {value} is given twice")
        setattr(namespace, self.dest, clients | {value: None})


class _SetPart(argparse.Action):
    """`--part`: of the client before it."""

    def __call__(self, parser: Any, namespace: Any, value: Any, option: str | None = None) -> None:
        clients: dict[str, int | None] = getattr(namespace, self.dest)
        if not clients:
            parser.error(f"{option} {value} belongs behind the --client that asks for it")
        setattr(namespace, self.dest, clients | {[*clients][-1]: value})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine.client", description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument(
        "--client",
        dest="clients",
        metavar="ID",
        action=_AddClient,
        default={},
        required=True,
        help="a client's id, unique in the federation; may be repeated",
    )
    parser.add_argument(
        "--part",
        dest="clients",
        metavar="N",
        type=int,
        action=_SetPart,
        help="the part of the data that the client before it asks for; any where it is left out",
    )
    parser.add_argument("--insist", action="store_true", help="no other parts will do")
    parser.add_argument("--gpu", type=int, help="the GPU to train on, from 0; by its part where left out")
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--embedded", action="store_true", help="the broker is the embedded one")
    return parser


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)  # a training that is under way cannot be joined
