"""What the checks have found reads well in a pipe, on a narrow terminal and in colour."""

import pytest

from engine.commands import Finding
from flconsole.doctor.report import exit_code, lines_of, verdict

FINE = Finding(name="disk", level="ok", text="65 GB free")
NOTE = Finding(name="cifar10", level="note", text="is not on this disk", remedy="fetch it")
BROKER = Finding(name="broker", level="problem", text="does not answer", remedy="start it", exit_code=3)
DATA = Finding(name="digits", level="problem", text="are torn", remedy="mend them", exit_code=4)


def test_a_finding_is_a_line_and_its_remedy_another():
    assert lines_of(FINE) == ["OK       disk           65 GB free"]
    assert lines_of(NOTE) == [
        "note     cifar10        is not on this disk",
        "                        -> fetch it",
    ]


def test_on_a_narrow_terminal_lines_are_broken_between_words():
    long = Finding(name="runs", level="problem", text="no file can be written here " * 4, remedy="r")

    narrow = lines_of(long, width=60)

    assert all(len(line) <= 60 for line in narrow)
    assert " ".join(narrow).split() == " ".join(lines_of(long)).split()


def test_colours_paint_the_level_alone():
    (plain,), (painted,) = lines_of(FINE), lines_of(FINE, colours=True)

    assert painted == "\x1b[32mOK       \x1b[0m" + plain.removeprefix("OK       ")


def test_what_comes_from_elsewhere_is_obeyed_by_no_terminal():
    (line,) = lines_of(Finding(name="broker", level="ok", text="says \x1b]52;c;ZXZpbA==\x07"))

    assert "\x1b" not in line


@pytest.mark.parametrize(
    ("findings", "code", "words"),
    [
        ([FINE], 0, "nothing prevents a run"),
        ([FINE, NOTE], 0, "nothing prevents a run; 1 note"),
        ([NOTE, BROKER], 3, "1 problem and 1 note: mend the problem before a run"),
        ([DATA, BROKER], 4, "2 problems: mend the problems before a run"),
    ],
)
def test_the_exit_code_is_that_of_a_run_that_meets_the_first_problem(findings, code, words):
    assert (exit_code(findings), verdict(findings)) == (code, words)
