"""The nursery process: `python -m engine.nursery [--preload MODULE]... --parent PID`."""

import argparse
import faulthandler
import gc
import importlib
import os
import time

from engine import lifecycle
from engine.commands import NurseryReady
from engine.nursery.nursery import Nursery


def main() -> None:
    """Dies with its parent, imports what its children need, then obeys the lines on standard input."""
    started = time.monotonic()
    faulthandler.enable()
    arguments = _parse_arguments()
    lifecycle.die_with_parent(arguments.parent)
    notices = _take_over_stdout()
    for module in arguments.preload:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # the collector never touches, so never copies, the pages that all children share
    nursery = Nursery(commands_fd=0, notices_fd=notices)
    nursery.notify(NurseryReady(pid=os.getpid(), seconds=time.monotonic() - started))
    nursery.run()


def _take_over_stdout() -> int:
    """Keeps standard output for notices; whatever a library prints goes to standard error instead."""
    notices = os.dup(1)
    os.dup2(2, 1)
    return notices


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="engine.nursery", description=__doc__)
    parser.add_argument("--preload", action="append", default=[], metavar="MODULE")
    parser.add_argument("--parent", type=int, required=True, metavar="PID", help="die with this process")
    return parser.parse_args()


if __name__ == "__main__":
    main()
