"""A federation without the console: one server and two clients learn handwritten digits in one program.

python docs/examples/library.py                                 over memory
python docs/examples/library.py HOST:PORT                       over Kafka
python docs/examples/library.py HOST:PORT embedded              over `python -m engine.broker`
"""

import sys
from pathlib import Path
from threading import Thread

from keras import Input, Sequential, layers

from engine.client.federated_client import FederatedClient
from engine.config import RunConfig
from engine.server.federated_server import FederatedServer


def make_model(input_shape: tuple[int, ...], classes: int) -> Sequential:
    hidden = [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(32, activation="relu")]
    return Sequential([Input(input_shape), *hidden, layers.Dense(classes)])


def main(address: str = "memory://example", *options: str, run_dir: Path | None = None) -> FederatedServer:
    config = RunConfig(clients=2, rounds=5, dataset="digits", learning_rate=0.05)
    common = {"config": config, "model": make_model, "embedded": "embedded" in options}
    server = FederatedServer(address, "digits_model", "digits_updates", run_dir=run_dir, **common)
    clients = [FederatedClient(address, "digits_updates", "digits_model", n, **common) for n in ("1", "2")]
    threads = [Thread(target=client.start) for client in clients]
    for thread in threads:
        thread.start()
    reason, accuracy = server.start(), server.metrics.global_accuracy[-1]
    print(f"{reason}: accuracy {accuracy:.3f}, see {server.run_dir}")  # noqa: T201 - what one runs it for
    for thread in threads:
        thread.join()
    for one in (server, *clients):
        one.close()
    return server


if __name__ == "__main__":
    main(*sys.argv[1:])
