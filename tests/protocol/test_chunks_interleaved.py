"""A network of clients, in any interleaving: what is whole and intact arrives, once, within the budget."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from engine import errors
from engine.core.update import ClientUpdate, TrainingMetrics
from engine.core.weights import Layout, Tensor
from engine.protocol.chunks import MAX_OPEN_TRANSFERS_PER_CLIENT, Assembler, TransferHeader, split
from engine.protocol.serialization import FrameMetadata, encode_frame, parse_frame

LAYOUT = Layout((Tensor("w", (500_000,)),))
EXPIRY_S = 50.0
PLACES = {"a": ("model_updates", 0), "b": ("model_updates", 1), "c": ("model_updates", 1)}


def a_transfer(client, round_number, seed):
    """Header, frame and the three records of an update."""
    delta = np.random.default_rng(seed).standard_normal(LAYOUT.size).astype(np.float32)
    update = ClientUpdate(client, round_number, "00" * 32, 10, delta, TrainingMetrics())
    frame = encode_frame(FrameMetadata.of_update(update, LAYOUT, run="run"), delta)
    header = TransferHeader.of_frame(frame, epoch=1)
    return header, frame.tobytes(), list(split(frame, header))


TRANSFERS = {
    (client, round_number, seed): a_transfer(client, round_number, seed)
    for client in PLACES
    for round_number in (1, 2, 3)
    for seed in (0, 1)
}
FRAMES = {header.transfer: frame for header, frame, _ in TRANSFERS.values()}
FRAME_BYTES = max(len(frame) for frame in FRAMES.values())
BUDGET_BYTES = 3 * FRAME_BYTES
"""Three clients may have six transfers open: the others are spilled."""


@dataclass
class Unfinished:
    """What the specification knows of an open transfer."""

    header: TransferHeader
    first: int
    progress: float
    is_spilled: bool
    seen: set[int] = field(default_factory=set)
    is_altered: bool = False
    has_another_end: bool = False


class Network(RuleBasedStateMachine):
    """Clients send; the network shuffles, repeats, drops and alters. Beside it the specification, as sets."""

    sent = Bundle("sent")

    def __init__(self):
        super().__init__()
        self.spilled = 0
        self.assembler = Assembler(FRAME_BYTES, BUDGET_BYTES, EXPIRY_S, spill=self.spill)
        self.open = {}
        self.finished = set()
        self.now, self.offset = 0.0, 0

    def spill(self, size):
        self.spilled += 1
        return np.empty(size, np.uint8)

    # --- what happens

    @rule(target=sent, which=st.sampled_from(sorted(TRANSFERS)))
    def a_client_sends(self, which):
        header, _, records = TRANSFERS[which]
        return multiple(*((header, seq, record) for seq, record in enumerate(records)))

    @rule(item=sent)
    def a_record_comes(self, item):
        self.deliver(*item)

    @rule(items=st.lists(sent, max_size=6))
    def records_come_in_another_order(self, items):
        for item in items:
            self.deliver(*item)

    @rule(item=sent)
    def a_record_comes_with_one_bit_altered(self, item):
        header, seq, record = item
        self.deliver(header, seq, flipped(record, len(record.value) // 2), is_altered=True)

    @rule(which=st.sampled_from(sorted(TRANSFERS)))
    def a_last_record_comes_with_another_digest(self, which):
        header, _, records = TRANSFERS[which]
        self.deliver(header, header.count - 1, flipped(records[-1], -32), has_another_end=True)

    @rule(item=sent)
    def a_record_comes_cut_short(self, item):
        header, _, record = item
        with pytest.raises(errors.ChunkSizeMismatch):
            self.add(header, record._replace(value=record.value[:-1]))

    @rule(item=sent, name=st.sampled_from(["run", "round", "codec"]))
    def a_record_contradicts_its_transfer(self, item, name):
        header, _, record = item
        lie = record._replace(headers=[*record.headers, (name, b"9")])
        if header.transfer in self.open:
            with pytest.raises(errors.TransferConflict):
                self.add(header, lie)
        elif header.transfer in self.finished:
            assert self.add(header, lie) is None

    @rule(item=sent)
    def a_record_comes_from_another_partition(self, item):
        header, _, record = item
        if header.transfer in self.open:
            with pytest.raises(errors.TransferConflict):
                self.add(header, record, place=("model_updates", 2))

    @rule(seconds=st.sampled_from([1.0, EXPIRY_S - 1, EXPIRY_S]))
    def time_passes(self, seconds):
        self.now += seconds
        expired = {header.transfer for header in self.assembler.expire(self.now)}
        assert expired == {t for t, one in self.open.items() if self.now - one.progress >= EXPIRY_S}
        for transfer in expired:
            del self.open[transfer]

    @rule(which=st.sampled_from(sorted(TRANSFERS)))
    def a_transfer_is_forgotten(self, which):
        header, _, _ = TRANSFERS[which]
        self.assembler.forget(header.transfer)
        self.finished.discard(header.transfer)

    @rule()
    def the_broker_comes_back_empty(self):
        self.assembler.clear()
        self.open.clear()
        self.finished.clear()

    # --- what holds at any time

    @invariant()
    def open_transfers_stay_within_the_budget(self):
        in_memory = [one.header.size for one in self.open.values() if not one.is_spilled]
        assert self.assembler.open_bytes == sum(in_memory) <= BUDGET_BYTES

    @invariant()
    def reading_again_from_the_first_offsets_misses_no_record_of_an_open_transfer(self):
        lowest = {}
        for one in self.open.values():
            place = PLACES[one.header.client]
            lowest[place] = min(one.first, lowest.get(place, one.first))
        assert self.assembler.first_offsets() == lowest

    @invariant()
    def what_is_finished_is_known_and_nothing_else(self):
        assert {transfer for transfer in FRAMES if self.assembler.has_finished(transfer)} == self.finished

    # --- one record

    def add(self, header, record, place=None):
        self.offset += 1
        where = place or PLACES[header.client]
        return self.assembler.add(dict(record.headers), record.value, where, self.offset, self.now)

    def deliver(self, header, seq, record, *, is_altered=False, has_another_end=False):
        done = self.expect(header, seq, is_altered=is_altered, has_another_end=has_another_end)
        if done is not None and done.has_another_end:
            with pytest.raises(errors.TransferDigestMismatch):
                self.add(header, record)
            return
        complete = self.add(header, record)
        assert (complete is not None) == (done is not None)
        if complete is None:
            return
        assert (complete.header, complete.first_offset) == (header, done.first)
        assert header.transfer not in self.finished
        if done.is_altered:
            with pytest.raises(errors.DigestMismatch):
                parse_frame(complete.frame)
            self.assembler.forget(header.transfer)
        else:
            assert complete.frame.tobytes() == FRAMES[header.transfer]
            self.finished.add(header.transfer)

    def expect(self, header, seq, *, is_altered, has_another_end):
        """The specification: the transfer that this record completes; None if it completes none."""
        if header.transfer in self.finished:
            return None
        if header.transfer not in self.open:
            self.make_room(header)
            in_memory = sum(one.header.size for one in self.open.values() if not one.is_spilled)
            is_spilled = in_memory + header.size > BUDGET_BYTES
            self.open[header.transfer] = Unfinished(header, self.offset + 1, self.now, is_spilled)
        one = self.open[header.transfer]
        if seq not in one.seen:
            one.seen.add(seq)
            one.progress = self.now
            one.is_altered |= is_altered
            one.has_another_end |= has_another_end
        return self.open.pop(header.transfer) if len(one.seen) == header.count else None

    def make_room(self, header):
        siblings = [t for t, one in self.open.items() if one.header.client == header.client]
        same_round = [t for t in siblings if self.open[t].header.round == header.round]
        others = [t for t in siblings if t not in same_round]
        oldest = others[:1] if len(others) == MAX_OPEN_TRANSFERS_PER_CLIENT else []
        for evicted in same_round + oldest:
            del self.open[evicted]


def flipped(record, place):
    value = bytearray(record.value)
    value[place] ^= 1
    return record._replace(value=bytes(value))


Network.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestNetwork = Network.TestCase


def test_the_budget_of_this_network_is_exceeded():
    """Or spilling would not be tested."""
    network = Network()
    for client in PLACES:
        for round_number in (1, 2):
            header, _, records = TRANSFERS[client, round_number, 0]
            network.deliver(header, 0, records[0])

    network.open_transfers_stay_within_the_budget()
    assert (len(network.open), network.spilled) == (6, 3)
