"""Every error the engine raises, in one tree. Foreign exceptions are mapped to these at the border.

    EngineError                     exit code 1
    ├── ConfigError                 2   a key, a value or a combination that cannot be run
    ├── BrokerError                 3
    │   ├── BrokerUnreachable           nothing answers at the address
    │   ├── BrokerRefused               it answers and says no: password, right, TLS
    │   ├── BrokerLost                  it answered once and has been silent too long
    │   └── BrokerReset                 it came back as another, empty broker
    ├── DataError                   4   data missing, truncated or of the wrong shape
    ├── TooFewClients               5   no quorum can be reached any more
    ├── LayoutMismatch                  weights of another model
    ├── OutOfRange                      a number the exact sum cannot hold
    ├── RunDirectoryError               not writable, or full
    │   └── RunDirectoryBusy                held by another process
    ├── CheckpointError                 no checkpoint verifies
    ├── Overtaken                       another server has taken over the run
    ├── TrainingError                   local training failed on this host
    ├── UpdateRejected                  one update that may not enter the round
    └── ProtocolError
        ├── FrameError                  one class per way a frame can be wrong
        ├── TransferError               one class per way a transfer can be wrong
        └── MessageInvalid              a small record that is none of the messages

`EngineError.exit_code` is what a process returns when the error ends it. `ProtocolError.reason` and
`UpdateRejected.reason` are the short names that reach `dead_letter`, the events and the screen.
"""

from typing import ClassVar


class EngineError(Exception):
    """Base of all; its text is one line that says what happened, where, and what to do."""

    exit_code: ClassVar[int] = 1


class ConfigError(EngineError):
    """A key, a value or a combination that cannot be run."""

    exit_code = 2


class BrokerError(EngineError):
    """The broker does not do what the run needs."""

    exit_code = 3


class BrokerUnreachable(BrokerError):
    """Nothing answers at the address."""


class BrokerRefused(BrokerError):
    """The broker answers and says no: wrong password, missing right, TLS mismatch."""


class BrokerLost(BrokerError):
    """The broker answered once and has been silent for longer than `broker_timeout`."""


class BrokerReset(BrokerError):
    """The broker came back as another, empty one; the transport has been rebuilt, with nothing assigned."""


class DataError(EngineError):
    """Data missing, truncated or of the wrong shape; names the path and what was expected."""

    exit_code = 4


class TooFewClients(EngineError):
    """So many clients are gone for good that no round can reach its quorum."""

    exit_code = 5


class LayoutMismatch(EngineError):
    """Weights of another model; names the tensors that differ."""


class OutOfRange(EngineError):
    """A value or a weight that the exact sum cannot hold without overflow."""


class RunDirectoryError(EngineError):
    """The run directory cannot be used: not writable, full, or held by another process."""


class RunDirectoryBusy(RunDirectoryError):
    """Another process holds the run; it may be about to end."""


class CheckpointError(EngineError):
    """A checkpoint is torn, altered or of another run, and no older one verifies."""


class Overtaken(EngineError):
    """A server with a higher epoch has taken over the run; this one must stop."""


class TrainingError(EngineError):
    """Local training failed on this host."""


class UpdateRejected(EngineError):
    """One update that may not enter the round.

    Args:
        reason: one of `wrong_run`, `round_closed`, `wrong_round`, `wrong_base`, `wrong_layout`,
            `not_in_cohort`, `not_a_member`, `too_stale`, `round_full`, `not_finite`, `out_of_range`,
            `norm_too_large`, `bad_num_examples`, `duplicate`, `counted`, `left_out`.
        detail: what was expected and what came.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class ProtocolError(EngineError):
    """Bytes from outside that are not what the protocol says."""

    reason: ClassVar[str] = "protocol"


class FrameError(ProtocolError):
    """A frame that cannot be decoded."""

    reason = "bad_frame"


class FrameTruncated(FrameError):
    """Fewer bytes than the header announces, or no whole header."""

    reason = "frame_truncated"


class BadMagic(FrameError):
    """The first four bytes are not `FLW1`."""

    reason = "bad_magic"


class UnsupportedVersion(FrameError):
    """A version this software does not speak."""

    reason = "unsupported_version"


class UnknownFlags(FrameError):
    """A flag bit that this version does not define."""

    reason = "unknown_flags"


class MetadataTooLarge(FrameError):
    """Metadata longer than the limit."""

    reason = "metadata_too_large"


class PayloadTooLarge(FrameError):
    """A payload longer than the limit."""

    reason = "payload_too_large"


class TrailingBytes(FrameError):
    """More bytes than the header announces."""

    reason = "trailing_bytes"


class DigestMismatch(FrameError):
    """The digest at the end does not match the bytes before it, or the key differs."""

    reason = "digest_mismatch"


class MetadataInvalid(FrameError):
    """Metadata that is not the JSON object the specification describes."""

    reason = "metadata_invalid"


class UnknownCodec(FrameError):
    """A codec this software does not have."""

    reason = "unknown_codec"


class PayloadInvalid(FrameError):
    """A payload that its codec cannot read."""

    reason = "payload_invalid"


class PayloadSizeMismatch(FrameError):
    """A payload whose decoded size is not the layout's."""

    reason = "payload_size_mismatch"


class TransferError(ProtocolError):
    """A record that cannot belong to a transfer."""

    reason = "bad_transfer"


class TransferHeaderInvalid(TransferError):
    """A header of a transfer record is missing or malformed."""

    reason = "transfer_header_invalid"


class TransferTooLarge(TransferError):
    """A transfer larger than this run's largest frame."""

    reason = "transfer_too_large"


class ChunkSizeMismatch(TransferError):
    """A chunk whose length is not the one its place in the transfer demands."""

    reason = "chunk_size_mismatch"


class TransferConflict(TransferError):
    """Two records of one transfer that disagree about its size or owner."""

    reason = "transfer_conflict"


class TransferDigestMismatch(TransferError):
    """All chunks are there and their digest is not the transfer's id."""

    reason = "transfer_digest_mismatch"


class MessageInvalid(ProtocolError):
    """A control or telemetry record that is not one of the messages."""

    reason = "message_invalid"
