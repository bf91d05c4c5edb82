"""The configuration of a run: one flat, frozen, strict record. A key is its option with underscores.

Precedence is option > `--config` file > the user's own file > default. An unknown key is refused with the
nearest valid name and the file it stands in. Secrets are never values here, only `*_file` or `*_env` names.
"""

import difflib
import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import msgspec
import tomli_w
from msgspec import Meta

from engine.errors import ConfigError

MODELS = ("lenet", "cnn")
"""Built-in models; beside them `vector:N` (null trainer) and `module:function`."""
DATASETS = ("auto", "cifar10", "digits")
"""Built-in data sets; beside them `module:function`."""
STRATEGIES = ("fedavg",)
CODECS = ("none", "shuffle+zstd")
DEFAULT_ROUNDS = 5
DEFAULT_INTERVAL_S = 10.0

MIN_INTERVAL_S, MAX_INTERVAL_S = 0.001, 10**9
"""Seconds between two ticks of a clock: at least what one can tell apart, at most what one lives to see."""

MAX_KEPT_UPDATES = 4
"""Updates of one client that are in no checkpoint yet: it keeps them all, and trains on below this number."""

MAX_STALENESS = 1000
"""Most rounds by which the base of an update may be allowed to be behind."""

MAX_TOTAL_EXAMPLES = 2**21 - 1
"""Most examples that one round's exact sum can weigh (see `engine.core.exact_sum`)."""

_ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})", re.ASCII)
_TOPIC_PREFIX = re.compile("[a-zA-Z0-9._-]{0,200}")
"""What Kafka takes in a topic's name of at most 249 characters, the longest of ours behind it."""

PositiveInt = Annotated[int, Meta(ge=1)]
PositiveFloat = Annotated[float, Meta(gt=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
NonNegativeFloat = Annotated[float, Meta(ge=0)]
Interval = Annotated[float, Meta(ge=MIN_INTERVAL_S, le=MAX_INTERVAL_S)]
NonNegativeInt = Annotated[int, Meta(ge=0)]

Mode = Literal["sync", "timed", "buffered"]

MODES_OF_KEY = {
    "quorum": ("sync",),
    "deadline_s": ("sync",),
    "clients_per_round": ("sync",),
    "over_selection": ("sync",),
    "aggregation_interval_seconds": ("timed",),
    "min_updates_per_aggregation": ("timed", "buffered"),
    "training_interval_seconds": ("timed", "buffered"),
    "max_staleness": ("timed", "buffered"),
}
"""Keys that mean nothing in another mode."""


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides what a run computes and where."""

    # --- the federation
    clients: PositiveInt = 3
    """Clients started on this machine; round 1 waits for all of them."""
    parts: PositiveInt | None = None
    """Parts the training data are cut into; the default is the number of clients."""
    rounds: PositiveInt | None = None
    """Rounds until the end; the default is 5, or no limit where one of the two below is given."""
    duration_minutes: PositiveFloat | None = None
    """Stop after the round in which this time has passed."""
    target_accuracy: Fraction | None = None
    """Stop after the first round whose global accuracy reaches this."""
    mode: Mode = "sync"
    """How rounds close: `sync` waits for its cohort, `timed` for the clock, `buffered` for so many updates.
    In the last two, clients train at their own pace, and an update counts whatever model it started from."""
    quorum: PositiveInt | None = None
    """With `sync`: updates that close a round once the deadline has passed; without a deadline, as soon as
    they are there. The default is the whole cohort."""
    deadline_s: PositiveFloat | None = None
    """With `sync`: seconds after which a round closes with what it has, quorum permitting; default never."""
    clients_per_round: PositiveInt | None = None
    """With `sync`: updates that a round wants; their clients are drawn with the seed. The default is all."""
    over_selection: Annotated[float, Meta(ge=1, le=10)] = 1.0
    """With `clients_per_round`: so many times more clients train; the first that are wanted are taken."""
    aggregation_interval_seconds: Interval | None = None
    """With `timed`: seconds from one aggregation to the next; the default is 10."""
    min_updates_per_aggregation: PositiveInt | None = None
    """With `timed`: updates without which none takes place. With `buffered`: updates that make one take
    place. The default is half of the clients, at least one."""
    training_interval_seconds: Annotated[float, Meta(ge=0, le=MAX_INTERVAL_S)] = 0.0
    """With `timed` and `buffered`: least seconds from a client's training to its next."""
    max_staleness: Annotated[int, Meta(ge=1, le=MAX_STALENESS)] = 50
    """With `timed` and `buffered`: rounds by which an update's base may be behind."""
    start_timeout_s: PositiveFloat = 120.0
    """Seconds round 1 waits for all clients before it starts with those that joined, quorum permitting, and a
    resumed run for its quorum."""
    client_timeout_s: PositiveFloat = 15.0
    """Seconds without a heartbeat after which a client counts as lost."""
    strategy: str = "fedavg"
    """How updates become the next global model."""
    codec: str = "none"
    """How models and updates are written on the wire; whatever it is, every bit survives."""
    frame_key_file: str | None = None
    """A file with 64 hexadecimal digits that all of a federation share: frames made without them are
    refused."""
    max_update_norm: PositiveFloat | None = None
    """Largest L2 norm of an update; a larger one is refused. The default is no limit."""
    seed: Annotated[int, Meta(ge=0, lt=2**32)] = 1
    """Decides the partition, the initial model and every shuffle."""

    # --- the model and the data
    model: str = "lenet"
    """A built-in model, N plain values for the null trainer, or a function of yours."""
    trainer: Literal["keras", "null"] = "keras"
    """`null` trains nothing: it adds seeded noise, to exercise everything else."""
    dataset: str = "auto"
    """`auto` is CIFAR-10 where it can be had, otherwise the digits of scikit-learn, and says so."""
    partition: Literal["iid", "shards", "dirichlet"] = "iid"
    """How examples are dealt to the parts: alike, by label shards, or by skewed label shares."""
    dirichlet_alpha: PositiveFloat = 0.5
    """With `dirichlet`: the smaller, the more skewed."""
    shards_per_client: PositiveInt = 2
    """With `shards`: how many each part gets, of about one label each."""
    subset_size: PositiveInt | None = None
    """Training examples used, drawn with the seed; the default is all."""
    test_size: PositiveInt | None = None
    """Held-out examples used by the server; the default is all."""
    local_test_fraction: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of each part that its client keeps apart to report `test_accuracy`."""
    init_from: str | None = None
    """A `.keras` file or a checkpoint to start from instead of the seeded initial model."""
    adapt: bool = False
    """With `init_from`: copy the tensors that match by name and shape, report the others."""

    # --- local training
    learning_rate: PositiveFloat = 0.01
    """Step size of local SGD."""
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """Momentum of local SGD; it starts from zero in every round."""
    weight_decay: NonNegativeFloat = 0.0
    """Share of each weight taken off per step, scaled by the learning rate."""
    class_weighting: Literal["none", "balanced"] = "none"
    """`balanced`: the rarer a class in a client's part, the more its examples weigh in the loss."""
    augmentation: Literal["none", "flip_crop"] = "none"
    """`flip_crop`: training images are mirrored and shifted at random, by the seed."""
    batch_size: PositiveInt = 32
    """Examples of one local step."""
    local_epochs: PositiveInt = 1
    """Passes over the client's part in one round."""
    threads: PositiveInt = 1
    """TensorFlow threads of each client; part of what decides the bits of the result."""
    jit: bool = False
    """Compile training with XLA; the default, TensorFlow's deterministic operations, is faster on CPUs."""
    eval_every: PositiveInt = 1
    """Rounds from one evaluation of the global model to the next."""

    # --- the broker
    bootstrap_servers: str | None = None
    """HOST:PORT[,HOST:PORT]; without it an embedded broker is started on loopback."""
    topic_prefix: str = ""
    """Begins the name of every topic, so that several runs share one cluster."""
    broker_timeout_s: PositiveFloat = 600.0
    """Seconds a connected process waits for a broker that went away."""

    # --- operations
    runs_dir: str = "runs"
    """Where run directories are made."""
    clients_per_process: PositiveInt = 1
    """Clients that share a process: one connection and one model for all, trained one after the other."""
    min_free_disk_mb: NonNegativeInt = 200
    """Free megabytes below which the run is stopped before its files are cut short; 0 does not look."""
    max_restarts: Annotated[int, Meta(ge=0)] = 5
    """Restarts in a row, without a round in between, after which a process is given up on."""
    stop_timeout_s: PositiveFloat = 8.0
    """Seconds between TERM and KILL."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much the processes write to their logs."""

    # --- written by the run itself
    run_id: str = ""
    versions: dict[str, str] = {}
    """Versions of Python, this software and the libraries that decide the result."""
    stand_in: str = ""
    """Why `dataset` is not what was asked for; empty where it is."""

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise ConfigError(problem)

    @property
    def num_parts(self) -> int:
        return self.parts or self.clients

    @property
    def round_limit(self) -> int | None:
        """The round after which the run is over; None where time or accuracy alone decide."""
        if self.rounds is None and self.duration_minutes is None and self.target_accuracy is None:
            return DEFAULT_ROUNDS
        return self.rounds

    @property
    def interval_s(self) -> float:
        """Seconds from one aggregation to the next, with `timed`."""
        return self.aggregation_interval_seconds or DEFAULT_INTERVAL_S

    @property
    def min_updates(self) -> int:
        """Updates that an aggregation needs, with `timed` and `buffered`."""
        return self.min_updates_per_aggregation or max(1, self.clients // 2)

    @property
    def embedded_broker(self) -> bool:
        return self.bootstrap_servers is None

    def _problems(self) -> list[str]:
        return [
            *self._undecoded_bytes(),
            *self._unknown_names(),
            *self._model_problems(),
            *self._impossible_numbers(),
            *self._mode_problems(),
            *self._broker_problems(),
        ]

    def _undecoded_bytes(self) -> list[str]:
        """Texts with bytes of another encoding: a file in UTF-8 cannot hold them."""
        return [
            f"{key} = {value!r} is not UTF-8"
            for key in self.__struct_fields__
            if isinstance(value := getattr(self, key), str) and re.search("[\ud800-\udfff]", value)
        ]

    def _unknown_names(self) -> list[str]:
        """Names that are not in their closed list, or not in an open one without being `module:function`."""
        problems = []
        for key, value, valid, others in (
            ("strategy", self.strategy, STRATEGIES, ""),
            ("codec", self.codec, CODECS, ""),
            ("dataset", self.dataset, DATASETS, "module:function"),
            ("model", self.model, MODELS, "vector:N or module:function"),
        ):
            if value in valid or (others and ":" in value):
                continue
            hint = nearest(value, valid) + (f" or write {others}" if others else "")
            problems.append(f"{key} = {value!r} is not known; {hint}")
        return problems

    def _impossible_numbers(self) -> list[str]:
        problems = [
            f"{key} = {value} is not a number to count with; give a finite one"
            for key in self.__struct_fields__
            if isinstance(value := getattr(self, key), float) and not math.isfinite(value)
        ]
        if self.num_parts > MAX_TOTAL_EXAMPLES:
            key = "clients" if self.parts is None else "parts"
            problems.append(
                f"{key} = {self.num_parts}: a round weighs at most {MAX_TOTAL_EXAMPLES} examples, "
                "and a part has at least one"
            )
        if self.clients > self.num_parts:
            problems.append(f"clients = {self.clients} do not fit parts = {self.num_parts}; raise parts")
        if self.adapt and self.init_from is None:
            problems.append("adapt needs init_from: it fits another model's weights to this one")
        if self.jit and self.threads > 1:
            problems.append(
                "jit = true needs threads = 1: compiled, several threads do not repeat the result"
            )
        return problems

    def _mode_problems(self) -> list[str]:
        defaults = {field.name: field.default for field in msgspec.structs.fields(self)}
        problems = [
            f"{key} belongs to mode = {' or '.join(map(repr, modes))}; this run's is {self.mode!r}"
            for key, modes in MODES_OF_KEY.items()
            if self.mode not in modes and getattr(self, key) != defaults[key]
        ]
        if self.over_selection > 1 and self.clients_per_round is None:
            problems.append("over_selection needs clients_per_round: so many times more than those train")
        for key in ("quorum", "clients_per_round"):
            value, most = getattr(self, key), self.num_parts
            if value is not None and value > most:
                problems.append(f"{key} = {value} can never be reached with {most} parts")
        if self.quorum and self.clients_per_round and self.quorum > self.clients_per_round:
            problems.append(
                f"quorum = {self.quorum} is more than clients_per_round = {self.clients_per_round}"
            )
        if self.min_updates > MAX_KEPT_UPDATES * self.num_parts:
            problems.append(
                f"min_updates_per_aggregation = {self.min_updates}: {self.num_parts} parts give at most "
                f"{MAX_KEPT_UPDATES * self.num_parts} before an aggregation"
            )
        return problems

    def _model_problems(self) -> list[str]:
        if self.model.startswith("vector:"):
            return self._vector_problems()
        if self.trainer == "null" and self.model not in MODELS:
            known = ", ".join(MODELS)
            return [f"trainer = 'null' knows the models {known} and vector:N, not {self.model!r}"]
        return []

    def _vector_problems(self) -> list[str]:
        size = self.model.removeprefix("vector:")
        if not re.fullmatch("[1-9][0-9]{0,17}", size):
            return [f"model = {self.model!r}: write vector:N with N values, for example vector:10000000"]
        if self.trainer != "null":
            return [f"model = {self.model!r} has nothing to train; use trainer = 'null'"]
        return []

    def _broker_problems(self) -> list[str]:
        addresses = [] if self.bootstrap_servers is None else self.bootstrap_servers.split(",")
        problems = [
            f"bootstrap_servers: {address!r} is not HOST:PORT"
            for address in addresses
            if not (match := re.fullmatch(_ADDRESS, address)) or not 0 < int(match[1]) < 2**16
        ]
        if not re.fullmatch(_TOPIC_PREFIX, self.topic_prefix):
            problems.append(
                f"topic_prefix = {self.topic_prefix!r}: at most 200 letters a-z, A-Z, digits, '.', '_', '-'"
            )
        return problems

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, source: str) -> Self:
        """Checks and builds a configuration.

        Raises:
            ConfigError: names `source`, the key and the nearest valid name or the legal values.
        """
        unknown = [key for key in values if key not in cls.__struct_fields__]
        if unknown:
            hint = nearest(unknown[0], cls.__struct_fields__)
            raise ConfigError(f"{source}: {unknown[0]!r} is not a key; {hint}")
        try:
            return msgspec.convert(dict(values), cls)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{source}: {error}") from None
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads the `config.toml` of a run.

        Raises:
            ConfigError: unreadable, not TOML, or not a configuration; names the file.
        """
        return cls.from_mapping(read_toml(path), source=str(path))

    def to_toml(self) -> str:
        """Every key, resolved. A key that is unset is left out."""
        values = {key: value for key, value in msgspec.to_builtins(self).items() if value is not None}
        return tomli_w.dumps(values)


def read_toml(path: Path) -> dict[str, Any]:
    """Reads a TOML file.

    Raises:
        ConfigError: the file cannot be read or parsed; names it and the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None


def nearest(word: str, valid: tuple[str, ...]) -> str:
    """A hint for a name that does not exist: the nearest one, or all of them."""
    close = difflib.get_close_matches(word, valid, n=1)
    return f"did you mean {close[0]!r}?" if close else f"valid: {', '.join(valid)}"
