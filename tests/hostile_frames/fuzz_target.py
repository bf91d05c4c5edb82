"""What the fuzzer runs: one input at a time, given to the reader that its first byte names.

Run by `tests.hostile_frames.fuzz`, which prepares the first inputs; arguments are their folder and options
of libFuzzer. Anything but a refusal ends it, and leaves the input in a file `crash-...`.
"""

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["engine", "pickle"]):
    from engine.data import restricted_pickle
    from engine.errors import DataError
    from tests.hostile_frames import examination
    from tests.hostile_frames.honest import DELTA, LAYOUT, PACKED_LAYOUT, records, with_digest
    from tests.hostile_frames.mutations import MutatedFrame

_FOLDER = Path(tempfile.mkdtemp(dir=sys.argv[1]))
_HONEST = [
    *records("1"),
    *records("2", partition=1),
    *records("3", DELTA, layout=LAYOUT),
]
_HEADER_NAMES = sorted(_HONEST[0].headers)


def read_frame(content: bytes) -> None:
    """A frame as it is."""
    examination.frame_verdict(MutatedFrame(content, LAYOUT, None))


def read_sealed_frame(content: bytes) -> None:
    """A frame without a digest gets one, or nothing would get past it."""
    for layout in (LAYOUT, PACKED_LAYOUT):
        examination.frame_verdict(MutatedFrame(with_digest(content), layout, None))


def read_records(content: bytes) -> None:
    """Honest records, chosen by the input, with headers from the input."""
    data = atheris.FuzzedDataProvider(content)
    drawn = []
    while data.remaining_bytes() and len(drawn) < 2 * len(_HONEST):
        record = _HONEST[data.ConsumeIntInRange(0, len(_HONEST) - 1)]
        if data.ConsumeBool():
            name = _HEADER_NAMES[data.ConsumeIntInRange(0, len(_HEADER_NAMES) - 1)]
            value = data.ConsumeBytes(data.ConsumeIntInRange(0, 40))
            record = record._replace(headers={**record.headers, name: value})
        if data.ConsumeBool():
            record = record._replace(value=data.ConsumeBytes(data.ConsumeIntInRange(0, 600)))
        drawn.append(record)
    examination.transfer_verdicts(drawn, _FOLDER)


def read_message(content: bytes) -> None:
    """A record of `control` or `telemetry`."""
    examination.message_verdict(content)


def read_pickle(content: bytes) -> None:
    """A batch of CIFAR-10."""
    path = _FOLDER / "batch"
    path.write_bytes(content)
    try:
        restricted_pickle.load(path)
    except DataError as error:
        if not str(error).startswith(str(path)):
            raise


READERS: Mapping[int, Callable[[bytes], None]] = dict(
    enumerate((read_frame, read_sealed_frame, read_records, read_message, read_pickle))
)


def read(content: bytes) -> None:
    """One input."""
    if content:
        READERS[content[0] % len(READERS)](content[1:])


def fuzz() -> None:
    """Goes on until the inputs are used up; then the process ends."""
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()


if __name__ == "__main__":
    fuzz()
