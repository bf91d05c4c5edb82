"""Bytes to messages and back, without a socket in sight. `docs/protocol.md` is the specification."""
