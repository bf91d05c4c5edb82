"""Writes the golden frames. Run it only for a new version of the format; the old files stay.

PYTHONPATH=. python tests/protocol/golden/make.py
"""

from pathlib import Path

import numpy as np

from engine.core.update import ClientUpdate, TrainingMetrics
from engine.core.weights import Layout, Role, Tensor, Weights
from engine.protocol.serialization import FrameMetadata, encode_frame

FOLDER = Path(__file__).parent
KEY = bytes(range(32))
# 1, -0.0, a NaN with a payload, a signalling one, infinity, the smallest, -pi, 0, the largest.
BITS = (0x3F800000, 0x80000000, 0x7FC00001, 0xFFABCDEF, 0x7F800000, 0x00000001, 0xC0490FDB, 0, 0x7F7FFFFF)

VECTOR = np.array(BITS, np.uint32).view(np.float32)
LAYOUT = Layout(
    (
        Tensor("kernel", (2, 3)),
        Tensor("scale", ()),
        Tensor("empty", (0, 4)),
        Tensor("mean", (2,), Role.STATISTIC),
    ),
    fixed_digest="ab" * 32,
)
WEIGHTS = Weights(LAYOUT, VECTOR)
UPDATE = ClientUpdate(
    client="box-7",
    round=3,
    base_digest="cd" * 32,
    num_examples=12_345,
    delta=VECTOR,
    metrics=TrainingMetrics(train_loss=0.25, train_accuracy=0.875),
)
MODEL_METADATA = FrameMetadata.of_model(LAYOUT, run="golden", round_number=2)
UPDATE_METADATA = FrameMetadata.of_update(UPDATE, LAYOUT, run="golden")
# As many values as it takes for compression to be tried and to pay.
LONG_VECTOR = np.tile(VECTOR, 64)
LONG_LAYOUT = Layout((Tensor("kernel", (64, 9)),))
LONG_METADATA = FrameMetadata.of_update(UPDATE, LONG_LAYOUT, run="golden", codec="shuffle+zstd")


def frames() -> dict[str, bytes]:
    """The golden frames by the name of their file."""
    return {
        "model.bin": encode_frame(MODEL_METADATA, VECTOR).tobytes(),
        "update.bin": encode_frame(UPDATE_METADATA, VECTOR).tobytes(),
        "keyed_update.bin": encode_frame(UPDATE_METADATA, VECTOR, key=KEY).tobytes(),
        "shuffle_zstd_update.bin": encode_frame(LONG_METADATA, LONG_VECTOR).tobytes(),
    }


if __name__ == "__main__":
    for name, frame in frames().items():
        (FOLDER / name).write_bytes(frame)
