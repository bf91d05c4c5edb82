"""What `flconsole dead-letters` writes: the records of a run that were rejected, oldest first."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from engine.errors import RunDirectoryError
from engine.telemetry import DeadLetter, decode_dead_letter
from flconsole.figures import UNKNOWN
from flconsole.text import table, visible

_FILES = ("dead_letters.1.jsonl", "dead_letters.jsonl")
_HEADINGS = ("time", "client", "round", "reason", "bytes", "record", "detail")
_BYTES_IN_LINE = 16


def read_letters(run_dir: Path) -> list[DeadLetter]:
    """What a run has kept, of a live one as far as it has come; a damaged line says nothing.

    Raises:
        RunDirectoryError: a file cannot be read.
    """
    return [letter for name in _FILES for letter in _read_file(run_dir / name)]


def _read_file(path: Path) -> Iterator[DeadLetter]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunDirectoryError(f"{path}: {error.strerror}") from error
    for line in lines:
        try:
            yield decode_dead_letter(line)
        except msgspec.DecodeError:
            continue


def letters_json(letters: Sequence[DeadLetter]) -> list[str]:
    """One JSON object for each record."""
    return [msgspec.json.encode(letter).decode() for letter in letters]


def letters_table(letters: Sequence[DeadLetter]) -> list[str]:
    """One line for each record, under headings."""
    return table(_HEADINGS, [_row(letter) for letter in letters])


def letters_in_hex(letters: Sequence[DeadLetter]) -> list[str]:
    """Each record and a dump of its first bytes."""
    lines = []
    for letter in letters:
        lines += ["  ".join(_row(letter)), *hexdump(letter.head)]
        if letter.size > len(letter.head):
            lines.append(f"... {letter.size - len(letter.head)} more bytes, not kept")
        lines.append("")
    return lines[:-1]


def hexdump(content: bytes) -> list[str]:
    """Offset, bytes in hexadecimal, and those that are ASCII characters: the lines of `hexdump -C`."""
    lines = []
    for start in range(0, len(content), _BYTES_IN_LINE):
        part = content[start : start + _BYTES_IN_LINE]
        halves = f"{part[:8].hex(' '):<23}  {part[8:].hex(' '):<23}"
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        lines.append(f"{start:08x}  {halves}  |{text}|")
    return lines


def _row(letter: DeadLetter) -> tuple[str, ...]:
    cells = (
        _when(letter.ts),
        letter.client or UNKNOWN,
        UNKNOWN if letter.round is None else str(letter.round),
        letter.reason,
        str(letter.size),
        f"{letter.topic}-{letter.partition}@{letter.offset}",
        letter.detail,
    )
    return tuple(visible(cell).replace("\n", "\\n").replace("\t", "\\t") for cell in cells)


def _when(ts: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ts))
    except (OverflowError, ValueError, OSError):  # the file of a stranger may say anything
        return UNKNOWN
