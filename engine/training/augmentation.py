"""Random changes to training images, in the graph and from a seed: the same images in any process."""

import tensorflow as tf

from engine.data import DataSpec
from engine.errors import ConfigError

SHIFT = 4
"""Pixels by which an image is shifted at most, in each direction."""


def require_images(spec: DataSpec) -> None:
    """Makes sure that the examples can be mirrored and shifted.

    Raises:
        ConfigError: they are no images, or too small to be shifted.
    """
    if not spec.is_image:
        raise ConfigError(f"augmentation = 'flip_crop' is for images; the data are {spec}")
    if min(spec.input_shape[:2]) <= SHIFT:
        raise ConfigError(
            f"augmentation = 'flip_crop' shifts by {SHIFT} pixels; the data are {spec}, too small for that"
        )


def flip_crop(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors every second image or so, and crops each at random out of itself padded by reflection.

    Padding by 4 pixels, random crop and horizontal flip are the augmentation of He et al. 2016 (section
    4.2). Nothing is padded here: each image is gathered row by row and column by column.

    Args:
        images: (examples, height, width, channels), of any type.
        seed: two whole numbers.
    """
    shifts = 2 * SHIFT + 1
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]
    drawn = tf.random.stateless_uniform([count, 1], seed, 0, 2 * shifts**2, tf.int32, alg="philox")
    is_flipped, down, right = drawn % 2 == 1, drawn // 2 % shifts - SHIFT, drawn // (2 * shifts) - SHIFT
    columns = tf.where(is_flipped, tf.range(width)[::-1], tf.range(width))
    images = tf.gather(images, _reflect(tf.range(height) + down, height), axis=1, batch_dims=1)
    return tf.gather(images, _reflect(columns + right, width), axis=2, batch_dims=1)


def _reflect(index: tf.Tensor, size: int) -> tf.Tensor:
    """Where an index beyond either end comes to lie; the pixel at the end is not repeated."""
    last = size - 1
    return last - tf.abs(last - tf.abs(index))
