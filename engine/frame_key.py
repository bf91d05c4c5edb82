"""The key that a federation shares, as its file has it."""

import re
import shlex
import stat
from pathlib import Path

from engine.errors import ConfigError

_KEY = re.compile(rb"[0-9a-fA-F]{64}\s*")
_MOST_BYTES = 256
"""Of the file that are read: a key, and how an editor ends its line."""


def read_frame_key(path: str | None) -> bytes | None:
    """The 32 bytes that turn the digest of every frame into a MAC.

    Args:
        path: `frame_key_file` of a configuration; None where frames have no key.

    Raises:
        ConfigError: no such file, others may read it, or it does not hold 64 hexadecimal digits. What it does
            hold is not in the message.
    """
    if path is None:
        return None
    where, quoted = f"frame_key_file = {path!r}", shlex.quote(path)
    try:
        mode = Path(path).stat().st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(f"{where}: not a file")
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"{where}: others may use it (mode {mode & 0o777:04o}); chmod 600 {quoted}")
        with Path(path).open("rb") as file:
            content = file.read(_MOST_BYTES)
    except FileNotFoundError:
        remedy = f"make one with: (umask 077 && openssl rand -hex 32 > {quoted})"
        raise ConfigError(f"{where}: no such file; {remedy}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{where}: {getattr(error, 'strerror', None) or error}") from None
    if not _KEY.fullmatch(content):
        raise ConfigError(f"{where}: holds something else than 64 hexadecimal digits")
    return bytes.fromhex(content.decode())
