"""Which clients have been in trouble since the operator last looked at them. Pure."""

from collections.abc import Iterator

from flconsole.state import ClientState, RunState


class Alerts:
    """Clients that were lost or have failed, until somebody looks at them.

    Of a client that is seen for the first time only the present counts: an old loss is history.
    """

    def __init__(self) -> None:
        self._troubles: dict[str, tuple[int, int]] = {}
        self._raised: set[str] = set()

    def follow(self, state: RunState) -> None:
        """Takes note of what has happened since the last call, however long ago that was."""
        troubles = {client: _troubles(state, client) for client in state.client_ids}
        self._raised = {
            client for client in troubles if client in self._raised or self._is_new(state, client, troubles)
        }
        self._troubles = troubles

    def look_at(self, client: str) -> None:
        """Somebody has seen this client."""
        self._raised.discard(client)

    def __contains__(self, client: str) -> bool:
        return client in self._raised

    def __iter__(self) -> Iterator[str]:
        return iter(self._raised)

    def _is_new(self, state: RunState, client: str, troubles: dict[str, tuple[int, int]]) -> bool:
        before = self._troubles.get(client)
        if before is None:
            return state.client_state(client) in (ClientState.LOST, ClientState.FAILED)
        return any(now > then for now, then in zip(troubles[client], before, strict=True))


def _troubles(state: RunState, client_id: str) -> tuple[int, int]:
    """How often a client was lost, and the number of the start that failed for good; 0 if none has."""
    client = state.clients.get(client_id)
    process = state.process_of(client_id)
    has_failed = process is not None and state.client_state(client_id) is ClientState.FAILED
    return client.losses if client else 0, process.starts if process and has_failed else 0
