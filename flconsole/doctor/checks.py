"""What is looked at, in which order, and what is a note or a problem."""

import fcntl
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from engine.commands import Finding
from engine.config import RunConfig
from engine.errors import BrokerError, ConfigError, DataError, EngineError
from flconsole import plan
from flconsole.doctor.asking import ask_engine, run_module
from flconsole.figures import byte_size
from flconsole.supervisor.disk import free_bytes
from flconsole.supervisor.gpu import GpuReader
from flconsole.supervisor.lock import socket_directory
from flconsole.tui.keys import Keys
from flconsole.tui.terminal import Colours, Terminal, TerminalUnusable

_PROBE_S = 20.0
_TMUX_S = 3.0
_PYTHONS = ((3, 11), (3, 13))
_SMALLEST_SCREEN = (60, 20)
_FEW_FILES, _ENOUGH_FILES = 1024, 4096
_LITTLE_MEMORY = 2_000_000_000


@dataclass(frozen=True)
class Circumstances:
    """What is looked at.

    Attributes:
        config: the user's own defaults, or the built-in ones where those make no sense.
        runs_dir: where runs would be kept.
        environ: the environment.
    """

    config: RunConfig
    runs_dir: Path
    environ: Mapping[str, str]


Check = Callable[[Circumstances], Iterator[Finding]]


def diagnose(
    *, bootstrap_servers: str | None = None, runs_dir: Path | None = None
) -> Iterator[tuple[str, Iterator[Finding]]]:
    """The checks one after the other, each with what it finds; it is made when its findings are asked for.

    Args:
        bootstrap_servers: a Kafka cluster to look for instead of what the user's own defaults name.
        runs_dir: likewise.

    Raises:
        ConfigError: `bootstrap_servers` is no address.
    """
    given = RunConfig(bootstrap_servers=bootstrap_servers).bootstrap_servers
    config, findings = RunConfig(), list(_check_configuration())
    if not any(finding.level == "problem" for finding in findings):
        config = plan.resolve({}, None)
    if given is not None:
        config = msgspec.structs.replace(config, bootstrap_servers=given)
    here = Circumstances(config, runs_dir or Path(config.runs_dir), os.environ)
    yield "configuration", iter(findings)
    for name, check in CHECKS.items():
        yield name, check(here)


# --- Python and the machine


def _check_configuration() -> Iterator[Finding]:
    try:
        plan.resolve({}, None)
        Keys.load()
    except ConfigError as error:
        yield _problem("configuration", str(error), "mend the file, or move it away", ConfigError)
    else:
        path = plan.user_config_file()
        yield _ok(
            "configuration", f"{path}" if path.exists() else f"the defaults; your own would be in {path}"
        )


def _check_python(_here: Circumstances) -> Iterator[Finding]:
    text = f"{platform.python_version()} at {sys.executable}; {platform.platform()}"
    oldest, newest = (f"{major}.{minor}" for major, minor in _PYTHONS)
    if not _PYTHONS[0] <= sys.version_info[:2] <= _PYTHONS[1]:
        yield _note("python", text, f"it is tested with Python {oldest} to {newest}")
    else:
        yield _ok("python", text)
    missing = [name for name, version in plan.versions().items() if version == "not installed"]
    if required := [name for name in missing if name != "flconsole"]:  # that also runs from where it lies
        yield _problem(
            "packages", f"not installed: {', '.join(required)}", f"pip install {' '.join(required)}"
        )


def _check_machine(_here: Circumstances) -> Iterator[Finding]:
    memory, cores = psutil.virtual_memory(), _usable_cores()
    text = f"{cores} cores, {byte_size(memory.total)} of memory, {byte_size(memory.available)} free"
    if memory.available < _LITTLE_MEMORY:
        remedy = "each client takes about 150 MB beside the 500 MB of the first; start few"
        yield _note("machine", text, remedy)
    else:
        yield _ok("machine", text)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FEW_FILES:
        most = _ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH_FILES)
        remedy = f"ulimit -n {most} before many clients are started"
        yield _note("open files", f"at most {soft} in one process", remedy)
    else:
        limit = "any number" if soft == resource.RLIM_INFINITY else f"at most {soft:,}"
        yield _ok("open files", f"{limit} in one process")


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_tensorflow(_here: Circumstances) -> Iterator[Finding]:
    findings = list(ask_engine("tensorflow"))
    yield from findings
    gpus = GpuReader().count()
    if gpus and any("computes on the CPU" in finding.text for finding in findings):
        text = f"the driver has {gpus}, TensorFlow sees none"
        yield _note("gpu", text, "pip install 'tensorflow[and-cuda]', or look at CUDA_VISIBLE_DEVICES")


# --- what a run is made of


def _check_broker(here: Circumstances) -> Iterator[Finding]:
    address = here.config.bootstrap_servers
    if address is None:
        yield from ask_engine("broker", BrokerError)
        return
    topic_prefix = f"--topic-prefix={here.config.topic_prefix}"
    probe = run_module(
        "engine.transport.probe", "--bootstrap-servers", address, topic_prefix, timeout_s=_PROBE_S
    )
    if probe.code == 0:
        yield _ok("broker", f"{address} answers")
    else:
        remedy = "look at address, network and broker; without --bootstrap-servers there is an embedded one"
        yield _problem("broker", probe.last_words, remedy, BrokerError)


def _check_data(_here: Circumstances) -> Iterator[Finding]:
    yield from ask_engine("data", DataError)


def _check_runs_dir(here: Circumstances) -> Iterator[Finding]:
    path = here.runs_dir.absolute()
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        remedy = "choose another place on a local disk with --runs-dir"
        yield _problem("runs", f"{there}: no file can be written and locked: {error.strerror}", remedy)
    else:
        yield _ok("runs", f"{path}" if there == path else f"{path} can be made")
    yield _check_room(path, here.config.min_free_disk_mb)
    try:
        yield _ok("sockets", f"{socket_directory()}")
    except EngineError as error:
        yield _problem(
            "sockets", str(error), "export XDG_RUNTIME_DIR=... a private directory with a short path"
        )


def _check_room(path: Path, min_free_disk_mb: int) -> Finding:
    try:
        free = free_bytes(path)
    except EngineError as error:
        return _problem("disk", str(error), "choose another place with --runs-dir")
    text, wanted = f"{byte_size(free)} free", min_free_disk_mb * 1_000_000
    if free < wanted:
        text += f", and a run wants min_free_disk_mb = {min_free_disk_mb}"
        return _problem("disk", text, "make room, for example with `flconsole prune --keep 10`")
    if free < 2 * wanted:
        return _note(
            "disk", text, f"a run ends below {min_free_disk_mb} MB; make room with `flconsole prune`"
        )
    return _ok("disk", text)


# --- the terminal


def _check_terminal(here: Circumstances) -> Iterator[Finding]:
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout)):
        yield _ok("terminal", "none here: runs are shown line by line, as with --headless")
        return
    try:
        terminal = Terminal.from_environment(here.environ)
    except TerminalUnusable as error:
        yield _note("terminal", str(error), "export TERM=xterm-256color, or what your terminal is")
        return
    size = shutil.get_terminal_size()
    colours = {Colours.NONE: "no colours", Colours.SIXTEEN: "16 colours", Colours.MANY: "256 colours"}
    known = [
        f"{size.columns}x{size.lines}",
        "UTF-8" if terminal.has_unicode else "no UTF-8",
        colours.get(terminal.colours, "true colours"),
        f"TERM={here.environ.get('TERM', '')}",
        *(["over SSH, drawn less often"] if terminal.low_bandwidth else []),
    ]
    text = ", ".join(known)
    if size.columns < _SMALLEST_SCREEN[0] or size.lines < _SMALLEST_SCREEN[1]:
        yield _note(
            "terminal", text, "make it larger: the console is made for 80x24, and works from 60x20 on"
        )
    elif not terminal.has_unicode:
        yield _note("terminal", text, "export LANG=C.UTF-8 where the terminal knows it; else ASCII is drawn")
    else:
        yield _ok("terminal", text)
    yield _check_clipboard(here.environ)


def _check_clipboard(environ: Mapping[str, str]) -> Finding:
    if environ.get("TMUX"):
        version = _tmux_version(environ)
        if version >= (3, 2):
            return _ok("clipboard", f"through tmux {version[0]}.{version[1]}")
        remedy = "tmux 3.2 or newer passes it on by itself; before, `set -g set-clipboard on` in ~/.tmux.conf"
        return _note("clipboard", "tmux may keep what is copied to itself", remedy)
    if environ.get("STY"):
        return _ok("clipboard", "through GNU screen by OSC 52, if the terminal obeys it")
    return _ok("clipboard", "by OSC 52, if the terminal obeys it: none says so")


def _tmux_version(environ: Mapping[str, str]) -> tuple[int, int]:
    """Of the tmux on the path; (0, 0) where there is none that answers."""
    program = shutil.which("tmux", path=environ.get("PATH"))
    if program is None:
        return 0, 0
    try:
        told = subprocess.run([program, "-V"], capture_output=True, timeout=_TMUX_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    digits = "".join(c if c.isdigit() else " " for c in told.decode(errors="replace")).split()
    return (int(digits[0]), int(digits[1])) if len(digits) >= 2 else (0, 0)


CHECKS: dict[str, Check] = {
    "python": _check_python,
    "machine": _check_machine,
    "tensorflow": _check_tensorflow,
    "broker": _check_broker,
    "data": _check_data,
    "runs": _check_runs_dir,
    "terminal": _check_terminal,
}


def _ok(name: str, text: str) -> Finding:
    return Finding(name=name, level="ok", text=text)


def _note(name: str, text: str, remedy: str) -> Finding:
    return Finding(name=name, level="note", text=text, remedy=remedy)


def _problem(name: str, text: str, remedy: str, error: type[EngineError] = EngineError) -> Finding:
    return Finding(name=name, level="problem", text=text, remedy=remedy, exit_code=error.exit_code)
