"""Bytes to messages and back, without a socket in sight. `docs/protocol.md` is the specification.

`serialization` is the frame, `chunks` the transfer of a frame, `messages` everything small.
"""

MAX_RECORD_BYTES = 900_000
"""The largest value of a record: it fits every default limit of every Kafka."""
