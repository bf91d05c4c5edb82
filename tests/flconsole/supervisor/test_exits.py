"""How an end is told, and when a process is started again."""

import pytest

from flconsole.supervisor.exits import Exit, RestartPolicy, last_line


def test_the_first_restart_is_at_once_and_the_others_wait_ever_longer():
    policy = RestartPolicy(max_restarts=10)

    delays = [policy.next_delay(rounds_finished=0) for _ in range(11)]

    assert delays == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, None]


def test_a_finished_round_starts_the_count_anew():
    policy = RestartPolicy(max_restarts=2)

    assert [policy.next_delay(0), policy.next_delay(0), policy.next_delay(1), policy.next_delay(1)] == [
        0,
        0.5,
        0,
        0.5,
    ]
    assert policy.next_delay(1) is None


def test_without_restarts_the_first_end_is_the_last():
    assert RestartPolicy(max_restarts=0).next_delay(0) is None


@pytest.mark.parametrize(
    ("returncode", "words"),
    [
        (-9, "killed by SIGKILL"),
        (-40, "killed by SIG40"),
        (0, "exit code 0"),
        (3, "exit code 3: no broker"),
    ],
)
def test_an_end_is_told_in_one_line(tmp_path, returncode, words):
    log = tmp_path / "log"
    log.write_text("starting\nno broker\n\n")

    assert Exit.from_returncode(returncode).describe(log) == words


def test_the_last_line_is_harmless_and_short(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"early\n\x1b[2J\x1b]0;title\x07gone \xff" + b"x" * 1000 + b"\n  \n")

    words = last_line(log)

    assert words.startswith("[2J]0;titlegone")
    assert words.isprintable()
    assert len(words) == 300


def test_a_quoted_line_goes_without_the_time_and_the_name_it_was_logged_with(tmp_path):
    log = tmp_path / "log"
    log.write_text("2026-11-24 10:11:10,808 ERROR   client-2: ckpt: No space left on device\n")

    assert last_line(log) == "ckpt: No space left on device"


def test_of_a_traceback_the_exception_is_quoted_however_many_lines_it_has(tmp_path):
    log = tmp_path / "log"
    traceback = (
        "Traceback (most recent call last):\n"
        '  File "model.py", line 10, in call\n'
        "    raise ValueError(message)\n"
        "    ^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "ValueError: the layer failed.\n"
        "\n"
        "Arguments:\n"
        "  • training=True\n"
    )
    log.write_text(traceback)
    assert last_line(log) == "ValueError: the layer failed. Arguments: • training=True"

    log.write_text(traceback + "2026-11-24 10:11:10,808 INFO    client-2: going on\n")
    assert last_line(log) == "going on"


def test_a_process_without_a_log_has_no_last_line(tmp_path):
    assert last_line(tmp_path / "none") == ""
