"""A file of the console is there whole, or as it was before."""

import pytest

from flconsole.files import replace_file


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path, durable):
    path = tmp_path / "config.toml"
    for text in ("old", "new: ä\n"):
        replace_file(path, text, durable=durable)

    assert path.read_text(encoding="utf-8") == "new: ä\n"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_where_the_new_text_cannot_be_written(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("old")

    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "\udc80")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_replaced_leaves_nothing_behind(tmp_path):
    path = tmp_path / "folder"
    (path / "with content").mkdir(parents=True)

    with pytest.raises(OSError, match="directory"):
        replace_file(path, "text")

    assert list(tmp_path.iterdir()) == [path]
