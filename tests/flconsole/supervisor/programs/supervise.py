"""Runs a supervisor in a process of its own: `supervise.py RUN_DIR CONFIG_JSON [FLAG]...`."""

import asyncio
import json
import sys
from pathlib import Path

from engine.config import RunConfig
from flconsole.supervisor.programs import Programs
from flconsole.supervisor.supervisor import run_supervisor

run_dir = Path(sys.argv[1])
config = RunConfig.from_mapping(json.loads(sys.argv[2]), source="test")
(run_dir / "config.toml").write_text(config.to_toml())
preload = (sys.argv[sys.argv.index("--preload") + 1],) if "--preload" in sys.argv else ()


async def note_the_delay(delay: float) -> None:
    """The only clock that is faked: the delay before a restart is written down instead of waited for."""
    with (run_dir / "delays").open("a") as file:
        file.write(f"{delay}\n")
    await asyncio.sleep(0)


sys.exit(
    run_supervisor(
        config,
        run_dir,
        resumed="--resumed" in sys.argv,
        programs=Programs(server="stand_in_server", client="stand_in_client", preload=preload),
        sleep=note_the_delay,
    )
)
