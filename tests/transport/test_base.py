"""Where clients write and what topics are called, which both sides of a federation must agree on."""

import pytest

from engine.errors import ConfigError
from engine.transport.base import (
    CONTROL,
    GLOBAL_MODEL,
    MODEL_UPDATES,
    PARTITIONS,
    TELEMETRY,
    Place,
    TopicNames,
    place_of,
)


@pytest.mark.parametrize(("client", "partition"), [("1", 2), ("2", 1), ("7", 0), ("gpu-1", 2)])
def test_a_client_writes_to_the_partition_that_the_specification_gives_it(
    client: str, partition: int
) -> None:
    assert place_of(MODEL_UPDATES, client) == Place(MODEL_UPDATES, partition)
    assert place_of(TELEMETRY, client) == Place(TELEMETRY, partition)


def test_clients_spread_over_all_partitions() -> None:
    places = {place_of(MODEL_UPDATES, str(client)) for client in range(50)}

    assert places == {Place(MODEL_UPDATES, number) for number in range(PARTITIONS[MODEL_UPDATES])}


def test_a_topic_is_called_by_its_own_name_behind_the_prefix_or_as_it_is_told() -> None:
    names = TopicNames("run.", {GLOBAL_MODEL: "models"})

    assert {topic: names.name(topic) for topic in (GLOBAL_MODEL, CONTROL)} == {
        GLOBAL_MODEL: "models",
        CONTROL: "run.control",
    }
    assert [names.topic(names.name(topic)) for topic in PARTITIONS] == list(PARTITIONS)


@pytest.mark.parametrize("name", ["", "two words", "a/b", "..", "x" * 250])
def test_a_name_that_kafka_does_not_take_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is no name for a topic"):
        TopicNames(chosen={GLOBAL_MODEL: name})


def test_two_topics_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="the name of two topics"):
        TopicNames(chosen={GLOBAL_MODEL: "control"})
