"""Which keys do what: those of the registry, or the user's own from `console.toml`.

    [keys]
    kill-client = "f8"
    detach = "d, ctrl+d"

An action has the keys that stand there and no others. No imports of Textual here, as in the registry.
"""

import string
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Self

import platformdirs

from engine.config import nearest, read_toml
from engine.errors import ConfigError
from flconsole.tui.actions import ACTIONS, BY_NAME, Action, can_meet

FILE_NAME = "console.toml"

_MODIFIERS = ("ctrl", "alt", "shift")
_OTHER_WORDS = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}


def _name_of(character: str) -> str:
    """Textual's name of a character that is neither letter nor digit."""
    name = unicodedata.name(character).lower().replace("-", "_").replace(" ", "_")
    return _OTHER_WORDS.get(name, name)


CHARACTERS = {_name_of(character): character for character in string.punctuation}
"""Names of keys that are better written as what they type."""
_NAMES = {character: name for name, character in CHARACTERS.items()}
_MOVING = {"up", "down", "j", "pageup", "pagedown", "home", "end"}
"""What every list understands."""
_SPECIAL = {
    "space": "Space",
    "enter": "Enter",
    "tab": "Tab",
    "escape": "Esc",
    "backspace": "Backspace",
    "delete": "Del",
    "insert": "Ins",
    "home": "Home",
    "end": "End",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "up": "Up",
    "down": "Down",
    "left": "Left",
    "right": "Right",
    **{f"f{number}": f"F{number}" for number in range(1, 13)},
}


def spell(key: str) -> str:
    """A key as people write it: `?`, `Ctrl+L`, `Enter`."""
    *modifiers, last = key.split("+")
    written = CHARACTERS.get(last) or _SPECIAL.get(last) or last
    if modifiers and len(written) == 1:
        written = written.upper()
    return "+".join([*(word.capitalize() for word in modifiers), written])


def user_keys_file() -> Path:
    """The user's own keys; need not exist."""
    return Path(platformdirs.user_config_dir("flconsole")) / FILE_NAME


@dataclass(frozen=True)
class Keys:
    """The keys in force.

    Attributes:
        own: the user's, by the name of the action; the others have those of the registry.
    """

    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Reads the user's own keys, if there are any.

        Raises:
            ConfigError: names the file and the action, and the nearest valid name, or the other action.
        """
        path = path or user_keys_file()
        if not path.exists():
            return cls()
        written = read_toml(path)
        for table in written:
            if table != "keys" or not isinstance(written[table], dict):
                raise ConfigError(f"{path}: {table!r} is not known; all that can be set is a table [keys]")
        keys = cls({name: _read(name, value, path) for name, value in written.get("keys", {}).items()})
        keys.check(str(path))
        return keys

    def of(self, action: Action) -> tuple[str, ...]:
        """Textual's names of the keys of an action, in the order of preference."""
        return self.own.get(action.name, action.keys)

    def spelled(self, action: Action) -> str:
        """The keys of an action as people write them."""
        return ", ".join(map(spell, self.of(action)))

    def check(self, source: str) -> None:
        """Sees to it that no key could mean two things.

        Raises:
            ConfigError: names `source`, the key and both actions.
        """
        for action in ACTIONS:
            if moving := _MOVING & set(self.of(action)):
                key = spell(min(moving))
                raise ConfigError(f"{source}: {key} moves in every list; give {action.name} another")
        for one, other in combinations(ACTIONS, 2):
            shared = set(self.of(one)) & set(self.of(other))
            if shared and can_meet(one, other):
                key = spell(min(shared))
                raise ConfigError(
                    f"{source}: {key} cannot be both {one.name} and {other.name}; give one another"
                )

    def keymap(self) -> dict[str, str]:
        """For Textual's `App.set_keymap`.

        Textual takes a key away from whatever else has it in the same place, so whoever shares one with an
        action of the user's, in another kind of run, is told its own again.
        """
        taken = {key for keys in self.own.values() for key in keys}
        told = [action for action in ACTIONS if action.name in self.own or taken & set(action.keys)]
        return {action.name: ",".join(self.of(action)) for action in told}


def _read(name: str, value: object, path: Path) -> tuple[str, ...]:
    if name not in BY_NAME:
        raise ConfigError(f"{path}: {name!r} is not an action; {nearest(name, tuple(BY_NAME))}")
    if not isinstance(value, str):
        raise ConfigError(f'{path}: {name} = {value!r}: write its keys as one text, "k" or "k, f8"')
    return tuple(parse_key(key.strip(), f"{path}: {name}") for key in value.split(","))


def parse_key(written: str, where: str) -> str:
    """Textual's name of a key that somebody wrote down.

    Raises:
        ConfigError: there is no such key; names `where`.
    """
    *modifiers, last = written.split("+") if len(written) > 1 else [written]
    last = _NAMES.get(last, last)
    is_alphanumeric = len(last) == 1 and last.isalnum()
    is_known = is_alphanumeric or last in CHARACTERS or last in _SPECIAL
    if not is_known or not set(modifiers) <= set(_MODIFIERS):
        raise ConfigError(
            f"{where}: {written!r} is no key; write a character, ctrl+ and a letter, or a name: "
            f"{nearest(last, tuple(_SPECIAL))}"
        )
    if modifiers == ["shift"] and is_alphanumeric:
        return last.upper()  # as terminals send it
    return "+".join([*modifiers, last])
