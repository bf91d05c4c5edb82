"""Hostile input: 100,000 mutated frames and transfers, and bombs of 1 GiB.

What is drawn, and what is checked of each, is in `tests/hostile_frames/`.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks._rows import Row, row
from tests.hostile_frames.examination import examine
from tests.hostile_frames.mutations import Mutator

FRAMES_AND_TRANSFERS = 100_000
SEED = 4
MOST_BOMB_MB = 10

_BOMBS = {
    "decompressed alone": "reading.compressed_reason(bomb(1 << 30))",
    "as a plane of an update": "reading.frame_reason(packed_frame(bomb(1 << 30), *[bytes(1 << 17)] * 3, "
    "layout=layout), layout)",
}
_PROGRAM = """
import pathlib, re
from engine.core.weights import Layout, Tensor
from tests.hostile_frames import reading
from tests.hostile_frames.bad_compressed import bomb, packed_frame
layout = Layout((Tensor("kernel", (1 << 17,)),))
def memory_kib(name):
    return int(re.search(name + r":\\s*(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
before = memory_kib("VmRSS")
assert {expression} == "payload_too_large"
print(memory_kib("VmHWM") - before)
"""


def run() -> list[Row]:
    """Takes a minute."""
    with tempfile.TemporaryDirectory() as spill_dir:
        tallies = examine(Mutator(SEED), FRAMES_AND_TRANSFERS * 10 // 9 + 1, Path(spill_dir))
    failures = [failure for tally in tallies.values() for failure in tally.failures]
    for failure in failures[:20]:
        print(failure, file=sys.stderr)
    reasons: Counter[str] = sum((tally.reasons for tally in tallies.values()), Counter())
    examined = tallies["frames"].examined + tallies["transfers"].examined
    return [
        row("mutated frames and transfers", examined, "inputs", at_least=FRAMES_AND_TRANSFERS),
        row("crashes, wrong answers, too much memory", len(failures), "inputs", at_most=0),
        *(row(f"most memory, one of the {kind}", t.peak_bytes / 1e6, "MB") for kind, t in tallies.items()),
        *(
            row(f"a bomb of 1 GiB {how}", _megabytes(e), "MB", at_most=MOST_BOMB_MB)
            for how, e in _BOMBS.items()
        ),
        *(row(f"answer: {reason}", count, "times") for reason, count in reasons.most_common()),
    ]


def _megabytes(expression: str) -> float:
    """By how much a process of its own grows at most while it makes a bomb and refuses it (Linux)."""
    program = _PROGRAM.format(expression=expression)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return int(done.stdout) * 1024 / 1e6
