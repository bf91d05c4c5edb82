"""What the start screen remembers."""

import pytest

from engine.errors import ConfigError
from flconsole import last_choices
from flconsole.last_choices import CHOSEN, choices_file
from flconsole.settings import settings

CHOICES = {
    "dataset": "digits",
    "model": "cnn",
    "clients": 4,
    "parts": 6,
    "rounds": 9,
    "mode": "timed",
    "aggregation_interval_seconds": 2.5,
    "codec": "shuffle+zstd",
    "seed": 7,
}


@pytest.fixture(autouse=True)
def home_of_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))


def write(text):
    choices_file().parent.mkdir(parents=True)
    choices_file().write_text(text)


def test_before_the_first_choice_nothing_is_known():
    assert last_choices.load() == {}


def test_what_was_chosen_comes_back():
    last_choices.save(CHOICES)

    assert last_choices.load() == CHOICES
    assert [path.name for path in choices_file().parent.iterdir()] == ["last_choices.toml"]


def test_the_newest_choices_replace_all_earlier_ones():
    last_choices.save(CHOICES)
    last_choices.save({"dataset": "auto"})

    assert last_choices.load() == {"dataset": "auto"}


def test_every_choice_is_a_key_of_the_configuration():
    assert set(CHOSEN) <= set(settings())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("clients = 'three'", "clients: 'three' will not do"),
        ("clients = 0", "clients: 0 will not do"),
        ("mode = 'snyc'", "mode: 'snyc' is not known; did you mean 'sync'?"),
        ("datset = 'digits'", "'datset' is not asked for; did you mean 'dataset'?"),
        ("learning_rate = 0.1", "'learning_rate' is not asked for"),
        ("clients = ", "Invalid value"),
        ("[clients]", "clients: {} will not do"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(text, problem):
    write(text)

    with pytest.raises(ConfigError) as refused:
        last_choices.load()

    assert str(refused.value).startswith(f"{choices_file()}: ")
    assert problem in str(refused.value)


def test_bytes_that_are_no_text_are_refused():
    choices_file().parent.mkdir(parents=True)
    choices_file().write_bytes(b"dataset = '\xff'")

    with pytest.raises(ConfigError):
        last_choices.load()


def test_what_cannot_be_kept_is_said():
    choices_file().parent.parent.mkdir(parents=True, exist_ok=True)
    choices_file().parent.write_text("a file where a folder should be")

    with pytest.raises(ConfigError, match=r"last_choices\.toml: this is not kept"):
        last_choices.save(CHOICES)
