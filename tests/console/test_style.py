"""Colours and glyphs: one cell each, told apart without colours, with a twin in ASCII."""

import pytest
from rich.cells import cell_len
from rich.text import Text

from flconsole.state import ClientState
from flconsole.text import coloured
from flconsole.tui import style


def glyphs():
    looks = [*style.STATES.values(), *style.LEVELS.values(), style.MARK, style.ALERT]
    arrows = [style.ASCENDING, style.DESCENDING, style.RISING, style.STEADY, style.FALLING]
    return {look.glyph for look in looks} | set(arrows)


def test_every_state_has_a_look_of_its_own():
    assert set(style.STATES) == set(ClientState)
    assert len({look.glyph for look in style.STATES.values()}) == len(ClientState)


def test_a_glyph_takes_one_cell_and_is_ascii_or_has_a_twin():
    assert all(cell_len(glyph) == 1 for glyph in glyphs())
    assert {glyph for glyph in glyphs() if not glyph.isascii()} <= style.ASCII_TWINS.keys()


def test_a_twin_takes_the_same_room():
    for glyph, twin in style.ASCII_TWINS.items():
        assert (len(glyph), cell_len(glyph), glyph.isascii()) == (1, 1, False)
        assert len(twin) == 1
        assert twin.isascii()
        assert twin.isprintable()


@pytest.mark.parametrize("process", ["server", "broker", "client-1", "client-17"])
def test_a_process_has_the_same_hue_in_every_output(process):
    line = Text.from_ansi(coloured("a line", process=process))

    assert line.spans[0].style.color.number == style.process_style(process).color.number
