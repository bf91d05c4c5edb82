"""What a client sends back: a delta, the number of examples behind it, and how training went."""

from dataclasses import dataclass

import msgspec

from engine.core.weights import Vector
from engine.telemetry import UpdateId


class TrainingMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """How local training went. A value that was not measured is None."""

    train_loss: float | None = None
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    """Accuracy of the locally trained model on examples that this client keeps apart."""


@dataclass(frozen=True, slots=True)
class ClientUpdate:
    """One client's contribution to one round."""

    client: str
    round: int
    """The round that it was trained for: its base is the global model before that round."""
    base_digest: str
    """Digest of the global model that training started from."""
    num_examples: int
    delta: Vector
    """Local weights minus the base, in the layout's order."""
    metrics: TrainingMetrics
    repeat: int = 0
    """Updates of this client from the same base that came before it; always 0 in `sync`."""

    @property
    def id(self) -> UpdateId:
        return UpdateId(self.client, self.round, self.repeat)
