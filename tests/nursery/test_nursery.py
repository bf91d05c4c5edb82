"""The nursery forks, reports, signals whole groups, and leaves nothing behind."""

import json
import os
import signal

import pytest

from engine.commands import Exited, NurseryReady, Spawn, SpawnFailed, Started
from tests.nursery.harness import is_gone, wait_until

BARE = """
import os
from engine.commands import NurseryReady
from engine.nursery.nursery import Nursery
nursery = Nursery(0, os.dup(1), {option})
nursery.notify(NurseryReady(pid=os.getpid(), seconds=0.0))
nursery.run()
"""
WAIT = "import signal\nprint('here')\nwhile True: signal.pause()\n"
IGNORE_TERM = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAIT
FORK_THEN = """
import os, signal
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("grandchild", os.getpid())
    while True: signal.pause()
"""


def grandchild_of(nursery, name: str) -> int:
    def lines() -> list[str]:
        return [line for line in nursery.log(name).read_text().splitlines() if line.startswith("grandchild")]

    wait_until(lines, "the grandchild's line")
    return int(lines()[0].split()[1])


def test_a_child_is_told_its_arguments_and_environment_and_stands_alone(nursery):
    program = """
import json, os, signal, sys
print(json.dumps({
    "name": __name__, "argv": sys.argv[1:], "env": os.environ["FLAVOUR"],
    "session": os.getsid(0) == os.getpid(),
    "stdin": os.readlink("/proc/self/fd/0"), "files": sorted(os.listdir("/proc/self/fd"), key=int),
    "int": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "chld": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
}))
"""
    nursery.spawn("a", program, "--rounds", "3", env={"FLAVOUR": "plum"})

    assert nursery.exit_of("a").code == 0
    told = json.loads(nursery.log("a").read_text())
    own_listing = told.pop("files").pop()  # the descriptor that lists the folder
    assert int(own_listing) <= 4  # 0, 1, 2, and a file of the interpreter at most: nothing of the nursery's
    assert told == {
        "name": "__main__",
        "argv": ["--rounds", "3"],
        "env": "plum",
        "session": True,
        "stdin": "/dev/null",
        "int": True,
        "chld": True,
    }


@pytest.mark.parametrize(
    ("program", "code", "words"),
    [
        ("pass", 0, ""),
        ("import sys; sys.exit()", 0, ""),
        ("import sys; sys.exit(5)", 5, ""),
        ("import sys; sys.exit('no data')", 1, "no data"),
        ("raise RuntimeError('lost')", 1, "RuntimeError: lost"),
        ("from engine.lifecycle import Terminated; raise Terminated(15)", 143, ""),
    ],
)
def test_the_exit_code_is_the_modules_own(nursery, program, code, words):
    pid = nursery.spawn("a", program)

    assert nursery.exit_of("a") == Exited(name="a", pid=pid, code=code, signal=None)
    assert words in nursery.log("a").read_text()


def test_a_module_that_does_not_exist_ends_with_its_traceback_in_the_log(nursery):
    nursery.send(Spawn(name="a", module="no_such_module", args=[], log=str(nursery.log("a"))))
    nursery.expect(Started)

    assert nursery.exit_of("a").code == 1
    assert "No module named no_such_module" in nursery.log("a").read_text()


def test_native_code_that_crashes_leaves_the_python_that_called_it_in_the_log(nursery):
    nursery.spawn("a", "import ctypes\ndef train(): ctypes.string_at(0)\ntrain()")

    assert nursery.exit_of("a").signal == "SIGSEGV"
    log = nursery.log("a").read_text()
    assert log.startswith("Fatal Python error: Segmentation fault")
    assert "in train" in log


def test_a_log_that_cannot_be_opened_is_reported_as_a_failed_start(nursery):
    nursery.send(Spawn(name="a", module="timeit", args=[], log="/nowhere/a.log"))

    assert "/nowhere/a.log" in nursery.expect(SpawnFailed).error


def test_two_children_of_one_name_are_refused(nursery):
    pid = nursery.spawn("a", WAIT)
    nursery.send(Spawn(name="a", module="timeit", args=[], log=str(nursery.log("a"))))

    assert f"still running as pid {pid}" in nursery.expect(SpawnFailed).error


def test_a_signal_reaches_the_child_and_is_reported_by_name(nursery):
    pid = nursery.spawn("a", WAIT)
    nursery.signal("a", signal.SIGTERM)

    assert nursery.exit_of("a") == Exited(name="a", pid=pid, code=None, signal="SIGTERM")


def test_a_signal_right_after_the_start_is_not_lost(nursery):
    for number in range(20):
        nursery.spawn(f"a{number}", WAIT)
        nursery.signal(f"a{number}", signal.SIGKILL)
        assert nursery.exit_of(f"a{number}").signal == "SIGKILL"


def test_a_signal_to_a_child_that_is_gone_does_nothing(nursery):
    nursery.spawn("a", "pass")
    nursery.exit_of("a")
    nursery.signal("a", signal.SIGKILL)
    nursery.signal("never there", signal.SIGKILL)

    nursery.spawn("b", "pass")
    assert nursery.exit_of("b").code == 0


def test_an_exit_is_reported_when_the_whole_group_is_gone(nursery):
    nursery.spawn("a", FORK_THEN + WAIT)
    grandchild = grandchild_of(nursery, "a")
    nursery.signal("a", signal.SIGTERM)  # the leader obeys, what it forked does not

    assert nursery.exit_of("a").signal == "SIGTERM"
    assert is_gone(grandchild)


def test_what_a_child_printed_before_kill_is_in_its_log(nursery):
    nursery.spawn("a", "import os, signal\nprint('last words')\nos.kill(os.getpid(), signal.SIGKILL)")

    assert nursery.exit_of("a").signal == "SIGKILL"
    assert nursery.log("a").read_text() == "last words\n"


def test_a_restarted_child_appends_to_its_log(nursery):
    for word in ("first", "second"):
        nursery.spawn("a", f"print('{word}')")
        nursery.exit_of("a")

    assert nursery.log("a").read_text() == "first\nsecond\n"


def test_end_of_file_ends_every_child_even_one_that_ignores_term(start):
    nursery = start(["-c", BARE.format(option="grace_s=0.2")])
    nursery.expect(NurseryReady)
    pids = [nursery.spawn("stubborn", IGNORE_TERM), nursery.spawn("willing", FORK_THEN + WAIT)]
    pids.append(grandchild_of(nursery, "willing"))
    nursery.wait_for_line("stubborn", "here")

    assert nursery.close() == 0
    assert all(is_gone(pid) for pid in pids)


def test_the_children_die_with_a_nursery_that_is_killed(nursery):
    pids = [nursery.spawn(name, IGNORE_TERM) for name in ("a", "b")]
    nursery.process.kill()
    nursery.process.wait()

    wait_until(lambda: all(is_gone(pid) for pid in pids), "children gone")


def test_the_nursery_dies_with_its_parent(start, tmp_path):
    launcher = tmp_path / "launcher.py"
    launcher.write_text(
        "import os, subprocess, sys\n"
        "command = [sys.executable, '-m', 'engine.nursery', '--parent', str(os.getpid())]\n"
        "subprocess.Popen(command).wait()\n"
    )
    between = start([str(launcher)])
    pid = between.expect(NurseryReady).pid
    child = between.spawn("a", IGNORE_TERM)
    between.process.kill()
    between.process.wait()

    wait_until(lambda: is_gone(pid) and is_gone(child), "nursery and child gone")


def test_a_nursery_whose_parent_is_gone_already_does_not_stay(start):
    orphan = start(["-m", "engine.nursery", "--parent", "1"])

    assert orphan.close() == 128 + signal.SIGKILL


def test_what_a_preloaded_module_prints_stays_out_of_the_notices(start, tmp_path):
    (tmp_path / "talkative.py").write_text("print('I was imported')\n")
    nursery = start(["-m", "engine.nursery", "--preload", "talkative", "--parent", str(os.getpid())])

    assert nursery.expect(NurseryReady).pid == nursery.process.pid
    nursery.spawn("a", "import sys; print('talkative' in sys.modules)")
    assert nursery.exit_of("a").code == 0
    assert nursery.log("a").read_text() == "True\n"
    assert nursery.close() == 0
    assert nursery.errors.read_text() == "I was imported\n"


def test_without_fork_a_fresh_interpreter_does_the_same(start):
    nursery = start(["-c", BARE.format(option="fork=False")])
    nursery.expect(NurseryReady)
    program = (
        "import os, sys\nprint(sys.argv[1:], os.environ['FLAVOUR'], os.getsid(0) == os.getpid())\nsys.exit(4)"
    )
    nursery.spawn("a", program, "x", env={"FLAVOUR": "plum"})

    assert nursery.exit_of("a").code == 4
    assert nursery.log("a").read_text() == "['x'] plum True\n"
    nursery.spawn("b", WAIT)
    nursery.wait_for_line("b", "here")
    nursery.signal("b", signal.SIGTERM)
    assert nursery.exit_of("b").signal == "SIGTERM"
    assert nursery.close() == 0
