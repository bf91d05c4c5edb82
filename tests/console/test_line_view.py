"""The base of every list: what is drawn, what is sent again, where the cursor goes."""

import asyncio

import pytest
from rich.text import Text
from textual.app import App
from textual.widgets import Input

from flconsole.tui.line_view import LineView

SIZES = [(80, 24), (120, 40), (60, 20)]


class Words(LineView):
    """Lines that count how often they are sent to the screen."""

    def __init__(self, words, heading=None):
        super().__init__(id="words")
        self.words, self.heading = words, heading
        self.rendered = []

    @property
    def num_lines(self):
        return len(self.words)

    def draw_line(self, index, width):
        return Text(self.words[index])

    def draw_heading(self, width):
        return None if self.heading is None else Text(self.heading)

    def render_line(self, y):
        self.rendered.append(y)
        return super().render_line(y)


class WordsApp(App):
    def __init__(self, words, heading=None):
        super().__init__()
        self.view = Words(words, heading)

    def compose(self):
        yield self.view
        yield Input(id="elsewhere")


def pilot_test(size, words, check, heading=None):
    async def run():
        app = WordsApp(words, heading)
        app.AUTO_FOCUS = "#words"
        async with app.run_test(size=size) as pilot:
            app.view.lines_changed()
            await pilot.pause()
            await check(app.view, pilot)

    asyncio.run(run())


def screen_of(pilot):
    return [strip.text for strip in pilot.app.screen._compositor.render_strips()]


def reversed_rows(pilot):
    return [
        y
        for y, strip in enumerate(pilot.app.screen._compositor.render_strips())
        if any(segment.style is not None and segment.style.reverse for segment in strip)
    ]


def numbered(count):
    return [f"line {n}" for n in range(count)]


@pytest.mark.parametrize("size", SIZES)
def test_the_keys_move_the_cursor_and_it_stays_in_view(size):
    async def check(view, pilot):
        page = view.page_lines
        for key, cursor in [
            ("down", 1), ("j", 2), ("up", 1), ("up", 0), ("up", 0),
            ("pagedown", page), ("pageup", 0), ("end", 99), ("down", 99), ("home", 0),
        ]:  # fmt: skip
            await pilot.press(key)
            await pilot.pause()
            assert view.cursor == cursor, key
            top = view.scroll_offset.y
            assert top <= cursor < top + page, key
            assert f"line {cursor} " in screen_of(pilot)[cursor - top]

    pilot_test(size, numbered(100), check)


def test_down_does_not_scroll_before_the_cursor_is_at_the_bottom():
    async def check(view, pilot):
        await pilot.press("down", "down")
        await pilot.pause()
        assert view.scroll_offset.y == 0

    pilot_test((80, 24), numbered(100), check)


def test_k_is_left_to_the_panes():
    async def check(view, pilot):
        await pilot.press("down", "k")
        assert view.cursor == 1

    pilot_test((80, 24), numbered(5), check)


def test_a_click_puts_the_cursor_on_the_line_and_not_on_the_heading():
    async def check(view, pilot):
        await pilot.click("#words", offset=(3, 4))
        assert view.cursor == 3
        await pilot.click("#words", offset=(3, 0))
        assert view.cursor == 3
        await pilot.click("#words", offset=(3, 15))
        assert view.cursor == 3, "there is no line there"

    pilot_test((80, 24), numbered(5), check, heading="HEAD")


def test_the_heading_does_not_scroll():
    async def check(view, pilot):
        await pilot.press("end")
        await pilot.pause()
        shown = screen_of(pilot)
        assert shown[0].startswith("HEAD")
        assert shown[view.page_lines].startswith("line 99")

    pilot_test((80, 24), numbered(100), check, heading="HEAD")


def test_only_lines_whose_text_changed_are_drawn_again():
    async def check(view, pilot):
        view.rendered.clear()
        view.lines_changed()
        await pilot.pause()
        assert view.rendered == []
        view.words[3] = "another"
        view.lines_changed()
        await pilot.pause()
        assert view.rendered == [3]

    pilot_test((80, 24), numbered(10), check)


def test_the_cursor_is_seen_only_while_the_list_has_the_focus():
    async def check(view, pilot):
        await pilot.press("down")
        await pilot.pause()
        assert reversed_rows(pilot)[0] == 1
        pilot.app.query_one("#elsewhere").focus()
        await pilot.pause()
        assert 1 not in reversed_rows(pilot)

    pilot_test((80, 24), numbered(5), check)


def test_a_cursor_that_goes_to_each_new_last_line_keeps_it_in_view():
    async def check(view, pilot):
        for number in range(40):
            view.words.append(f"new {number}")
            view.move_cursor(view.num_lines - 1)
            await pilot.pause()
            assert any(f"new {number}" in row for row in screen_of(pilot))

    pilot_test((80, 24), numbered(3), check)


def test_fewer_lines_take_the_cursor_and_the_view_along():
    async def check(view, pilot):
        await pilot.press("end")
        await pilot.pause()
        del view.words[3:]
        view.lines_changed()
        await pilot.pause()
        assert view.cursor == 2
        assert [line.split()[-1] for line in screen_of(pilot)[:3]] == ["0", "1", "2"]
        assert reversed_rows(pilot)[0] == 2
        view.words.clear()
        view.lines_changed()
        await pilot.press("down", "end", "pagedown")
        assert view.cursor == 0

    pilot_test((80, 24), numbered(100), check)


def test_wide_characters_and_tabs_keep_the_row_as_wide_as_the_screen():
    async def check(view, pilot):
        for row in screen_of(pilot)[:4]:
            assert Text(row).cell_len == 80
        assert screen_of(pilot)[0].rstrip().endswith("…")
        assert screen_of(pilot)[1].startswith("a       b")
        assert screen_of(pilot)[2].startswith("two lines")

    pilot_test((80, 24), ["漢字" * 40, "a\tb", "two\nlines", "e\u0301" * 100], check)


def test_a_line_that_was_cut_is_whole_again_on_a_wider_screen():
    async def check(view, pilot):
        await pilot.resize_terminal(120, 24)
        await pilot.pause()
        assert screen_of(pilot)[0].startswith("x" * 100)

    pilot_test((60, 20), ["x" * 100], check)


def test_a_smaller_screen_keeps_the_cursor_in_view():
    async def check(view, pilot):
        view.move_cursor(30)
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        top = view.scroll_offset.y
        assert top <= view.cursor < top + view.page_lines

    pilot_test((120, 40), numbered(100), check)
