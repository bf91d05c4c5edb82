"""Any chart becomes lines of text that fit their place, whatever the numbers and the terminal are."""

import math
import re
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flconsole.charts.axis import Unit
from flconsole.charts.chart_text import COLOURS, Ink, heading
from flconsole.charts.plot import Bar, BarPlot, HeatMap, Line, LinePlot, Sentence
from flconsole.charts.plotting import draw
from flconsole.text import visible

PLAIN = Ink()
PARTS = ("waiting", "training", "transfer", "aggregation", "publishing", "evaluation")
INKS = st.builds(Ink, ascii=st.booleans(), colours=st.booleans())
WIDTHS, HEIGHTS = st.integers(0, 130), st.integers(0, 40)

ANY_VALUE = st.one_of(st.none(), st.floats())
LABELS = st.text(max_size=20)
CURVES = st.lists(ANY_VALUE, max_size=40).map(lambda ys: tuple((float(x + 1), y) for x, y in enumerate(ys)))
LINE_PLOTS = st.builds(
    LinePlot,
    title=st.just("Loss"),
    lines=st.lists(st.builds(Line, LABELS, CURVES), min_size=1, max_size=6).map(tuple),
    unit=st.sampled_from(Unit),
    x=st.sampled_from([Unit.COUNT, Unit.SECONDS]),
    log_y=st.booleans(),
    from_zero=st.booleans(),
)
SECONDS = st.floats(0, 1e6)
STACKS = st.tuples(*[SECONDS] * len(PARTS))
BAR_PLOTS = st.lists(STACKS, min_size=1, max_size=200).map(
    lambda stacks: BarPlot(
        title="Round time",
        parts=PARTS,
        bars=tuple(Bar(number, 1, stack) for number, stack in enumerate(stacks, 1)),
        latest=stacks[-1],
    )
)


def similarity_of(size, value=0.5):
    return HeatMap(
        title="Client similarity",
        ids=tuple(f"{number + 1}" for number in range(size)),
        values=tuple(tuple(1.0 if a == b else value for b in range(size)) for a in range(size)),
    )


PLOTS = st.one_of(
    LINE_PLOTS,
    BAR_PLOTS,
    st.builds(similarity_of, st.integers(1, 32), st.one_of(st.none(), st.floats(-1, 1))),
    st.builds(Sentence, title=st.just("Loss"), text=st.text(st.characters(max_codepoint=0x17F))),
)


def one_line(*ys, **more):
    points = tuple((float(x + 1), y) for x, y in enumerate(ys))
    return LinePlot(title="Loss", lines=(Line("", points),), **more)


def text_of(plot, width=60, height=12, ink=PLAIN):
    return "\n".join(line.plain for line in draw(plot, width, height, ink))


class TestEveryChart:
    @settings(max_examples=100, deadline=None)
    @given(PLOTS, WIDTHS, HEIGHTS, INKS)
    def test_fits_its_place(self, plot, width, height, ink):
        lines = draw(plot, width, height, ink)
        assert len(lines) == height
        assert all(line.cell_len <= width for line in lines)
        assert heading(plot, width, ink).cell_len <= width

    @settings(max_examples=60, deadline=None)
    @given(PLOTS, INKS)
    def test_brings_no_control_character_to_the_terminal(self, plot, ink):
        lines = [heading(plot, 100, ink), *draw(plot, 80, 15, ink)]
        assert all(line.plain == visible(line.plain) and "\n" not in line.plain for line in lines)

    @settings(max_examples=60, deadline=None)
    @given(st.one_of(LINE_PLOTS, BAR_PLOTS, st.builds(similarity_of, st.integers(1, 32))), st.booleans())
    def test_is_ascii_where_there_is_no_utf_8(self, plot, colours):
        ink = Ink(ascii=True, colours=colours)
        lines = [heading(plot, 100, ink), *draw(plot, 80, 15, ink)]
        assert all(line.plain.isascii() for line in lines)

    @pytest.mark.parametrize("plot", [one_line(1.0, 2.0), similarity_of(3), similarity_of(20, -0.2)])
    def test_paints_no_background_and_names_only_the_first_eight_colours(self, plot):
        for line in draw(plot, 60, 12, Ink()):
            for span in line.spans:
                assert span.style.bgcolor is None
                assert span.style.color is None or span.style.color.number < 8

    def test_may_be_drawn_by_two_threads_at_once(self):
        wanted = {value: text_of(one_line(0.0, value)) for value in (1.0, 700.0)}
        wrong = []

        def draw_often(value):
            wrong.extend(value for _ in range(50) if text_of(one_line(0.0, value)) != wanted[value])

        threads = [threading.Thread(target=draw_often, args=(value,)) for value in wanted]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong


class TestLines:
    def test_say_what_their_axes_are(self):
        text = text_of(one_line(*[0.1 * number for number in range(10)]))
        assert text.splitlines()[-1].startswith("round")
        assert "0.8┤" in text
        assert text_of(one_line(1.0, 2.0, x=Unit.SECONDS)).splitlines()[-1].lstrip().startswith("time")

    def test_are_broken_where_a_value_is_missing(self):
        whole, broken = ([1.0] * 30, [1.0] * 10 + [None] * 10 + [1.0] * 10)
        strokes = [text_of(one_line(*ys), ink=Ink(ascii=True)) for ys in (whole, broken)]
        assert [len(re.findall(r"\*+", text)) for text in strokes] == [1, 2]

    def test_a_lone_value_between_gaps_is_a_dot(self):
        assert any("⠀" < character <= "⣿" for character in text_of(one_line(None, 3.0, None)))

    def test_a_spike_is_seen_among_thousands(self):
        ys = [10.0 if number == 3333 else 1.0 for number in range(5000)]
        first_row = text_of(one_line(*ys)).splitlines()[0]
        assert any("⠀" < character <= "⣿" for character in first_row)

    def test_logarithmic_axis_leaves_out_what_has_no_logarithm(self):
        assert "100" in text_of(one_line(1.0, 0.0, -3.0, 100.0, log_y=True))
        assert "no value can be drawn" in text_of(one_line(0.0, -3.0, log_y=True))

    @pytest.mark.parametrize("value", [None, math.inf, -math.inf, math.nan, 1e300])
    def test_what_cannot_stand_on_an_axis_is_said_where_there_is_nothing_else(self, value):
        assert "no value can be drawn" in text_of(one_line(value, value))

    def test_are_told_apart_by_letters_where_there_are_no_colours(self):
        lines = tuple(Line(str(number), ((1.0, number), (2.0, number))) for number in range(3))
        plot = LinePlot(title="Client loss", lines=lines)
        for ink in (Ink(ascii=True), Ink(colours=False)):
            text = text_of(plot, ink=ink)
            assert all(letter in text for letter in "*+o")
            assert "* 0" in heading(plot, 60, ink).plain

    def test_have_a_colour_each_and_a_legend_with_the_newest_value(self):
        lines = tuple(Line(f"c{number}", ((1.0, 1.0),), 0.25) for number in range(6))
        legend = heading(LinePlot(title="Client loss", lines=lines), 120, Ink())
        assert [span.style.color.name for span in legend.spans if span.style.color] == list(COLOURS)
        assert "━ c5 0.2500" in legend.plain

    def test_a_label_from_elsewhere_is_made_visible_and_cut(self):
        lines = (Line("\x1b[2Jevil", ((1.0, 1.0),)), Line("x" * 500, ((1.0, 2.0),)))
        legend = heading(LinePlot(title="Client loss", lines=lines), 120, Ink()).plain
        assert r"\x1b[2Jevil" in legend
        assert "x" * 11 + "…" in legend


class TestBars:
    def plot(self, number, training=6.0):
        stack = (0.0, training, 2.0, 0.0, 0.0, 0.0)
        return BarPlot(
            title="Round time",
            parts=PARTS,
            bars=tuple(Bar(first, 1, stack) for first in range(1, number + 1)),
            latest=stack,
        )

    def test_a_part_takes_its_share_of_the_height(self):
        text = text_of(self.plot(1), height=18)  # 16 rows for 8 seconds
        assert text.count("█") == 3 * text.count("▓") > 0

    def test_more_rounds_than_columns_are_drawn_as_means(self):
        text = text_of(self.plot(5000), width=60)
        assert "█" in text
        assert "4000" in text

    def test_no_round_is_named_that_was_not(self):
        assert "60" not in text_of(self.plot(57)).splitlines()[-1]
        assert "60" in text_of(self.plot(60)).splitlines()[-1]

    def test_legend_names_the_largest_part_first(self):
        assert heading(self.plot(1), 60, Ink()).plain.startswith("Round time  █ training 6 s  ▓ transfer 2 s")


class TestHeatMap:
    def test_has_numbers_where_there_is_room_and_shades_where_there_is_not(self):
        assert "█ .50" in text_of(similarity_of(8), width=80)
        assert ".50" not in text_of(similarity_of(32), width=80, height=40).replace(".5 ", "")

    def test_names_every_client_that_fits_on_both_axes(self):
        lines = text_of(similarity_of(12), width=80, height=20).splitlines()
        assert lines[0].split() == [line.split()[0] for line in lines[1:13]]

    def test_says_how_many_clients_there_is_no_room_for(self):
        assert text_of(similarity_of(32), width=80, height=20).splitlines()[-1].endswith("18 of 32 clients")

    def test_tells_the_sign_by_colour_and_by_the_number(self):
        (line,) = draw(similarity_of(2, -0.25), 40, 4, Ink())[1:2]
        assert "-.25" in line.plain
        assert "red" in {span.style.color.name for span in line.spans if span.style.color}


def test_a_place_too_small_says_so():
    assert "too small" in text_of(one_line(1.0, 2.0), width=11, height=3)
