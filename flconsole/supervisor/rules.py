"""Rules that an operator has changed are kept in the run's configuration.

There a server that is started again finds them before it opens a round, and so does a run that is resumed.
"""

from pathlib import Path

import msgspec

from engine.commands import SetRound
from engine.config import RunConfig
from flconsole.files import replace_file

_CONFIG = "config.toml"


def keep_rules(run_dir: Path, change: SetRound) -> None:
    """Writes what the server has carried out; a rule that is cleared goes, unless it has a new value.

    Args:
        run_dir: the run directory.
        change: what the server was told.

    Raises:
        OSError: the file cannot be written; what was there still is.
        ConfigError: the file is not a configuration any more.
    """
    named = {key: getattr(change, key) for key in change.__struct_fields__ if key != "clear"}
    values = dict.fromkeys(change.clear) | {key: value for key, value in named.items() if value is not None}
    config = msgspec.structs.replace(RunConfig.load(run_dir / _CONFIG), **values)
    replace_file(run_dir / _CONFIG, config.to_toml(), durable=True)
