"""What the console costs: its first frame, its memory, a flood of logs, a running federation, and idleness.

Each figure comes from the real command on a terminal of its own, 120x40, that keeps nobody waiting.
"""

import contextlib
import json
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import _growing_run
from benchmarks._federation import Federation
from benchmarks._home import new_home
from benchmarks._rows import Row, row
from benchmarks._scribe import Story
from benchmarks._terminal import Terminal
from benchmarks.synthetic_run import write_run
from flconsole.supervisor.lock import SupervisorLock

LAUNCHES = 15
OPENINGS = 7
SEEKS = 40
WRITERS = 8
LINES_PER_S = 10_000
MEASURED_S = 10.0
SMALL = Story(clients=12, rounds=100)
LARGE = Story(clients=100, rounds=5_000)
_BAR = r"x1 .* round {}/{} "
"""Where a replay stands."""

_FLOOD = """
import sys, time
path, lines_per_s = sys.argv[1], int(sys.argv[2])
due = time.monotonic()
for number in range(10**9):
    with open(path, "a") as log:
        for line in range(lines_per_s // 50):
            clock = time.strftime("%Y-%m-%d %H:%M:%S")
            print(f"{clock},{number % 1000:03} INFO    client: step {number}.{line}: "
                  "loss 0.4321, accuracy 0.8765, gradient norm 1.2345", file=log)
    due += 0.02
    time.sleep(max(0.0, due - time.monotonic()))
"""


def run() -> list[Row]:
    """The rows of this benchmark."""
    with new_home() as folder:
        small = write_run(folder / SMALL.run, SMALL)
        large = write_run(folder / "large", LARGE)
        return [
            *_first_frame(small),
            *_size(large),
            *_flooded(folder / "flooded"),
            *_watching_federation(),
            *_watching_growth(folder / "growing"),
            *_idle(small),
            *_replay(small),
        ]


def _console(command: str, run_dir: Path) -> Terminal:
    return Terminal([sys.executable, "-m", "flconsole", command, str(run_dir)])


def _first_frame(run_dir: Path) -> list[Row]:
    """From the start of the process to the whole screen, footer and all; and on to what the run tells."""
    frames, contents, cpu = [], [], []
    for _ in range(LAUNCHES):
        with _console("attach", run_dir) as terminal:
            frames.append(terminal.wait_for("Quit") - terminal.started_at)
            cpu.append(terminal.cpu_s())
            contents.append(terminal.wait_for(_round(SMALL.rounds)) - terminal.started_at)
    name = f"console: exec to the first frame, median of {LAUNCHES}"
    return [
        row(name, statistics.median(frames), "s", at_most=0.450),
        row("    processor time until then, median", statistics.median(cpu), "s"),
        row("    to the state of a run of 100 rounds, median", statistics.median(contents), "s"),
    ]


def _size(run_dir: Path) -> list[Row]:
    with _console("attach", run_dir) as terminal:
        first = terminal.wait_for("Quit") - terminal.started_at
        read = terminal.wait_for(_round(LARGE.rounds)) - terminal.started_at
        terminal.settle(2.0)
        memory = terminal.process.memory_full_info()
    name = f"console: {LARGE.clients} clients, {LARGE.rounds} rounds"
    return [
        row(f"{name}: exec to the first frame", first, "s"),
        row("    to the whole history", read, "s"),
        row("    resident memory then", memory.rss / 2**20, "MiB", at_most=70),
        row("    private memory then", memory.uss / 2**20, "MiB"),
    ]


# --- logs


def _flooded(run_dir: Path) -> list[Row]:
    write_run(run_dir, Story(ended=False))
    delays = run_dir / "delays.json"
    with SupervisorLock(run_dir), _flood(run_dir):
        cpu, kb_per_s = _watch_logs(_console("attach", run_dir))
        _watch_logs(_program("_probed_console", run_dir, delays), leave=True)
        with _program("_line_by_line", run_dir) as terminal:
            terminal.settle(0.5)
            baseline_cpu, baseline_kb_per_s = terminal.measure(MEASURED_S)
    p95 = statistics.quantiles(json.loads(delays.read_text()), n=20)[-1]
    name = f"console: {LINES_PER_S} log lines/s from {WRITERS} processes"
    return [
        row(f"{name}: processor", cpu, "%", at_most=15),
        row("    to the terminal", kb_per_s, "kB/s", at_most=100),
        row("    event loop's delay, 95th percentile", p95, "ms", at_most=50),
        row("    with a RichLog, line by line: processor", baseline_cpu, "%"),
        row("    with a RichLog, line by line: to the terminal", baseline_kb_per_s, "kB/s"),
    ]


def _watch_logs(terminal: Terminal, *, leave: bool = False) -> tuple[float, float]:
    with terminal:
        terminal.wait_for("Quit")
        terminal.press("3z")
        terminal.wait_for("gradient norm")
        figures = terminal.measure(MEASURED_S)
        if leave:
            terminal.press("d")
            terminal.process.wait()
    return figures


def _program(module: str, *arguments: Path) -> Terminal:
    return Terminal([sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)])


@contextlib.contextmanager
def _flood(run_dir: Path) -> Iterator[None]:
    logs = [run_dir / "logs" / f"client-{number}.log" for number in range(1, WRITERS + 1)]
    rate = str(LINES_PER_S // WRITERS)
    writers = [subprocess.Popen([sys.executable, "-c", _FLOOD, str(log), rate]) for log in logs]
    try:
        yield
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()


# --- a running federation


def _watching_federation() -> list[Row]:
    options = (
        "--trainer=null",
        "--dataset=digits",
        "--clients=4",
        "--model=vector:4000000",
        "--rounds=100000",
    )
    with Federation(*options) as federation:
        federation.wait_for_round(3)
        rounds = federation.rounds_opened()
        with _console("attach", federation.run_dir) as terminal:
            figures = _watch_charts(terminal, r"round \d")
        rounds = federation.rounds_opened() - rounds
    return _watched("a federation of 4 clients", figures, f"{rounds} rounds meanwhile")


def _watching_growth(run_dir: Path) -> list[Row]:
    command = [sys.executable, "-m", "benchmarks._growing_run", str(run_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as growing:
        try:
            assert growing.stdout is not None
            assert growing.stdout.readline().strip() == _growing_run.READY
            with _console("attach", run_dir) as terminal:
                figures = _watch_charts(terminal, rf"round {str(_growing_run.HISTORY)[:-2]}\d\d")
        finally:
            growing.terminate()
    return _watched("100 clients after 5,000 rounds", figures, "a round in about 3 s")


def _watch_charts(terminal: Terminal, round_shown: str) -> tuple[float, float]:
    """The clients and the charts, once everything that was there before has been read and drawn."""
    terminal.wait_for(round_shown)
    terminal.measure(5.0)
    return terminal.measure(MEASURED_S)


def _watched(what: str, figures: tuple[float, float], how: str) -> list[Row]:
    cpu, kb_per_s = figures
    return [
        row(f"console: clients and charts of {what}: processor ({how})", cpu, "%", at_most=15),
        row("    to the terminal", kb_per_s, "kB/s", at_most=60),
    ]


# --- nothing happens, and what has happened


def _idle(run_dir: Path) -> list[Row]:
    rows = []
    for command, keys, what in (
        ("attach", "", "a run that has ended"),
        ("replay", "p", "a replay that stands still"),
    ):
        with _console(command, run_dir) as terminal:
            terminal.wait_for(r"round \d+/")
            terminal.press(keys)
            terminal.settle(2.0)
            cpu, kb_per_s = terminal.measure(MEASURED_S)
        rows += [
            row(f"console: {what}: to the terminal", 1000 * kb_per_s, "B/s", at_most=0),
            row("    processor", cpu, "%"),
        ]
    return rows


def _replay(run_dir: Path) -> list[Row]:
    """How soon a finished run can be played, and from Enter to another round on the screen."""
    opened, seconds = [], []
    for _ in range(OPENINGS):
        with _console("replay", run_dir) as terminal:
            opened.append(terminal.wait_for(_BAR.format(0, SMALL.rounds)) - terminal.started_at)
    with _console("replay", run_dir) as terminal:
        terminal.wait_for(_BAR.format(0, SMALL.rounds))
        terminal.press("p")
        for number in random.Random(1).sample(range(2, SMALL.rounds), SEEKS):
            terminal.press("g")
            terminal.wait_for("go to")
            terminal.press(str(number))
            terminal.settle(0.1)
            pressed_at = terminal.press("\r")
            seconds.append(terminal.wait_for(_BAR.format(number, SMALL.rounds)) - pressed_at)
    p95 = statistics.quantiles(seconds, n=20)[-1]
    name = f"console: replay of {SMALL.rounds} rounds"
    return [
        row(
            f"{name}: exec to the run shown, median of {OPENINGS}", statistics.median(opened), "s", at_most=1
        ),
        row(
            f"    Enter to another round shown, median of {SEEKS}",
            statistics.median(seconds),
            "s",
            at_most=0.1,
        ),
        row("    the same, 95th percentile", p95, "s"),
    ]


def _round(number: int) -> str:
    return rf"round {number}/"
