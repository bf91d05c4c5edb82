"""How a process ends: at a signal, once, with the shell's exit code; and when its parent is gone."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from engine.lifecycle import Terminated

OBEDIENT = """
import signal, sys
from engine.lifecycle import Terminated, raise_on_signals
raise_on_signals()
try:
    try:
        print("ready", flush=True)
        signal.pause()
    except Exception:
        sys.exit("an error handler swallowed it")
except Terminated as ended:
    for again in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.raise_signal(again)
    print(ended, flush=True)
    sys.exit(ended.exit_code)
"""

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(child.pid, flush=True)
child.wait()
"""

CHILD = """
import os, signal
from engine.lifecycle import die_with_parent
die_with_parent(os.getppid())
print("ready", flush=True)
while True:
    signal.pause()
"""

ORPHAN = """
import os
from engine.lifecycle import die_with_parent
die_with_parent(os.getppid() + 1)
print("lives on", flush=True)
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_process_once_with_the_code_of_a_shell(signum):
    with subprocess.Popen([sys.executable, "-c", OBEDIENT], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signum)
        output, _ = process.communicate(timeout=20)

    assert (process.returncode, output) == (128 + signum, f"{signum.name}\n")


def test_no_handler_of_errors_takes_it_for_one():
    assert not issubclass(Terminated, Exception)
    assert Terminated(signal.SIGTERM).exit_code == 143


def test_a_child_dies_when_its_parent_is_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE, text=True) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        assert parent.stdout.readline() == "ready\n"
        parent.kill()

    _, alive = psutil.wait_procs([child], timeout=20)
    assert alive == []


def test_a_child_whose_parent_is_gone_already_does_not_start():
    ended = subprocess.run(
        [sys.executable, "-c", ORPHAN], env=os.environ, capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout) == (128 + signal.SIGKILL, "")
