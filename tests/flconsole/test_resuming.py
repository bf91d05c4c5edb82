"""Which keys a run that goes on may have changed: each is decided, and what is refused says why."""

import re
from pathlib import Path

import msgspec
import pytest

from engine.config import RunConfig
from engine.errors import ConfigError
from flconsole.resuming import MAY_CHANGE, STAYS_BECAUSE, check_changes

REFERENCE = Path(__file__).parents[2] / "docs" / "cli.md"
OTHER_VALUES = {
    "parts": 9, "dataset": "cifar10", "partition": "shards", "dirichlet_alpha": 0.1, "shards_per_client": 3,
    "subset_size": 10, "test_size": 10, "local_test_fraction": 0.5, "learning_rate": 0.5, "momentum": 0.5,
    "weight_decay": 0.5, "class_weighting": "balanced", "augmentation": "flip_crop", "batch_size": 1,
    "local_epochs": 2, "threads": 2, "jit": True, "model": "cnn", "trainer": "null", "seed": 2,
    "init_from": "other.keras", "mode": "timed", "clients_per_round": 2, "clients": 2,
    "clients_per_process": 2, "topic_prefix": "other", "runs_dir": "other", "run_id": "other",
    "versions": {"python": "2.7"}, "stand_in": "other",
}  # fmt: skip


def with_(**changes):
    return msgspec.structs.replace(RunConfig(), **changes)


def test_every_key_is_decided_once():
    decided = [*MAY_CHANGE, *STAYS_BECAUSE]

    assert sorted(decided) == sorted(RunConfig.__struct_fields__), (
        "a new key: decide in flconsole/resuming.py whether a run that goes on may have another value of it"
    )


@pytest.mark.parametrize("key", sorted(STAYS_BECAUSE.keys() & OTHER_VALUES))
def test_what_may_not_change_is_refused_with_the_reason_and_what_may(key):
    with pytest.raises(ConfigError) as caught:
        check_changes(RunConfig(), with_(**{key: OTHER_VALUES[key]}))

    line = str(caught.value)
    assert line.startswith(f"{key} = {OTHER_VALUES[key]!r} cannot replace {getattr(RunConfig(), key)!r}: ")
    assert STAYS_BECAUSE[key] in line
    assert ", ".join(MAY_CHANGE) in line
    assert "\n" not in line


def test_what_is_refused_together_with_another_key_is_refused_too():
    """These cannot differ alone: `RunConfig` has one value, or wants a companion."""
    untried = STAYS_BECAUSE.keys() - OTHER_VALUES

    assert untried == {"strategy", "adapt", "over_selection", "max_staleness"}


def test_what_may_change_changes():
    check_changes(
        RunConfig(),
        with_(rounds=9, quorum=2, deadline_s=1.0, eval_every=2, log_level="debug", codec="shuffle+zstd"),
    )


def test_the_same_value_is_no_change():
    check_changes(RunConfig(), with_(seed=RunConfig().seed, rounds=9))


def test_the_documentation_lists_what_may_change():
    section = REFERENCE.read_text(encoding="utf-8").partition("## Keys that `resume` may change\n")[2]
    listed = re.findall(r"`(\w+)`", section.partition("\n## ")[0].partition("stays:")[0])

    assert listed == list(MAY_CHANGE)
