"""Local training. TensorFlow is imported in this room alone."""
