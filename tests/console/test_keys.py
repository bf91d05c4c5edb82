"""The user's own keys."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.keys import _character_to_key

from engine.errors import ConfigError
from flconsole.tui.actions import ACTIONS, BY_NAME
from flconsole.tui.keys import CHARACTERS, Keys, parse_key, spell, user_keys_file
from flconsole.tui.view import Liveness
from tests.console.operating import SIZES, at_console
from tests.console.staging import Stage, run_started
from tests.flconsole.recording import joined


@pytest.fixture
def own(tmp_path):
    """Writes a file of keys and reads it."""

    def load(*lines):
        path = tmp_path / "console.toml"
        path.write_text("\n".join(lines))
        return Keys.load(path)

    return load


def of(keys, name):
    return keys.of(BY_NAME[name])


# --- what may stand there


def test_without_a_file_the_keys_are_those_of_the_registry():
    keys = Keys.load()

    assert not user_keys_file().exists()
    assert all(keys.of(action) == action.keys for action in ACTIONS)
    assert keys.keymap() == {}


def test_the_file_is_beside_the_users_own_configuration():
    user_keys_file().parent.mkdir(parents=True)
    user_keys_file().write_text('[keys]\nkill-client = "f8"\n')

    assert of(Keys.load(), "kill-client") == ("f8",)


def test_an_action_has_the_keys_that_are_written_and_no_others(own):
    keys = own("[keys]", 'kill-client = "f8, ctrl+k,  ~"', 'help = "h"')

    assert of(keys, "kill-client") == ("f8", "ctrl+k", "tilde")
    assert of(keys, "help") == ("h",)
    assert of(keys, "detach") == ("d",)


def test_shift_and_a_letter_is_what_terminals_send_for_it(own):
    assert of(own("[keys]", 'kill-client = "shift+u"'), "kill-client") == ("U",)


@pytest.mark.parametrize("character", string.punctuation)
def test_a_character_is_called_as_textual_calls_it(character):
    assert CHARACTERS[_character_to_key(character)] == character


# --- what may not


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["[keys]", 'kill-clinet = "f8"'], "'kill-clinet' is not an action; did you mean 'kill-client'?"),
        (
            ["[keys]", 'kill-client = "f99"'],
            "kill-client: 'f99' is no key; write a character, ctrl+ and",
        ),
        (["[keys]", 'kill-client = "entr"'], "did you mean 'enter'?"),
        (["[keys]", 'kill-client = ""'], "kill-client: '' is no key"),
        (["[keys]", 'kill-client = "hyper+x"'], "kill-client: 'hyper+x' is no key"),
        (["[keys]", "kill-client = 8"], 'kill-client = 8: write its keys as one text, "k" or "k, f8"'),
        (["[keys]", 'kill-client = "d"'], "d cannot be both kill-client and detach; give one another"),
        (["[keys]", 'screenshot = "f8"', 'redraw = "f8"'], "F8 cannot be both screenshot and redraw"),
        (["[colours]", 'red = "blue"'], "'colours' is not known; all that can be set is a table [keys]"),
        (["keys = 1"], "'keys' is not known; all that can be set is a table [keys]"),
        (["[keys"], "Expected ']'"),
    ],
)
def test_what_cannot_be_is_refused_and_named(own, tmp_path, lines, problem):
    with pytest.raises(ConfigError) as refused:
        own(*lines)

    assert str(refused.value).startswith(f"{tmp_path / 'console.toml'}: ")
    assert problem in str(refused.value)


def test_the_keys_that_move_in_a_list_stay_free(own):
    with pytest.raises(ConfigError, match="j moves in every list; give mark another"):
        own("[keys]", 'mark = "j"')


@given(st.text(max_size=20))
def test_any_text_is_a_key_or_is_refused_by_its_name(written):
    try:
        key = parse_key(written, "here")
    except ConfigError as refused:
        assert str(refused).startswith(f"here: {written!r} is no key")  # noqa: PT017  # most texts are none
    else:
        assert parse_key(key, "here") == key


# --- how they are written


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("question_mark", "?"),
        ("ctrl+l", "Ctrl+L"),
        ("shift+tab", "Shift+Tab"),
        ("K", "K"),
        ("pageup", "PgUp"),
        ("f12", "F12"),
        ("full_stop", "."),
    ],
)
def test_a_key_is_written_as_people_write_it(key, written):
    assert spell(key) == written


# --- that they work


@pytest.mark.parametrize("size", SIZES)
def test_own_keys_do_it_and_the_old_ones_no_more(own, size):
    keys = own("[keys]", 'show-logs = "f8"', 'help = "h"')

    async def scenario(operator):
        await operator.press("3")
        assert operator.run_screen.active_pane == "clients"
        await operator.press("f8")
        assert operator.run_screen.active_pane == "logs"
        assert "h Help" in operator.screen
        await operator.press("h")
        await operator.asked("In a list:")
        await operator.press("end")
        await operator.asked("F8 Logs Go to the logs.")

    at_console(scenario, Stage(run_started(), joined("1", 0)), keys=keys, size=size)


def test_what_the_screen_says_of_a_key_is_the_operators_own(own):
    keys = own("[keys]", 'zoom = "u"', 'log-follow = "i"', 'timeline-follow = "o"')

    async def scenario(operator):
        await operator.press("3", "i", "u")
        await operator.until(lambda: "zoomed: u goes back" in operator.screen, "the way back")
        await operator.until(lambda: "i follows" in operator.screen, "the way to the newest line")
        await operator.press("u", "4", "o")
        await operator.until(lambda: "0 new (o follows)" in operator.screen, "the way to the newest entry")

    at_console(scenario, Stage(run_started(), joined("1", 0)), keys=keys)


def test_a_key_can_serve_two_actions_that_never_meet(own):
    keys = own("[keys]", 'step = "a"')

    async def running(operator):
        await operator.press("a")
        await operator.asked("Add clients")

    async def replayed(operator):
        await operator.press("a")
        assert not operator.is_asked
        assert not any("this is a replay" in notice for notice in operator.notices)

    source = Stage(run_started(), joined("1", 0))
    at_console(running, source, keys=keys)
    source.liveness = Liveness.REPLAY
    at_console(replayed, source, keys=keys)
