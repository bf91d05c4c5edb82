"""The table of clients on a screen."""

import asyncio

import pytest
from rich.cells import cell_len

from flconsole.client_order import Order, load_order, order_file, save_order
from flconsole.tui.app import ConsoleApp
from flconsole.tui.panes.clients import ClientsPane, ClientTable
from flconsole.tui.panes.logs import LogsPane
from flconsole.tui.view import Liveness
from tests.console.staging import Stage, back, lost, run_started, use
from tests.flconsole.recording import accepted, exited, joined, opened, started

SIZES = [(80, 24), (120, 40), (60, 20)]
SMALL, LARGE = SIZES[0], SIZES[1]


def federation(clients=3):
    names = [str(number) for number in range(1, clients + 1)]
    processes = [started(f"client-{name}", "client", 100 + int(name), name) for name in names]
    return [run_started(), *processes, *(joined(name, int(name) - 1) for name in names)]


class Watched(ClientTable):
    """Counts the rows it draws."""

    rows_drawn = 0

    def render_line(self, y):
        self.rows_drawn += 1
        return super().render_line(y)


class Console:
    """The console of a staged run, under the pilot."""

    def __init__(self, stage, pilot):
        self.stage, self.pilot, self.screen = stage, pilot, pilot.app.screen
        self.table = self.screen.query_one(ClientTable)

    async def press(self, *keys):
        await self.pilot.press(*keys)
        await self.look()

    async def look(self):
        self.screen.look()
        await self.pilot.pause()

    @property
    def rows(self):
        """The pane as it is on the screen: title, heading, clients."""
        pane = self.screen.query_one(ClientsPane).region
        strips = self.pilot.app.screen._compositor.render_strips()[pane.y : pane.bottom]
        return [strip.crop(pane.x, pane.right).text for strip in strips]

    @property
    def title(self):
        return self.rows[0].strip("─━ ")

    @property
    def clients(self):
        """The ids in the order shown."""
        return [row[2:].split()[0] for row in self.rows[2:] if row.strip()]

    def cell(self, client, heading):
        """What stands under a heading, aligned to the right as the heading is."""
        end = self.rows[1].index(heading) + len(heading)
        row = next(row for row in self.rows[2:] if row[2:].split()[:1] == [client])
        return row[:end].split()[-1]

    def flags(self, client):
        """What stands before a client: its mark and its alert."""
        row = next(row for row in self.rows[2:] if row[2:].split()[:1] == [client])
        return row[:2].strip()


def on_screen(check, *events, size=SMALL, **stage):
    async def run():
        source = Stage(*(events or federation()), **stage)
        app = ConsoleApp(source)
        async with app.run_test(size=size) as pilot:
            console = Console(source, pilot)
            await console.look()
            await check(console)

    asyncio.run(run())


# --- what is shown


@pytest.mark.parametrize("size", SIZES)
def test_a_running_federation(size):
    async def check(console):
        assert console.title == "1 Clients: 3 · 1 lost · by id ▲"
        assert console.clients == ["1", "2", "3"]
        assert console.cell("1", "loss") == "1.5000"
        assert console.cell("1", "cpu%") == "94"
        assert console.cell("2", "loss") == "-"
        assert "● training" in console.rows[3]
        assert "? lost" in console.rows[4]
        assert all(cell_len(row) == console.pilot.app.size.width for row in console.rows)

    events = [*federation(), opened(1, "123"), accepted("1", 1), use("1", cpu_percent=93.6), lost("3")]
    on_screen(check, *events, size=size)


def test_without_clients_the_table_is_empty_and_no_key_does_harm():
    async def check(console):
        assert console.title == "1 Clients: 0 · by id ▲"
        assert console.screen.query_one(ClientsPane).chosen == ()
        await console.press("space", "asterisk", "o", "O", "enter", "down", "end")
        assert console.clients == []

    on_screen(check, run_started())


def test_stale_use_is_dimmed_and_its_age_told_once():
    def is_dim(console):
        line = console.table.draw_line(0, 77)
        return bool(line.get_style_at_offset(console.pilot.app.console, line.plain.index("94")).dim)

    async def check(console):
        assert not is_dim(console)
        assert "old" not in console.title
        console.stage.wait(12)
        await console.look()
        assert is_dim(console)
        assert console.title.endswith("use 12s old")

    on_screen(check, *federation(), use("1", cpu_percent=93.6))


def test_a_run_that_is_over_grows_no_older():
    async def check(console):
        console.stage.liveness = Liveness.ENDED
        await console.look()
        before = console.rows
        console.stage.wait(1000)
        await console.look()
        assert console.rows == before
        assert console.cell("1", "age") == "0s"

    on_screen(check, *federation(), opened(1, "1"), accepted("1", 1), use("1", cpu_percent=93.6))


def test_when_the_supervisor_is_gone_nobody_is_training():
    async def check(console):
        console.stage.liveness = Liveness.GONE
        await console.look()
        assert "■ stopped" in console.rows[2]
        assert console.cell("1", "cpu%") == "-"

    on_screen(check, *federation(), opened(1, "1"), use("1", cpu_percent=93.6))


def test_a_clients_name_cannot_talk_to_the_terminal():
    async def check(console):
        assert console.clients == [r"\x1b[2J[red]"]
        await console.press("slash", *"[red]", "enter")
        assert "filter: [red]" in console.title

    on_screen(check, run_started(), joined("\x1b[2J[red]", 0))


# --- drawing no more than has changed


def test_only_rows_whose_text_changed_are_drawn_again(monkeypatch):
    monkeypatch.setattr("flconsole.tui.panes.clients.ClientTable", Watched)

    async def check(console):
        table = console.screen.query_one(Watched)
        table.rows_drawn = 0
        await console.look()
        assert table.rows_drawn == 0
        console.stage.tell(accepted("2", 1))
        await console.look()
        assert table.rows_drawn == 1

    on_screen(check, *federation(), opened(1, "123"))


def test_a_pane_that_was_hidden_catches_up():
    async def check(console):
        await console.press("3")
        console.stage.tell(*federation(5)[4:])
        console.stage.tell(lost("2"), back("2"))
        await console.look()
        await console.press("1")
        assert console.clients == ["1", "2", "3", "4", "5"]
        assert console.flags("2") == "!"

    on_screen(check, size=(60, 20))


# --- order


def losses(*values):
    events = federation(len(values))
    names = [str(number) for number in range(1, len(values) + 1)]
    events.append(opened(1, names))
    for name, value in zip(names, values, strict=True):
        if value is not None:
            update = accepted(name, 1)
            events.append(type(update)(**{**as_dict(update), "loss": value}))
    return events


def as_dict(event):
    return {field: getattr(event, field) for field in event.__struct_fields__}


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_keys_sort_by_the_next_column_and_turn_the_order_around(size):
    async def check(console):
        await console.press("o")
        assert "▲loss" in console.rows[1]
        assert console.clients == ["3", "1", "2", "4"]
        await console.press("O")
        assert "▼loss" in console.rows[1]
        assert console.clients == ["2", "1", "3", "4"], "the unknown stays last"
        await console.press("left")
        assert "by round ▼" in console.title
        await console.press("right")
        assert "by loss ▼" in console.title

    save_order(order_file(), Order("round"))
    on_screen(check, *losses(2.0, 3.0, 1.0, None), size=size)


def test_the_cursor_stays_with_its_client_when_the_order_changes():
    async def check(console):
        await console.press("down", "O")
        assert console.screen.query_one(ClientsPane).chosen == ("2",)
        assert "2" in console.clients, "it stays in view"
        assert "40" not in console.clients, "which is far from the first"

    on_screen(check, *federation(40))


def test_the_order_is_there_again_in_the_next_console():
    async def sort(console):
        await console.press("o", "O")

    async def check(console):
        assert "by host ▼" in console.title

    on_screen(sort)
    assert load_order(order_file()) == Order("host", reverse=True)
    on_screen(check)


def test_an_order_that_cannot_be_kept_is_told_once():
    order_file().parent.parent.mkdir(parents=True)
    order_file().parent.write_text("in the way")

    async def check(console):
        await console.press("o", "o", "o")
        notices = [notice.message for notice in console.pilot.app._notifications]
        assert len(notices) == 1
        assert "is not kept" in notices[0]

    on_screen(check)


def test_a_damaged_order_is_told_and_the_table_is_sorted_by_id():
    save_order(order_file(), Order())
    order_file().write_text("column = ")

    async def check(console):
        assert "by id" in console.title
        assert "clients.toml" in next(iter(console.pilot.app._notifications)).message

    on_screen(check)


# --- filter and marks


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_the_filter_works_while_it_is_typed(size):
    async def check(console):
        await console.press("slash", *"!^1")
        assert console.clients == ["2", "3"]
        assert "2 of 3" in console.title
        assert "filter: !^1" in console.title
        await console.press("enter")
        assert console.table.has_focus
        assert console.clients == ["2", "3"]
        await console.press("slash", "end", "ctrl+u", "enter")
        assert console.clients == ["1", "2", "3"]
        assert "filter" not in console.title

    on_screen(check, size=size)


def test_escape_leaves_the_filter_and_the_cursor_as_they_were():
    async def check(console):
        await console.press("down", "slash", *"3")
        assert console.clients == ["3"]
        await console.press("escape")
        assert console.clients == ["1", "2", "3"]
        assert console.screen.query_one(ClientsPane).chosen == ("2",)

    on_screen(check)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_marks_survive_sorting_and_filtering(size):
    async def check(console):
        pane = console.screen.query_one(ClientsPane)
        await console.press("space", "down", "down", "space")
        assert pane.chosen == ("1", "3")
        assert (console.flags("1"), console.flags("2")) == ("▸", "")
        assert "2 marked" in console.title
        await console.press("O", "slash", *"2", "enter")
        assert pane.chosen == ("1", "3")
        await console.press("slash", "ctrl+u", "enter", "home", "space")
        assert pane.chosen == ("1",)

    on_screen(check, size=size)


def test_all_that_are_shown_are_marked_or_none():
    async def check(console):
        pane = console.screen.query_one(ClientsPane)
        await console.press("slash", *"!2", "enter", "asterisk")
        assert pane.chosen == ("1", "3")
        await console.press("slash", "ctrl+u", "enter", "asterisk")
        assert pane.chosen == ("1", "2", "3")
        await console.press("asterisk")
        assert pane.chosen == ("1",), "without marks, the one at the cursor"

    on_screen(check)


def test_the_mark_of_a_client_that_is_no_more_vanishes():
    async def check(console):
        before = console.stage.view().snapshot
        console.stage.liveness = Liveness.REPLAY
        console.stage.tell(joined("4", 3))
        await console.look()
        await console.press("end", "space")
        assert "1 marked" in console.title
        console.stage.go_back_to(before)
        await console.look()
        assert "marked" not in console.title
        assert console.screen.query_one(ClientsPane).chosen == ("3",)

    on_screen(check)


# --- alerts


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_loss_is_marked_until_the_cursor_has_been_on_the_client(size):
    async def check(console):
        console.stage.tell(lost("2"), back("2"))
        console.stage.tell(exited("client-3", 103, sig="SIGSEGV"))
        await console.look()
        assert [console.flags(client) for client in "123"] == ["", "!", "!"]
        assert "1 failed" in console.title
        await console.press("down")
        assert [console.flags(client) for client in "123"] == ["", "", "!"]

    on_screen(check, size=size)


def test_a_cursor_without_the_focus_looks_at_nothing():
    async def check(console):
        await console.press("2")
        console.stage.tell(lost("1"))
        await console.look()
        assert console.flags("1") == "!"
        await console.press("1")
        assert console.flags("1") == ""

    on_screen(check)


def test_the_history_that_is_read_at_first_alerts_nobody():
    async def check(console):
        console.stage.tell(lost("2"), back("2"))
        console.stage.loading = None
        await console.look()
        assert console.flags("2") == ""
        console.stage.tell(lost("2"))
        await console.look()
        assert console.flags("2") == "!"

    on_screen(check, loading=0.5)


# --- the log of a client


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_enter_brings_up_the_clients_log(size, monkeypatch):
    shown = []
    monkeypatch.setattr(LogsPane, "show_process", lambda _pane, name: shown.append(name))

    async def check(console):
        await console.press("down", "enter")
        assert shown == ["client-2"]
        assert (
            console.screen.query_one(LogsPane).has_focus_within
            or console.screen.query_one(LogsPane).has_focus
        )

    on_screen(check, size=size)
