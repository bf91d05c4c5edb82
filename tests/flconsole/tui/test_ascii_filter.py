"""The screen where there is no UTF-8."""

from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from flconsole.tui.ascii_filter import AsciiFilter, to_ascii


@given(st.text())
@example("👩\u200d👩\u200d👧 a family of one glyph")
@example("☁\ufe0f a wide cloud")
def test_any_text_becomes_ascii_of_the_same_width(text):
    twin = to_ascii(text)

    assert twin.isascii()
    assert cell_len(twin) == cell_len(text)


def test_glyphs_have_twins_and_styles_stay():
    bold = Style(bold=True)

    line = AsciiFilter().apply([Segment("─ ● 7", bold), Segment("plain"), Segment("日é")], Color(0, 0, 0))

    assert line == [Segment("- * 7", bold), Segment("plain"), Segment("???")]
