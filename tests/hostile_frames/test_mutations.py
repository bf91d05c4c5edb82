"""Thousands of mutations of honest input: each is refused with a reason, or is what it was.

`python -m benchmarks hostile` does the same a hundred thousand times.
"""

import random
import tracemalloc

import pytest

from engine.protocol.serialization import parse_frame
from tests.hostile_frames import examination, reading
from tests.hostile_frames.bad_compressed import MOST_BYTES, bomb
from tests.hostile_frames.examination import WrongAnswerError, examine, frame_verdict, transfer_verdicts
from tests.hostile_frames.honest import records, update_frame
from tests.hostile_frames.mutations import SUBJECTS, MutatedFrame, Mutator

COUNT = 5_000


@pytest.fixture(scope="module")
def tallies(tmp_path_factory):
    return examine(Mutator(seed=20), COUNT, tmp_path_factory.mktemp("spill"))


@pytest.mark.parametrize("kind", ["frames", "transfers", "messages"])
def test_no_mutation_crashes_a_reader_or_takes_too_much_memory_or_comes_in_as_another_vector(tallies, kind):
    assert tallies[kind].failures == []
    assert tallies[kind].examined == COUNT * {"frames": 5, "transfers": 4, "messages": 1}[kind] // 10


def test_mutations_get_past_every_check_but_the_last(tallies):
    reasons = tallies["frames"].reasons + tallies["transfers"].reasons

    assert reasons.keys() >= {
        *("frame_truncated", "bad_magic", "unsupported_version", "unknown_flags", "metadata_too_large"),
        *("payload_too_large", "trailing_bytes", "digest_mismatch", "metadata_invalid", "unknown_codec"),
        *("payload_invalid", "payload_size_mismatch", "transfer_header_invalid", "chunk_size_mismatch"),
        *("transfer_too_large", "transfer_conflict", "transfer_digest_mismatch", "accepted"),
    }


def test_the_same_seed_gives_the_same_mutations():
    one, other = Mutator(seed=7), Mutator(seed=7)

    assert [one.frame() for _ in range(50)] == [other.frame() for _ in range(50)]
    assert [one.transfer() for _ in range(20)] == [other.transfer() for _ in range(20)]


def test_what_is_mutated_is_accepted_unmutated(tmp_path):
    assert {frame_verdict(MutatedFrame(*subject)) for subject in SUBJECTS} == {"accepted"}
    assert transfer_verdicts(records(), tmp_path) == ["accepted"]


def test_a_reader_that_accepts_another_vector_is_noticed():
    honest = SUBJECTS[0]
    altered = MutatedFrame(update_frame(-parse_frame(honest.frame).vector(honest.layout)), *honest[1:])

    with pytest.raises(WrongAnswerError, match="another vector"):
        frame_verdict(altered)


def test_a_reader_that_takes_too_much_memory_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr(examination, "BYTES_FOR_EACH_BYTE", 0)
    monkeypatch.setattr(examination, "BYTES_AT_LEAST", 0)

    assert "bytes of memory" in examine(Mutator(seed=1), 10, tmp_path)["frames"].failures[0]


@pytest.mark.parametrize("states_size", [True, False])
def test_a_bomb_of_1_gib_takes_no_more_than_its_reader_is_ready_for(states_size):
    content = bomb(1 << 30, states_size=states_size)
    tracemalloc.start()
    assert reading.compressed_reason(content) == "payload_too_large"
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most_bytes < 3 * MOST_BYTES


def test_random_bytes_in_place_of_everything_are_refused():
    noise = random.Random(3)
    for _ in range(500):
        content = noise.randbytes(noise.randrange(200))
        assert reading.frame_reason(content)
        assert reading.compressed_reason(content)
        assert reading.control_reason(content)
        assert reading.telemetry_reason(content)
