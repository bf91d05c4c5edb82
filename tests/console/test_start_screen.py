"""The form that `flconsole` alone shows."""

import asyncio
import tempfile

import pytest

from engine.config import RunConfig
from engine.errors import ConfigError
from flconsole import last_choices, plan
from flconsole.runs import CONFIG_NAME
from flconsole.supervisor.lock import SupervisorLock
from flconsole.tui.start_form import StartForm
from flconsole.tui.start_screen import StartApp
from flconsole.tui.terminal import Colours, Terminal
from tests.console.operating import SIZES, Operator

DEFAULTS = {
    "dataset": "auto",
    "model": "lenet",
    "clients": "3",
    "parts": "5",
    "rounds": "20",
    "mode": "sync",
    "codec": "none",
    "seed": "1",
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty working directory, and a private one for sockets."""
    monkeypatch.chdir(tmp_path)
    with tempfile.TemporaryDirectory(prefix="fl-") as path:
        monkeypatch.setenv("XDG_RUNTIME_DIR", path)
        yield tmp_path


def at_form(scenario=None, *keys, size=SIZES[0], **options):
    """Opens the form, presses the keys, lets the scenario operate it; returns the command line chosen."""

    async def run():
        app = StartApp(**options)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await pilot.press(*keys)
            if scenario is not None:
                await scenario(Operator(app, pilot))
        return app.return_value

    return asyncio.run(run())


def command(**changes):
    return ["run", *(f"--{key}={value}" for key, value in {**DEFAULTS, **changes}.items())]


def user_config(text):
    plan.user_config_file().parent.mkdir(parents=True, exist_ok=True)
    plan.user_config_file().write_text(text)


# --- starting


@pytest.mark.parametrize("size", [*SIZES, (60, 20)])
def test_enter_starts_with_sensible_defaults(size):
    assert at_form(None, "enter", size=size) == command()


@pytest.mark.parametrize("leave", ["q", "escape", "ctrl+q", "ctrl+c"])
def test_it_can_be_left(leave):
    assert at_form(None, leave) is None


def test_the_users_own_defaults_are_the_forms():
    user_config('dataset = "digits"\nclients = 7\ntarget_accuracy = 0.9\n')
    chosen = at_form(None, "enter")

    assert "--dataset=digits" in chosen
    assert "--clients=7" in chosen
    assert "--parts=9" in chosen
    assert not any(word.startswith("--rounds") for word in chosen)


@pytest.mark.parametrize(("remembered", "rounds"), [({}, "7"), ({"rounds": 3}, "3")])
def test_rounds_of_ones_own_go_before_the_ones_that_are_offered(remembered, rounds):
    user_config("rounds = 7")
    last_choices.save(remembered)

    assert at_form(None, "enter") == command(rounds=rounds)


def test_users_defaults_that_make_no_sense_are_an_error_before_there_is_a_screen():
    user_config("clinets = 7")

    with pytest.raises(ConfigError, match="'clinets' is not a key; did you mean 'clients'"):
        StartApp()


def test_what_was_chosen_last_goes_before_the_users_defaults():
    user_config("clients = 7")
    last_choices.save({"clients": 2, "parts": 8, "dataset": "digits"})

    assert at_form(None, "enter") == command(clients=2, parts=8, dataset="digits")


def test_a_broken_memory_is_told_and_the_defaults_used():
    last_choices.save({})
    last_choices.choices_file().write_text("clients = 'many'")

    async def scenario(operator):
        assert "what was chosen last is not known" in operator.screen
        assert "clients: 'many' will not do" in operator.screen
        await operator.press("enter")

    assert at_form(scenario) == command()


def test_what_is_chosen_can_be_remembered():
    app = StartApp()
    app.form.values["rounds"] = ""

    assert app.form.choices == {
        "dataset": "auto", "model": "lenet", "clients": 3, "parts": 5, "mode": "sync", "codec": "none",
        "seed": 1,
    }  # fmt: skip


# --- changing


@pytest.mark.parametrize("size", SIZES)
def test_the_arrows_choose_a_line_and_change_it(size):
    keys = ["right", "down", "right", "down", "right", "right", "left", "enter"]

    assert at_form(None, *keys, size=size) == command(dataset="cifar10", model="cnn", clients=4, parts=6)


def test_choices_go_round_and_numbers_end():
    assert at_form(None, "left", "end", "left", "left", "left", "enter") == command(dataset="digits", seed=0)


def test_digits_write_a_number_and_backspace_takes_it_back():
    assert at_form(None, "down", "down", "1", "2", "enter") == command(clients=12, parts=14)
    assert at_form(None, "end", "4", "2", "backspace", "7", "enter") == command(seed=47)


def test_parts_of_ones_own_choice_stay():
    assert at_form(None, *["down"] * 3, "9", "up", "4", "enter") == command(clients=4, parts=9)


def test_the_form_says_what_the_parts_are_for():
    async def scenario(operator):
        assert "2 spare, for clients added later" in operator.screen
        await operator.press("down", "down", "down", "3")
        await operator.pilot.pause()
        assert "none spare: no client can be added" in operator.screen

    at_form(scenario)


def test_anything_can_be_written_a_function_of_ones_own_too():
    async def scenario(operator):
        await operator.press("e", *["backspace"] * 4)
        await operator.write("mine:data")
        await operator.press("enter")
        await operator.pilot.pause()
        await operator.press("enter")

    assert at_form(scenario) == command(dataset="mine:data")


@pytest.mark.parametrize("number", ["²", "9" * 5000])
def test_a_number_that_is_none_is_refused_like_any_other(number):
    async def scenario(operator):
        operator.app.form.set("clients", number)
        await operator.until(lambda: "--clients" in operator.screen, "it is refused")
        await operator.press("down", "down", "right", "enter")
        assert operator.app.is_running

    assert at_form(scenario) is None


def test_digits_end_where_no_number_does():
    assert at_form(None, "end", *"12345678901234", "backspace", "enter") == command(seed=123456789)


def test_a_long_value_stands_alone():
    async def scenario(operator):
        operator.app.form.set("dataset", "a_long_module:a_long_function")
        await operator.until(lambda: "a_long_module:a_long_function > model" in operator.screen, "apart")

    at_form(scenario)


def test_writing_can_be_given_up():
    async def scenario(operator):
        await operator.press("e", "x", "escape")
        await operator.pilot.pause()
        await operator.press("enter")

    assert at_form(scenario) == command()


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (["down", "down", "down", "2"], "clients = 3 do not fit parts = 2; raise parts"),
        (["down", "down", "0"], "--clients: '0' will not do"),
        (["e", "x", "y", "enter"], "dataset = 'autoxy' is not known; did you mean 'auto'?"),
    ],
)
@pytest.mark.parametrize("size", [SIZES[0], (60, 20)])
def test_what_cannot_run_is_refused_in_the_words_of_the_command_line(keys, problem, size):
    async def scenario(operator):
        await operator.pilot.pause()
        await operator.until(lambda: problem in operator.screen, problem)
        await operator.press("enter")
        assert operator.app.is_running

    assert at_form(scenario, *keys, size=size) is None


# --- the fields of a mode

MODE, FIRST_OF_MODE = ["down"] * 5, ["down"] * 6
LINES = {
    "sync": ["quorum", "deadline"],
    "timed": ["interval", "minimum"],
    "buffered": ["minimum"],
}


@pytest.mark.parametrize("size", [*SIZES, (60, 20)])
@pytest.mark.parametrize(("mode", "steps"), [("sync", 0), ("timed", 1), ("buffered", 2)])
def test_a_mode_has_its_own_lines(mode, steps, size):
    async def scenario(operator):
        await operator.until(lambda: f"< {mode} >" in operator.screen, "it is chosen")
        form = operator.app.form
        lines = [form.draw_line(index, size[0]).plain for index in range(form.num_lines)]
        asked = {line[2:14].strip(): " ".join(line.split()) for line in lines}
        assert list(asked)[5:] == ["mode", *LINES[mode], "codec", "seed"]
        assert all(asked[label] in operator.screen for label in [*LINES[mode], "codec", "seed"]), "seen"

    at_form(scenario, *MODE, *["right"] * steps, size=size)


def test_the_rules_of_a_mode_are_chosen_with_it():
    keys = [*MODE, "right", "down", "5", "down", "right", "right", "enter"]
    timed = {"mode": "timed", "aggregation-interval-seconds": "5", "min-updates-per-aggregation": "2"}
    with_rules = {**DEFAULTS, **timed}
    order = [*list(DEFAULTS)[:5], *timed, "codec", "seed"]

    assert at_form(None, *keys) == ["run", *(f"--{key}={with_rules[key]}" for key in order)]


def test_rules_of_another_mode_are_remembered_and_not_asked_for():
    last_choices.save({"mode": "sync", "quorum": 2, "aggregation_interval_seconds": 2.5})
    form = StartForm(last_choices.load())

    assert "aggregation_interval_seconds" not in form.options
    form.set("mode", "timed")
    assert (form.options["aggregation_interval_seconds"], form.problem) == ("2.5", "")
    assert form.choices["quorum"] == 2


def test_a_rule_can_be_stepped_back_to_none():
    assert at_form(None, *FIRST_OF_MODE, "right", "left", "enter") == command()


# --- attaching instead


def going_on(here, *names):
    """Runs that a supervisor, this process, has in hand."""
    locks = []
    for name in names:
        run_dir = here / "runs" / name
        run_dir.mkdir(parents=True)
        (run_dir / CONFIG_NAME).write_text(RunConfig(run_id=name).to_toml())
        locks.append(SupervisorLock(run_dir).__enter__())
    return locks


def test_runs_that_go_on_are_there_to_be_attached_to(here):
    locks = going_on(here, "20260101-000000-aaaa", "20260102-000000-bbbb")

    async def scenario(operator):
        await operator.until(
            lambda: "attach to 20260102-000000-bbbb" in operator.screen, "the runs are found"
        )
        assert "waiting for clients" in operator.screen
        await operator.press("end", "enter")

    assert at_form(scenario) == ["attach", str(here / "runs/20260101-000000-aaaa")]
    assert at_form(attach_with_one_key) == ["attach", str(here / "runs/20260102-000000-bbbb")]
    for lock in locks:
        lock.__exit__()


async def attach_with_one_key(operator):
    await operator.until(lambda: "attach to" in operator.screen, "the runs are found")
    await operator.press("a")


def test_a_run_that_has_ended_is_not_offered(here):
    (lock,) = going_on(here, "20260101-000000-aaaa")
    lock.__exit__()

    async def scenario(operator):
        await operator.pilot.app.workers.wait_for_complete()
        assert operator.app.form.runs == []
        await operator.press("a")
        assert operator.app.is_running

    assert at_form(scenario) is None


# --- bare terminals


def test_a_bare_terminal_shows_it_in_ascii_and_without_colours():
    async def scenario(operator):
        segments = [s for strip in operator.app.screen._compositor.render_strips() for s in strip]
        assert all(segment.text.isascii() for segment in segments)
        assert all(segment.style is None or segment.style.color is None for segment in segments)

    at_form(scenario, terminal=Terminal(colours=Colours.NONE, has_unicode=False))


def test_the_options_of_the_form_are_a_configuration():
    form = StartForm({})

    assert form.problem == ""
    assert plan.resolve(form.options, None) == plan.resolve(DEFAULTS, None)
