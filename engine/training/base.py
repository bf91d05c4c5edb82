"""What the client and the server ask of a training library."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from engine.core.update import TrainingMetrics
from engine.core.weights import Layout, Vector, Weights

ModelFunction = Callable[[tuple[int, ...], int], Any]
"""`model(input_shape, classes)`: a Keras model that emits logits and is not compiled."""


class LocalResult(NamedTuple):
    """The outcome of one local training, beside the delta."""

    num_examples: int
    metrics: TrainingMetrics


class Evaluation(NamedTuple):
    """Quality of a model on held-out examples."""

    loss: float
    accuracy: float
    num_examples: int


class Trainer(Protocol):
    """Local training of one client on its own part of the data."""

    @property
    def layout(self) -> Layout: ...

    @property
    def num_examples(self) -> int:
        """Training examples in this client's part."""
        ...

    def train(
        self, base: Vector, *, client: str, round_number: int, delta: Vector, repeat: int = 0
    ) -> LocalResult:
        """Trains from `base` and writes local weights minus `base` into `delta`, both of `layout.size`.

        All randomness comes from (seed, client, round_number, repeat): the same call gives the same bits in
        any process on a machine. The optimizer is fresh at each call. `repeat` counts the trainings from the
        same base before this one.

        Raises:
            TrainingError: the training library failed (out of memory, a layer that raises).
        """
        ...


class Evaluator(Protocol):
    """The server's side of a training library: the initial model and held-out evaluation."""

    def examples_by_part(self) -> Mapping[int, int]:
        """Training examples in each part of the data."""
        ...

    def initial_weights(self) -> Weights:
        """The model before round 1, a function of the seed alone."""
        ...

    def evaluate(self, vector: Vector) -> Evaluation | None:
        """Quality on the server's held-out examples; None where there are none (null trainer)."""
        ...

    def save_model(self, vector: Vector, path: str) -> bool:
        """Writes the model as `.keras`; False where the trainer has no such form (null trainer)."""
        ...
