"""What an operator keeps is a file, whole or not at all."""

import pytest

from engine.errors import RunDirectoryError
from flconsole.saved_views import save_view


def test_each_view_has_a_file_of_its_own(tmp_path):
    paths = {save_view(tmp_path, "client-3", f"text {number}\n") for number in range(3)}

    assert sorted(path.read_text() for path in paths) == ["text 0\n", "text 1\n", "text 2\n"]
    assert all(path.parent == tmp_path / "views" and path.name.startswith("client-3-") for path in paths)


def test_text_of_any_kind_can_be_kept(tmp_path):
    assert save_view(tmp_path, "x", "日本 \udc80").read_text() == "日本 \\udc80"


def test_where_no_file_can_be_is_said_in_one_line(tmp_path):
    (tmp_path / "views").write_text("a file, not a folder")

    with pytest.raises(RunDirectoryError, match="views: x is not written: File exists"):
        save_view(tmp_path, "x", "text")
