"""The file with the key of a federation's frames, and what is wrong with one."""

import os

import pytest

from engine.errors import ConfigError
from engine.frame_key import read_frame_key

KEY = bytes(range(32))


@pytest.fixture
def key_file(tmp_path):
    """Writes a file that its owner alone may read, or as many as `mode` says."""

    def write(content, mode=0o600):
        path = tmp_path / "frame.key"
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)

    return write


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("digits", [KEY.hex(), KEY.hex().upper()])
def test_the_key_is_64_hexadecimal_digits_on_a_line(key_file, digits, end):
    assert read_frame_key(key_file((digits + end).encode())) == KEY


def test_without_a_file_there_is_no_key():
    assert read_frame_key(None) is None


@pytest.mark.parametrize(
    "content", [b"", b"00" * 31, b"00" * 33, b"0x" + b"00" * 31, b"secret" * 10 + b"\xff", b"00" * 10_000]
)
def test_anything_else_is_refused_and_not_shown(key_file, content):
    path = key_file(content)

    with pytest.raises(ConfigError, match="64 hexadecimal digits") as refused:
        read_frame_key(path)
    assert path in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "0000" not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_use_is_refused_with_the_remedy(key_file, mode):
    path = key_file(KEY.hex().encode(), mode)

    with pytest.raises(ConfigError, match=f"mode {mode:04o}.*chmod 600 {path}"):
        read_frame_key(path)


def test_a_file_that_is_not_there_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere.*no such file.*openssl rand -hex 32"):
        read_frame_key(str(tmp_path / "nowhere"))


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)

    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ConfigError, match="not a file"):
            read_frame_key(str(path))


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
def test_a_path_that_cannot_be_is_refused(path):
    with pytest.raises(ConfigError, match="frame_key_file"):
        read_frame_key(path)
