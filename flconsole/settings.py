"""The configuration's keys as command-line options, generated from `RunConfig` and its docstrings."""

import ast
import functools
import inspect
import types
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec
import typer

from engine import config as engine_config
from engine.config import CODECS, DATASETS, MODELS, STRATEGIES, RunConfig, nearest
from engine.errors import ConfigError
from flconsole.resuming import MAY_CHANGE

WRITTEN_BY_THE_RUN = ("run_id", "versions", "stand_in")
"""Keys of a run's `config.toml` that nobody sets."""

_PLACEHOLDERS = {
    "model": "|".join((*MODELS, "vector:N", "module:function")),
    "dataset": "|".join((*DATASETS, "module:function")),
    "strategy": "|".join(STRATEGIES),
    "codec": "|".join(CODECS),
    "init_from": "FILE",
    "frame_key_file": "FILE",
    "bootstrap_servers": "HOST:PORT,...",
    "runs_dir": "DIR",
}


class Setting(NamedTuple):
    """One key of the configuration."""

    key: str
    type: Any
    default: Any
    doc: str

    @property
    def option(self) -> str:
        return "--" + self.key.replace("_", "-")

    @property
    def choices(self) -> tuple[str, ...]:
        """The legal values, where they are few."""
        return next((get_args(part) for part in _parts(self.type) if get_origin(part) is Literal), ())

    @property
    def is_flag(self) -> bool:
        return bool in _parts(self.type)

    @property
    def placeholder(self) -> str:
        if self.choices:
            return "|".join(self.choices)
        number = next(
            ("N" if part is int else "X" for part in _parts(self.type) if part in (int, float)), "TEXT"
        )
        return _PLACEHOLDERS.get(self.key, number)

    @property
    def help(self) -> str:
        told = self.default is not None and not self.is_flag and self.default != ""
        default = f"[default: {self.default}]" if told else ""
        return f"{self.doc} {default}".strip()

    def check(self, value: Any, *, where: str, strict: bool = True) -> Any:
        """The value in the key's type.

        Args:
            value: what was written.
            where: what to name in the error: an option, or a file and a key.
            strict: False takes a number written as text.

        Raises:
            ConfigError: not a value of this key; says what is.
        """
        try:
            return msgspec.convert(value, self.type, strict=strict)
        except msgspec.ValidationError as error:
            if self.choices:
                raise ConfigError(
                    f"{where}: {value!r} is not known; {nearest(str(value), self.choices)}"
                ) from None
            raise ConfigError(f"{where}: {value!r} will not do: {error}") from None


@functools.cache
def settings() -> dict[str, Setting]:
    """Every key that can be set, in the order of `RunConfig`."""
    docs = _attribute_docs()
    return {
        field.name: Setting(field.name, field.type, field.default, docs.get(field.name, ""))
        for field in msgspec.structs.fields(RunConfig)
        if field.name not in WRITTEN_BY_THE_RUN
    }


def find_setting(key: str, *, where: str) -> Setting:
    """The setting of that name.

    Raises:
        ConfigError: there is none; names the nearest.
    """
    known = settings()
    if key not in known:
        raise ConfigError(f"{where}: {key!r} is not a key; {nearest(key, tuple(known))}")
    return known[key]


def takes_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command an option for every setting; it gets those that were written, as `**settings`."""
    return _with_options(command, _annotation)


def takes_changes(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a run that goes on: no default is shown, and what may not change is taken but hidden."""
    return _with_options(command, _annotation_of_change)


def _with_options(command: Callable[..., None], annotate: Callable[[Setting], Any]) -> Callable[..., None]:
    own = [p for p in inspect.signature(command).parameters.values() if p.kind is not p.VAR_KEYWORD]
    own_names = {parameter.name for parameter in own}

    @functools.wraps(command)
    def with_settings(**arguments: Any) -> None:
        given = {key: value for key, value in arguments.items() if key in own_names or value is not None}
        command(**given)

    generated = [
        inspect.Parameter(
            setting.key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotate(setting)
        )
        for setting in settings().values()
        if setting.key not in own_names
    ]
    with_settings.__signature__ = inspect.Signature([*own, *generated])  # type: ignore[attr-defined]
    return with_settings


def _annotation(setting: Setting) -> Any:
    return _option(setting, help=setting.help)


def _annotation_of_change(setting: Setting) -> Any:
    return _option(setting, help=setting.doc, hidden=setting.key not in MAY_CHANGE)


def _option(setting: Setting, **shown: Any) -> Any:
    if setting.is_flag:
        return Annotated[bool | None, typer.Option(f"{setting.option}/--no{setting.option[1:]}", **shown)]
    return Annotated[
        str | None,
        typer.Option(setting.option, metavar=setting.placeholder, show_default=False, **shown),
    ]


def _parts(annotation: Any) -> tuple[Any, ...]:
    """The types a value may have, without their constraints."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(part for member in get_args(annotation) for part in _parts(member))
    return (annotation,)


def _attribute_docs() -> dict[str, str]:
    """The docstrings below the fields of `RunConfig`, each as one line."""
    source = ast.parse(Path(engine_config.__file__).read_text(encoding="utf-8"))
    body = next(
        node.body for node in source.body if isinstance(node, ast.ClassDef) and node.name == "RunConfig"
    )
    docs = {}
    for field, following in pairwise(body):
        match field, following:
            case ast.AnnAssign(target=ast.Name(id=key)), ast.Expr(value=ast.Constant(value=str(doc))):
                docs[key] = " ".join(doc.split())
    return docs
