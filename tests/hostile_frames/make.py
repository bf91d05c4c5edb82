"""Writes the corpus, one file for each way to be wrong: `python -m tests.hostile_frames.make`.

A file is named `<reason>.<how>.<kind of file>`; its folder says who reads it. The same source gives the same
bytes, and a test holds the committed files against it.
"""

from pathlib import Path

from tests.hostile_frames import bad_compressed, bad_frames, bad_messages, bad_transfers, bad_updates

CORPUS = Path(__file__).parent / "corpus"


def corpus() -> dict[str, bytes]:
    """The path of every file below the corpus, and its content."""
    folders = {
        "frame": bad_frames.FRAMES,
        "transfer": bad_transfers.transfers(),
        "control": bad_messages.CONTROL,
        "telemetry": bad_messages.TELEMETRY,
        "update_sync": bad_updates.SYNC,
        "update_buffered": bad_updates.BUFFERED,
        "packed_frame": bad_compressed.packed_frames(),
        "compressed": bad_compressed.compressed(),
    }
    return {
        f"{folder}/{name}": content for folder, files in folders.items() for name, content in files.items()
    }


def main() -> None:
    """Replaces the corpus."""
    wanted = corpus()
    for path in CORPUS.rglob("*"):
        if path.is_file() and path.relative_to(CORPUS).as_posix() not in wanted:
            path.unlink()
    for name, content in wanted.items():
        path = CORPUS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
