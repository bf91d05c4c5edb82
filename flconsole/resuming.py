"""Which keys of a run may change when it goes on, and why the others may not.

When a run ends, how long it waits and for how many, what it refuses, where its broker is and how much it
tells may change: every round records the updates that are in it. What is learned, from what and by whom may
not, or the rounds after the change would be those of another run.
"""

from engine.config import RunConfig
from engine.errors import ConfigError

MAY_CHANGE = (
    *("rounds", "duration_minutes", "target_accuracy"),
    *("quorum", "deadline_s", "aggregation_interval_seconds", "min_updates_per_aggregation"),
    *("training_interval_seconds", "max_update_norm", "eval_every"),
    *("start_timeout_s", "client_timeout_s", "broker_timeout_s", "stop_timeout_s", "max_restarts"),
    *("bootstrap_servers", "codec", "frame_key_file", "min_free_disk_mb", "log_level"),
)
"""Keys that `flconsole resume` takes."""

_FIXED = {
    "it decides which examples there are and who has them": (
        *("parts", "dataset", "partition", "dirichlet_alpha", "shards_per_client"),
        *("subset_size", "test_size", "local_test_fraction"),
    ),
    "it decides what a client makes of its examples": (
        *("learning_rate", "momentum", "weight_decay", "class_weighting", "augmentation"),
        *("batch_size", "local_epochs", "threads", "jit"),
    ),
    "the run began with it": ("model", "trainer", "seed", "init_from", "adapt"),
    "the checkpoints remember the updates that are counted no further back": ("max_staleness",),
    "it decides what a round is": ("mode", "strategy", "clients_per_round", "over_selection"),
    "clients come with `flconsole add-client` and go with `flconsole kill-client`": ("clients",),
    "the clients have been dealt to their processes": ("clients_per_process",),
    "the topics of the run are named after it": ("topic_prefix",),
    "the run is where it is": ("runs_dir",),
    "the run has written it down": ("run_id", "versions", "stand_in"),
}

STAYS_BECAUSE = {key: reason for reason, keys in _FIXED.items() for key in keys}
"""Every other key, and why it stays as it is."""


def check_changes(before: RunConfig, after: RunConfig) -> None:
    """Lets a run go on with other values of the keys that may change.

    Args:
        before: its configuration so far.
        after: the one it is to go on with.

    Raises:
        ConfigError: another key differs; names it, why it stays, and what may change.
    """
    for key, reason in STAYS_BECAUSE.items():
        old, new = getattr(before, key), getattr(after, key)
        if old != new:
            raise ConfigError(
                f"{key} = {new!r} cannot replace {old!r}: {reason}; what may change is "
                f"{', '.join(MAY_CHANGE)}; else start another run, with --init-from a saved checkpoint"
            )
