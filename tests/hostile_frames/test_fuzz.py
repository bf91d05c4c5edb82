"""The fuzzer starts from the corpus and finds nothing in a few thousand inputs."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile_frames import fuzz

ROOT = Path(__file__).parents[2]
RUNS = 3_000

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed; on Linux: pip install -e '.[fuzz]'",
)


@needs_atheris
def test_the_fuzzer_finds_nothing_in_a_few_thousand_inputs():
    command = [sys.executable, "-m", "tests.hostile_frames.fuzz", "--runs", str(RUNS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-3000:]
    assert f"stat::number_of_executed_units: {RUNS}" in done.stderr


@needs_atheris
def test_the_fuzzer_ends_at_an_input_that_brings_a_reader_down(tmp_path):
    program = "\n".join(
        (
            "import sys",
            f"sys.path.insert(0, {str(ROOT)!r})",
            f"sys.argv = ['fuzz', {str(tmp_path)!r}, '-runs=2000', '-seed=1']",
            "from tests.hostile_frames import fuzz_target",
            "fuzz_target.examination.message_verdict = lambda content: 1 // 0",
            "fuzz_target.fuzz()",
        )
    )
    (tmp_path / "message").write_bytes(next(i for i in fuzz.first_inputs() if i[0] == 3))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stdout + done.stderr
    assert list(tmp_path.glob("crash-*"))


def test_every_reader_has_a_first_input():
    assert {content[0] for content in fuzz.first_inputs()} == set(range(5))


def test_without_atheris_it_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    assert fuzz.main([]) == 2
    assert "pip install" in capsys.readouterr().err
