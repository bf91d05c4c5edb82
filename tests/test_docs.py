"""What the documents name exists: names, files, links, commands, options, decisions."""

import importlib
import importlib.util
import inspect
import re
import shlex
from pathlib import Path

import pytest
import typer.main

from engine.client.metrics import ClientMetrics
from engine.server.metrics import ServerMetrics
from flconsole.cli import app
from flconsole.settings import settings

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *(ROOT / "docs").rglob("*.md"),
]
ADRS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
SOURCES = [
    path for room in ("engine", "flconsole", "tests", "benchmarks") for path in (ROOT / room).rglob("*.py")
]
MADE_BY_COMMANDS = ("benchmarks/results/",)
LOADS_TENSORFLOW = ("engine.training.models",)

COMMANDS = typer.main.get_command(app).commands

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def without_fences(text):
    """A fence holds a drawing here, and no command."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def code_in(document):
    """Everything in backquotes, and every line of an indented block."""
    text = without_fences(document.read_text(encoding="utf-8"))
    blocks = re.findall(r"^ {4}(.+)$", text, re.MULTILINE)
    return [" ".join(piece.split()) for piece in re.findall(r"`([^`]+)`", text)] + blocks


def rows(text):
    """The cells of each row of the tables in a text, the lines under the headings left out."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def section(document, title):
    return document.read_text(encoding="utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]


# --- docs/api.md

API = ROOT / "docs/api.md"
NAMES = {
    name.strip("`"): module.strip("`")
    for title in ("Names of the specification", "Types that these use")
    for name, module, _ in rows(section(API, title))[1:]
}
METHODS = [name.strip("`").split(".") for name, _ in rows(section(API, "The server and the client"))[1:]]
METRICS = re.findall(r"`(\w+)\.metrics` has ([^.;]+)[.;]", section(API, "The server and the client"))


@pytest.mark.parametrize(
    ("module", "names"),
    [
        pytest.param(
            module,
            [name for name in NAMES if NAMES[name] == module],
            marks=[pytest.mark.tensorflow] if module in LOADS_TENSORFLOW else [],
        )
        for module in sorted(set(NAMES.values()))
    ],
)
def test_every_public_name_is_where_the_table_says(module, names):
    assert [name for name in names if not hasattr(importlib.import_module(module), name)] == []


def test_every_method_of_the_table_exists():
    assert METHODS
    missing = [
        f"{owner}.{method}"
        for owner, method in METHODS
        if not hasattr(getattr(importlib.import_module(NAMES[owner]), owner), method)
    ]
    assert missing == []


@pytest.mark.parametrize("owner", ["FederatedServer", "FederatedClient"])
def test_no_method_is_missing_from_the_table(owner):
    cls = getattr(importlib.import_module(NAMES[owner]), owner)
    public = {name for name in vars(cls) if not name.startswith("_")} - {"metrics", "config"}

    assert public == {method for who, method in METHODS if who == owner}


@pytest.mark.parametrize(
    ("name", "positional"),
    [
        ("FederatedServer", ["bootstrap_servers", "model_topic", "update_topic"]),
        (
            "FederatedServer.start",
            ["duration_minutes", "aggregation_interval_seconds", "min_updates_per_aggregation"],
        ),
        ("FederatedServer.receive_model_updates", ["max_updates", "timeout_ms"]),
        ("FederatedServer.aggregate_model_updates", ["updates"]),
        ("FederatedClient", ["bootstrap_servers", "update_topic", "model_topic", "client_id"]),
        ("FederatedClient.start", ["duration_minutes", "training_interval_seconds"]),
        ("FederatedClient.train_local_model", ["global_weights"]),
        ("FederatedClient.send_model_update", ["weights"]),
    ],
)
def test_positional_arguments_are_those_of_the_specification(name, positional):
    owner, _, method = name.partition(".")
    found = getattr(importlib.import_module(NAMES[owner]), owner)
    parameters = inspect.signature(getattr(found, method) if method else found).parameters.values()

    by_position = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert [one for one in by_position if one != "self"] == positional


def test_the_metrics_have_the_names_of_the_table():
    documented = {owner: set(re.findall(r"`(\w+)`", names)) for owner, names in METRICS}
    assert documented == {
        "FederatedServer": set(ServerMetrics.__dataclass_fields__),
        "FederatedClient": set(ClientMetrics.__dataclass_fields__),
    }


def test_what_is_not_there_yet_is_not_there():
    promised = re.findall(r"`(Federated\w+)\.(\w+)`", section(API, "Not yet"))

    assert promised
    for owner, method in promised:
        assert not hasattr(getattr(importlib.import_module(NAMES[owner]), owner), method), method
    assert "plot_client_accuracy" in section(API, "Not yet")
    assert importlib.util.find_spec("engine.visualization") is None


# --- files and links


@each_document
def test_relative_links_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
    relative = [target for target in targets if "://" not in target]

    assert [target for target in relative if not (document.parent / target).exists()] == []


def names_a_file(piece):
    """A path below one of the repository's folders, or the bare name of a module or a document."""
    is_path = re.fullmatch(r"(engine|flconsole|tests|benchmarks|docs)(/[\w.-]+)+/?|[\w-]+\.(py|md)", piece)
    return bool(is_path) and piece not in MADE_BY_COMMANDS and not piece.endswith(".toml")


def exists(piece, document):
    """From the root, from beside the document, or, for a bare name, anywhere in the repository."""
    beside = (ROOT / piece).exists() or (document.parent / piece).exists()
    return beside or ("/" not in piece and any(path.name == piece for path in SOURCES))


@each_document
def test_every_file_that_is_named_exists(document):
    named = filter(names_a_file, code_in(document))

    assert [piece for piece in named if not exists(piece, document)] == []


# --- commands


def command_lines(document):
    """What a reader could type after the word `flconsole`."""
    for piece in code_in(document):
        for line in piece.partition("  #")[0].split(";"):
            if line.strip() == "flconsole" or line.strip().startswith("flconsole "):
                yield shlex.split(line)[1:]


def problems_of(words):
    """Why a command line would not parse: an unknown command or an unknown option."""
    if not words or words[0].startswith("-"):
        words = ["run", *words]
    if words[0] not in COMMANDS:
        return [f"no command {words[0]}"]
    known = {option for parameter in COMMANDS[words[0]].params for option in parameter.opts} | {
        "-h",
        "--help",
    }
    known |= {option for parameter in COMMANDS[words[0]].params for option in parameter.secondary_opts}
    return [f"{words[0]} has no {word}" for word in words[1:] if word.startswith("-") and word not in known]


@each_document
def test_every_command_line_parses(document):
    assert [problem for words in command_lines(document) for problem in problems_of(words)] == []


def test_a_command_line_that_does_not_parse_is_noticed():
    assert problems_of(["atach"]) == ["no command atach"]
    assert problems_of(["--rounds", "3", "--round"]) == ["run has no --round"]


def test_every_command_has_a_row_in_the_table():
    table = (ROOT / "docs/cli.md").read_text(encoding="utf-8").partition("\n## ")[0]
    documented = [re.match(r"`flconsole ([\w-]+)", row[0])[1] for row in rows(table)[1:]]

    assert sorted(documented) == sorted(COMMANDS)


def test_the_options_of_run_are_documented_in_the_words_of_their_help():
    documented = [
        (cell.partition("`,")[0].strip("`").replace("\\|", "|"), text)
        for cell, text in rows(section(ROOT / "docs/cli.md", "Options of `run`"))[1:]
    ]

    assert documented == [
        (setting.option if setting.is_flag else f"{setting.option} {setting.placeholder}", setting.help)
        for setting in settings().values()
    ]


@each_document
def test_every_target_of_make_exists(document):
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {match[1] for piece in code_in(document) if (match := re.match(r"make (\w+)", piece))}

    assert named <= targets


@each_document
def test_every_module_that_is_run_exists(document):
    words = [
        match[1]
        for piece in code_in(document)
        if (match := re.search(r"python -m (\w+(\.\w+)*( \w+)?)", piece))
    ]
    modules = [word.replace("benchmarks ", "benchmarks.").split()[0] for word in words]

    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


# --- decisions


def test_every_decision_is_in_the_index_under_its_title():
    index = [
        (*re.fullmatch(r"\[(\d{4})\]\((.+)\)", page).groups(), title)
        for page, title in rows((ROOT / "docs/adr/README.md").read_text(encoding="utf-8"))[1:]
    ]
    titles = [path.read_text(encoding="utf-8").partition("\n")[0] for path in ADRS]

    assert [number for number, _, _ in index] == [f"{n:04}" for n in range(1, len(ADRS) + 1)]
    assert [page for _, page, _ in index] == [path.name for path in ADRS]
    assert [f"# {number}: {title}" for number, _, title in index] == titles


@pytest.mark.parametrize("page", ADRS, ids=lambda path: path.stem)
def test_every_decision_says_what_was_decided_why_and_what_was_measured(page):
    headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)

    assert headings == ["Context", "Decision", "Consequences", "Measured"]


def test_the_table_of_failpoints_is_that_of_the_code():
    table = rows((ROOT / "docs/adr/0014-failpoints-are-shipped.md").read_text(encoding="utf-8"))
    documented = {place for _, places in table[1:] for place in re.findall(r"`([\w.]+)`", places)}
    engine = [path.read_text(encoding="utf-8") for path in (ROOT / "engine").rglob("*.py")]
    reached = {place for text in engine for place in re.findall(r"\breach\(\s*\"([\w.]+)\"", text)}

    assert documented == reached
