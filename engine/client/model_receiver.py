"""The newest global model: `control` says which transfer it is, `global_model` brings its chunks."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from blake3 import blake3

from engine.core.weights import Weights
from engine.errors import ConfigError, DigestMismatch, ProtocolError
from engine.logger import get_client_logger
from engine.protocol.chunks import Assembler, CompleteTransfer
from engine.protocol.messages import ModelPublished
from engine.protocol.serialization import MAX_PAYLOAD_BYTES, Bytes, max_frame_bytes, parse_frame
from engine.spill import file_allocator
from engine.transport.base import Record

_STUCK_S = 5.0


class ModelReceiver:
    """Holds the newest global model.

    Before the first model no frame is taken that is larger than the server's manifests name, and none before
    the first of them; after it, none that is larger than one of that layout can be.

    Args:
        client: this client's id.
        run: the run whose models are taken.
        clock: monotonic seconds.
        key: of the frames; None for none.
    """

    def __init__(
        self, client: str, run: str, clock: Callable[[], float], *, key: bytes | None = None
    ) -> None:
        self._run, self._clock, self._key = run, clock, key
        self._log = get_client_logger(client)
        self._assembler = Assembler(0, spill=file_allocator(Path(tempfile.gettempdir())))
        self._unverified = b""
        """Digest of the whole frame that could not be verified last."""
        self._manifest: ModelPublished | None = None
        self._whole: CompleteTransfer | None = None
        self._progress_at = clock()
        self.weights: Weights | None = None
        self.digest = ""

    @property
    def wanted(self) -> str:
        """Digest of the model that the newest manifest names; empty before there is one."""
        return self._manifest.digest if self._manifest is not None else ""

    @property
    def is_waiting(self) -> bool:
        """Whether a manifest has come whose model has not."""
        return self._manifest is not None and self._manifest.digest != self.digest

    def is_stuck(self) -> bool:
        """Whether the model of the manifest has not got on for some seconds: its records may be gone."""
        if not self.is_waiting or self._clock() - self._progress_at < _STUCK_S:
            return False
        self._progress_at = self._clock()
        return True

    def start_over(self) -> None:
        """Forgets what was under way; the model that is whole is kept."""
        self._assembler.clear()
        self._manifest = self._whole = None

    def note_manifest(self, manifest: ModelPublished) -> None:
        """Says which model is the current one."""
        self._manifest, self._progress_at = manifest, self._clock()
        self._expect_frames_of(min(manifest.size, MAX_PAYLOAD_BYTES))
        self._adopt()

    def take(self, record: Record) -> None:
        """Takes one record of `global_model`.

        Raises:
            ConfigError: the server's models are made with another key.
        """
        if record.headers.get("run") != self._run.encode():
            return
        self._progress_at = self._clock()
        try:
            whole = self._assembler.add(
                record.headers, record.value, record.place, record.offset, self._clock()
            )
        except ProtocolError as error:
            self._log.warning("a record of global_model is refused: %s", error)
            return
        if whole is not None:
            self._whole = whole
            self._adopt()

    def _adopt(self) -> None:
        """Takes over the model once both its manifest and its frame are there."""
        if not self.is_waiting or self._manifest is None or self._whole is None:
            return
        if self._whole.header.transfer != self._manifest.transfer:
            return
        whole, self._whole = self._whole, None
        try:
            weights = parse_frame(whole.frame, key=self._key).weights()
        except ProtocolError as error:
            self._assembler.forget(whole.header.transfer)
            self._log.warning("the model of round %d is refused: %s", self._manifest.round, error)
            if isinstance(error, DigestMismatch):
                self._suspect_key(whole.frame)
            return
        self.weights, self.digest = weights, self._manifest.digest
        self._expect_frames_of(max_frame_bytes(weights.layout))

    def _expect_frames_of(self, size: int) -> None:
        self._assembler.max_frame_bytes = max(self._assembler.max_frame_bytes, size)

    def _suspect_key(self, frame: Bytes) -> None:
        """Two copies that are alike were not damaged on their way: they were made with another key."""
        content = blake3(frame.data).digest()
        if content == self._unverified:
            remedy = "frame_key_file must be a copy of the server's, and left out where the server has none"
            ours = "no key" if self._key is None else "another key"
            raise ConfigError(f"the server's model cannot be verified: this client has {ours}; {remedy}")
        self._unverified = content
