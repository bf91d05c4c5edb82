"""Where clients write, which both sides of a federation must agree on."""

import pytest

from engine.transport.base import MODEL_UPDATES, PARTITIONS, TELEMETRY, Place, place_of


@pytest.mark.parametrize(("client", "partition"), [("1", 2), ("2", 1), ("7", 0), ("gpu-1", 2)])
def test_a_client_writes_to_the_partition_that_the_specification_gives_it(
    client: str, partition: int
) -> None:
    assert place_of(MODEL_UPDATES, client) == Place(MODEL_UPDATES, partition)
    assert place_of(TELEMETRY, client) == Place(TELEMETRY, partition)


def test_clients_spread_over_all_partitions() -> None:
    places = {place_of(MODEL_UPDATES, str(client)) for client in range(50)}

    assert places == {Place(MODEL_UPDATES, number) for number in range(PARTITIONS[MODEL_UPDATES])}
