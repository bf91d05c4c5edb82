"""Mutations of what an honest client sends: damage, and lies with a digest that is right around them.

Everything is drawn from one seeded generator: the same seed gives the same input.
"""

import json
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.core.weights import Layout
from engine.protocol import messages
from engine.protocol.chunks import CHUNK_BYTES
from engine.server.intake import UPDATE_PLACES
from engine.transport.base import Record
from tests.hostile_frames.honest import (
    DELTA,
    HEADER,
    LAYOUT,
    PACKED_DELTA,
    PACKED_LAYOUT,
    RUN,
    model_frame,
    records,
    update_frame,
    with_digest,
)

_NUMBERS = (0, 1, 2, 35, 36, 37, 64, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**33, 2**53, 2**63, 2**64 - 1)
_JSON_VALUES = (
    *(str(number) for number in _NUMBERS),
    *("-1", "-0", "0.5", "1e2", "1e308", "1e999", "NaN", "-Infinity", "null", "true", "01", "9" * 400),
    *('""', '"x"', '"' + "x" * 300 + '"', '"\\u0000"', '"\\ud800"', '"\\u001b[2J"', '"\\u202e"', '"1\\n"'),
    *("[]", "{}", "[[[[]]]]", "[" * 2_000, '{"a":' * 2_000, "[0,0,0]", "[4294967295,4294967295]"),
    *('"model"', '"update"', '"none"', '"shuffle+zstd"', f'"{"ab" * 32}"', f'"{"AB" * 32}"'),
    '{"tensors":[{"name":"w","shape":[2147483648]}]}',
    '{"tensors":[{"name":"w","shape":[3,3]},{"name":"w","shape":[]}]}',
)


class Subject(NamedTuple):
    """A frame that is accepted."""

    frame: bytes
    layout: Layout
    """Of the run that accepts it."""
    vector: bytes


class MutatedFrame(NamedTuple):
    """What became of it."""

    content: bytes
    layout: Layout
    vector: bytes | None
    """The only one that it may be accepted as; None where its sender has made it say another."""


SUBJECTS = (
    Subject(update_frame(), LAYOUT, DELTA.tobytes()),
    Subject(model_frame(), LAYOUT, DELTA.tobytes()),
    Subject(update_frame(PACKED_DELTA, layout=PACKED_LAYOUT), PACKED_LAYOUT, PACKED_DELTA.tobytes()),
    Subject(
        update_frame(PACKED_DELTA, layout=PACKED_LAYOUT, codec="shuffle+zstd"),
        PACKED_LAYOUT,
        PACKED_DELTA.tobytes(),
    ),
)

MESSAGES = tuple(
    messages.encode(message)
    for message in (
        messages.EpochStarted(run=RUN, epoch=1),
        messages.Receipt(run=RUN, epoch=1, round=3, client="1", transfer="ab" * 16, verdict="held"),
        messages.JoinAnswered(run=RUN, epoch=1, client="1", session="s", part=0, parts=3),
        messages.Join(run=RUN, client="1", session="s", host="h", pid=1, part=None),
        messages.Heartbeat(run=RUN, client="1", session="s", state="training", round=3),
        messages.Leave(run=RUN, client="1", session="s", reason="told to", final=True),
    )
)


class Mutator:
    """Draws mutations.

    Args:
        seed: of its generator.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._transfers = [records(client, partition=partition) for client, partition in (("1", 0), ("2", 1))]
        self._frame_bytes = int(self._transfers[0][0].headers["size"])

    def frame(self) -> MutatedFrame:
        """A frame, damaged or lying."""
        subject = self._random.choice(SUBJECTS)
        if self._random.random() < 0.4:
            return MutatedFrame(self._damaged(subject.frame), subject.layout, subject.vector)
        head, text, payload = _cut(subject.frame)
        choice = self._random.randrange(4)
        vector: bytes | None = subject.vector
        if choice == 0:
            payload, vector = self._damaged(payload), None
        elif choice == 1:
            head = self._with_other_field(head)
        else:
            text = self._edited_json(text)
        if choice != 1:
            text += b" " * (-(HEADER.size + len(text)) % 64)
            head = HEADER.pack(b"FLW1", 1, 0, len(text), len(payload))
        return MutatedFrame(with_digest(head + text + payload), subject.layout, vector)

    def message(self) -> bytes:
        """A small record, damaged or edited."""
        message = self._random.choice(MESSAGES)
        return self._damaged(message) if self._random.random() < 0.4 else self._edited_json(message)

    def transfer(self) -> list[Record]:
        """The records of two clients: in another order, repeated, dropped, altered."""
        drawn = [record for transfer in self._transfers for record in transfer]
        for _ in range(self._random.randrange(1, 4)):
            self._random.choice(self._RECORD_MUTATIONS)(self, drawn)
        return drawn

    # --- bytes

    def _damaged(self, content: bytes) -> bytes:
        mutations = (self._flipped, self._truncated, self._overwritten, self._spliced, self._repeated)
        return self._random.choice(mutations)(content)

    def _flipped(self, content: bytes) -> bytes:
        damaged = bytearray(content)
        for _ in range(self._random.randrange(1, 9)):
            damaged[self._random.randrange(len(damaged))] ^= 1 << self._random.randrange(8)
        return bytes(damaged)

    def _truncated(self, content: bytes) -> bytes:
        return content[: self._random.randrange(len(content))]

    def _overwritten(self, content: bytes) -> bytes:
        """A number where there may be a length."""
        width = self._random.choice((1, 2, 4, 8))
        number = self._random.choice(_NUMBERS) % 256**width
        place = self._random.randrange(min(len(content), 64))
        return content[:place] + number.to_bytes(width, "little") + content[place + width :]

    def _spliced(self, content: bytes) -> bytes:
        """Begins as this one and ends as another."""
        other = self._random.choice((*(subject.frame for subject in SUBJECTS), *MESSAGES))
        return content[: self._random.randrange(len(content))] + other[self._random.randrange(len(other)) :]

    def _repeated(self, content: bytes) -> bytes:
        start, end = sorted(self._random.randrange(len(content) + 1) for _ in range(2))
        return content[:end] + content[start:end] * self._random.randrange(1, 4) + content[end:]

    def _with_other_field(self, head: bytes) -> bytes:
        fields = list(HEADER.unpack(head))
        which = self._random.randrange(1, len(fields))
        fields[which] = self._random.choice(_NUMBERS) % 256 ** (2, 2, 4, 8)[which - 1]
        return HEADER.pack(*fields)

    # --- JSON

    def _edited_json(self, text: bytes) -> bytes:
        """One field at any depth with another value, another name, twice, or gone."""
        fields = [(json.dumps(name), json.dumps(value)) for name, value in json.loads(text).items()]
        place = self._random.randrange(len(fields))
        name, value = fields[place]
        other = self._random.choice(_JSON_VALUES)
        edit = self._random.randrange(6)
        if edit == 0:
            del fields[place]
        elif edit == 1:
            fields.insert(self._random.randrange(len(fields) + 1), (name, other))
        elif edit == 2:
            fields[place] = (self._random.choice(_JSON_VALUES), value)
        elif edit == 3 and value.startswith("{") and len(value) > 2:
            fields[place] = (name, self._edited_json(value.encode()).decode(errors="replace"))
        else:
            fields[place] = (name, other)
        return ("{" + ",".join(f"{name}:{value}" for name, value in fields) + "}").encode()

    # --- records

    def _shuffle(self, drawn: list[Record]) -> None:
        self._random.shuffle(drawn)

    def _repeat(self, drawn: list[Record]) -> None:
        drawn.insert(self._random.randrange(len(drawn) + 1), self._random.choice(drawn))

    def _drop(self, drawn: list[Record]) -> None:
        drawn.pop(self._random.randrange(len(drawn)))

    def _alter_value(self, drawn: list[Record]) -> None:
        place = self._random.randrange(len(drawn))
        drawn[place] = drawn[place]._replace(value=self._damaged(drawn[place].value))

    def _flip_in_value(self, drawn: list[Record]) -> None:
        place = self._random.randrange(len(drawn))
        drawn[place] = drawn[place]._replace(value=self._flipped(drawn[place].value))

    def _alter_header(self, drawn: list[Record]) -> None:
        place = self._random.randrange(len(drawn))
        headers = dict(drawn[place].headers)
        name = self._random.choice(list(headers))
        others = (*(b"%d" % number for number in _NUMBERS), b"", b"\xff", b"model", b"2", b"none")
        headers[name] = self._random.choice((*others, self._damaged(headers[name] or b"0")))
        drawn[place] = drawn[place]._replace(headers=headers)

    def _claim_size(self, drawn: list[Record]) -> None:
        """Another size in every record, and the count that belongs to it."""
        size = self._random.choice((*_NUMBERS, self._frame_bytes + 1))
        lie = {"size": b"%d" % size, "count": b"%d" % -(-size // CHUNK_BYTES)}
        drawn[:] = [record._replace(headers={**record.headers, **lie}) for record in drawn]

    def _exchange_values(self, drawn: list[Record]) -> None:
        one, other = (self._random.randrange(len(drawn)) for _ in range(2))
        drawn[one], drawn[other] = (
            drawn[one]._replace(value=drawn[other].value),
            drawn[other]._replace(value=drawn[one].value),
        )

    def _move(self, drawn: list[Record]) -> None:
        place = self._random.randrange(len(drawn))
        drawn[place] = drawn[place]._replace(place=self._random.choice(UPDATE_PLACES))

    _RECORD_MUTATIONS: Sequence[Callable[["Mutator", list[Record]], None]] = (
        _shuffle,
        _repeat,
        _drop,
        _alter_value,
        _flip_in_value,
        _alter_header,
        _claim_size,
        _exchange_values,
        _move,
    )


def _cut(frame: bytes) -> tuple[bytes, bytes, bytes]:
    """The parts of a frame without its digest: header, JSON, payload."""
    start = HEADER.size + HEADER.unpack(frame[: HEADER.size])[3]
    return frame[: HEADER.size], frame[HEADER.size : start].rstrip(b" "), frame[start:-32]
