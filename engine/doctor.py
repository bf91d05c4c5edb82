"""`python -m engine.doctor tensorflow|broker|data`: what the operator's console must not load itself.

Prints `Finding` lines on standard output. Looks at this machine only: nothing is downloaded.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from engine.commands import Finding, encode
from engine.data import cifar10
from engine.data.cifar10 import Cifar10
from engine.data.digits import Digits
from engine.errors import BrokerError, BrokerUnreachable, DataError, EngineError
from engine.lifecycle import Terminated, die_with_parent, raise_on_signals
from engine.loopback import HOST, free_port

_BROKER_START_S = 15.0
_RECORD_S = 10.0
_RECORD = b"flconsole doctor"


def check_tensorflow() -> Iterator[Finding]:
    """Imports TensorFlow and lets it compute on every GPU that it sees, or on the CPU."""
    start = time.monotonic()
    try:
        import tensorflow as tf  # noqa: PLC0415  # what is being checked

        seconds = time.monotonic() - start
        gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, enable=True)
        for number in range(len(gpus)):
            _convolve(tf, f"/GPU:{number}")
        if not gpus:
            _convolve(tf, "/CPU:0")
    except Exception as error:  # noqa: BLE001  # whatever a broken installation raises is what was found
        words = f"{type(error).__name__}: {error}".splitlines()[0]
        yield Finding(
            name="tensorflow",
            level="problem",
            text=f"does not work: {words}",
            remedy="pip install --force-reinstall tensorflow; until then `--trainer null` trains nothing",
        )
        return
    where = f"computes on {len(gpus)} GPU{'s' * (len(gpus) > 1)}" if gpus else "computes on the CPU"
    yield Finding(
        name="tensorflow", level="ok", text=f"{tf.__version__}, imported in {seconds:.1f} s, {where}"
    )


def _convolve(tf: Any, device: str) -> None:
    """A convolution needs all that training needs: on a GPU the driver, CUDA and cuDNN."""
    with tf.device(device):
        image, kernel = tf.ones((1, 8, 8, 3)), tf.ones((3, 3, 3, 4))
        tf.nn.conv2d(image, kernel, strides=1, padding="SAME").numpy()


def check_broker() -> Iterator[Finding]:
    """Starts the embedded broker, and sends a record through it."""
    start = time.monotonic()
    port = free_port()
    command = [sys.executable, "-m", "engine.broker", "--port", str(port), "--cluster-id", uuid.uuid4().hex]
    with subprocess.Popen([*command, "--parent", str(os.getpid())], stderr=subprocess.PIPE) as broker:
        try:
            _wait_until_ready(broker, port)
            ready = time.monotonic()
            _carry_record(f"{HOST}:{port}")
        except EngineError as error:
            yield Finding(
                name="broker",
                level="problem",
                text=f"the embedded broker does not work: {error}",
                remedy="name a Kafka cluster with --bootstrap-servers HOST:PORT",
                exit_code=BrokerError.exit_code,
            )
            return
        finally:
            broker.kill()
    took, carried = ready - start, time.monotonic() - ready
    yield Finding(
        name="broker",
        level="ok",
        text=f"the embedded broker starts in {took:.1f} s and carries a record ({carried:.1f} s)",
    )


def _wait_until_ready(broker: "subprocess.Popen[bytes]", port: int) -> None:
    from engine.broker.embedded import wait_until_ready  # noqa: PLC0415  # a package that may be broken

    deadline = time.monotonic() + _BROKER_START_S
    while broker.poll() is None:
        try:
            wait_until_ready(port, 0.2)
        except BrokerUnreachable:
            if time.monotonic() > deadline:
                raise
        else:
            return
    assert broker.stderr is not None  # noqa: S101  # a pipe was asked for
    words = broker.stderr.read().decode(errors="replace").strip().splitlines()
    raise BrokerError(words[-1] if words else f"it ended with code {broker.returncode}")


def _carry_record(address: str) -> None:
    from engine.transport.base import CONTROL, Place  # noqa: PLC0415  # loads the client library of Kafka
    from engine.transport.open import open_transport  # noqa: PLC0415  # and so does this

    transport = open_transport(address, embedded=True, name="flconsole-doctor")
    try:
        transport.create_topics()
        transport.publish(Place(CONTROL), _RECORD)
        transport.assign({Place(CONTROL): 0})
        deadline = time.monotonic() + _RECORD_S
        while not any(record.value == _RECORD for record in transport.poll(0.5)):
            if time.monotonic() > deadline:
                raise BrokerError(f"a record does not come back within {_RECORD_S:g} s")
    finally:
        transport.close()


def check_data() -> Iterator[Finding]:
    """Reads CIFAR-10 where it is on this disk, and the digits that stand in for it."""
    has_cifar10, digits = False, Digits()
    try:
        folder = cifar10.find()
        if folder is None:
            yield Finding(
                name="cifar10",
                level="note",
                text="is not on this disk: a run downloads it, or takes the digits and says so",
                remedy=f"put {cifar10.FOLDER} into a folder and name that in FLCONSOLE_DATA",
            )
        else:
            source = Cifar10(folder)
            count = len(source.train_labels()) + len(source.held_out().y)
            yield Finding(name="cifar10", level="ok", text=f"{count:,} images in {folder}")
            has_cifar10 = True
    except DataError as error:
        yield Finding(
            name="cifar10",
            level="problem",
            text=str(error),
            remedy=f"mend or remove it, or set FLCONSOLE_DATA to the folder of {cifar10.FOLDER}",
            exit_code=DataError.exit_code,
        )
    try:
        count = len(digits.train_labels()) + len(digits.held_out().y)
        yield Finding(name="digits", level="ok", text=f"{count:,} images, from scikit-learn")
    except DataError as error:
        yield Finding(
            name="digits",
            level="note" if has_cifar10 else "problem",
            text=str(error),
            remedy="pip install --force-reinstall scikit-learn",
            exit_code=DataError.exit_code,
        )


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "tensorflow": check_tensorflow,
    "broker": check_broker,
    "data": check_data,
}


def main() -> int:
    """Prints what one check finds; 0 whatever that is."""
    parser = argparse.ArgumentParser(prog="python -m engine.doctor", description=__doc__)
    parser.add_argument("check", choices=CHECKS)
    parser.add_argument("--parent", type=int, metavar="PID", help="die with this process")
    arguments = parser.parse_args()
    raise_on_signals()
    if arguments.parent is not None:
        die_with_parent(arguments.parent)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what a library prints is no finding
            findings = list(CHECKS[arguments.check]())
    except Terminated as signal:  # whoever asked knows
        return signal.exit_code
    sys.stdout.write("".join(encode(finding).decode() for finding in findings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
