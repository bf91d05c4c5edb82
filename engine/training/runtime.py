"""Sets TensorFlow up for one process: threads, determinism, one GPU. Before its first operation.

The process may have been forked from one that imported TensorFlow and ran nothing.
"""

import ctypes
import sys

import tensorflow as tf

from engine.config import RunConfig
from engine.errors import TrainingError


def configure(config: RunConfig, *, index: int) -> None:
    """Applies what decides the bits of the result, and gives this process its GPU where there are any.

    Args:
        config: threads and whether training is compiled with XLA.
        index: of the GPU, or of this client: GPUs are handed out round-robin by it.

    Raises:
        TrainingError: TensorFlow has already started here with other settings.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(config.threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        _take_gpu(index)
        if not config.jit:  # with XLA it refuses the gradient of max-pooling; XLA repeats itself without it
            tf.config.experimental.enable_op_determinism()
    except (RuntimeError, ValueError) as error:
        raise TrainingError(f"TensorFlow cannot be set up in this process: {error}") from error


def num_gpus() -> int:
    """GPUs that TensorFlow sees on this machine."""
    return len(tf.config.list_physical_devices("GPU"))


def return_free_memory() -> None:
    """Hands freed memory back to the system; compilation leaves some 70 MB of it behind with XLA."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl does not
        if trim is not None:
            trim(0)


def _take_gpu(index: int) -> None:
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        gpu = gpus[index % len(gpus)]
        tf.config.set_visible_devices(gpu, "GPU")
        tf.config.experimental.set_memory_growth(gpu, enable=True)
