"""The order of the clients is kept from one console to the next."""

import pytest

from engine.errors import ConfigError
from flconsole.client_order import Order, load_order, save_order


def test_what_was_saved_is_loaded(tmp_path):
    path = tmp_path / "not" / "yet" / "there.toml"
    save_order(path, Order("loss", reverse=True))

    assert load_order(path) == Order("loss", reverse=True)
    assert list(path.parent.iterdir()) == [path]


def test_without_a_file_the_order_is_by_id(tmp_path):
    assert load_order(tmp_path / "none.toml") == Order("id", reverse=False)


def test_a_column_of_another_version_is_forgotten(tmp_path):
    path = tmp_path / "order.toml"
    path.write_text('column = "temperature"\nreverse = true\n')

    assert load_order(path) == Order()


@pytest.mark.parametrize("content", ["column = ", "column = 3", "column = 'id'\nreverse = 'yes'"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "order.toml"
    path.write_text(content)

    with pytest.raises(ConfigError, match=r"order\.toml"):
        load_order(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(ConfigError, match=r"order\.toml: this is not kept"):
        save_order(tmp_path / "file" / "order.toml", Order())
