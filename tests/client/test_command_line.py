"""The command line of a process of clients."""

import pytest

from engine.client.__main__ import _parser

COMMON = ["--run-dir", "/runs/r", "--bootstrap-servers", "127.0.0.1:9"]


def clients(*words):
    return _parser().parse_args([*COMMON, *words]).clients


def test_a_part_is_that_of_the_client_before_it():
    assert clients("--client", "1", "--part", "0") == {"1": 0}
    assert clients("--client", "4", "--part", "7", "--client", "gpu-1", "--client", "6", "--part", "9") == {
        "4": 7,
        "gpu-1": None,
        "6": 9,
    }


def test_no_command_line_knows_the_clients_of_another():
    clients("--client", "1")

    assert clients("--client", "2") == {"2": None}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "the following arguments are required: --client"),
        (["--part", "3", "--client", "1"], "--part 3 belongs behind the --client that asks for it"),
        (["--client", "1", "--client", "1"], "--client 1 is given twice"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(words, reason, capsys):
    with pytest.raises(SystemExit, match="2"):
        clients(*words)

    assert reason in capsys.readouterr().err
