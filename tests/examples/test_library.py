"""`docs/examples/library.py` learns what it says, over memory and over Kafka."""

import importlib
from pathlib import Path

import pytest

from engine import telemetry
from engine.event_log import read_events

pytestmark = [
    pytest.mark.tensorflow,
    # Keras' own reading of a variable, under numpy 2
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
]

EXAMPLE = Path(__file__).parents[2] / "docs/examples/library.py"
LEAST_ACCURACY = 0.9


@pytest.fixture(scope="module")
def example():
    """Imported at the first test that needs it: it loads TensorFlow."""
    return importlib.import_module("docs.examples.library")


def finished(server):
    events = [event for _, event in read_events(server.run_dir / "events.jsonl")]
    return [event for event in events if isinstance(event, telemetry.RoundFinished)]


def test_it_is_twenty_lines_without_the_console():
    code = EXAMPLE.read_text(encoding="utf-8").partition('"""\n\n')[2]
    statements = [line for line in code.splitlines() if line and not line.startswith(("import", "from"))]

    assert len(statements) <= 25
    assert "flconsole" not in code


@pytest.mark.broker
def test_two_clients_learn_digits_over_memory_and_the_same_over_kafka(example, embedded_address, tmp_path):
    over_memory = finished(example.main(run_dir=tmp_path / "memory"))
    assert [event.updates for event in over_memory] == [2] * 5
    assert over_memory[-1].accuracy >= LEAST_ACCURACY

    over_kafka = finished(example.main(embedded_address, "embedded", run_dir=tmp_path / "kafka"))
    assert [event.digest for event in over_kafka] == [event.digest for event in over_memory]
