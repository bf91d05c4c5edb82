"""Where the partitions of an embedded broker really end.

Asked for the end, it names the offset after the batch that it stored last. Where two producers write at once,
one with a higher offset may have been stored before: the answer is then too low until somebody writes again.
A reader finds the rest.
"""

import time
from collections.abc import Callable, Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException

from engine.errors import BrokerUnreachable
from engine.transport.base import Place
from engine.transport.kafka_client import ClientContext, close_in_background, new_client

_SLICE_S = 0.05


def read_ends(
    context: ClientContext, reported: Mapping[Place, int], on_error: Callable[[KafkaError], None]
) -> dict[Place, int]:
    """Reads from the reported ends on until there is no more.

    Args:
        context: the cluster.
        reported: the ends as the broker reports them.
        on_error: hears every error the library reports.

    Raises:
        BrokerUnreachable: the broker falls silent meanwhile.
    """
    ends = dict(reported)
    settings = {**context.profile.consumer, "group.id": context.settings["client.id"], **context.settings}
    consumer = new_client(Consumer, {**settings, "enable.partition.eof": True, "error_cb": on_error})
    try:
        _start(consumer, context, reported)
        for place, end in _until_all_ends(consumer, context, set(reported)):
            ends[place] = max(ends[place], end)
    except KafkaException as error:
        words = error.args[0].str()
        raise BrokerUnreachable(f"no answer from the broker at {context.address}: {words}") from None
    finally:
        close_in_background(consumer.close)
    return ends


def _start(consumer: Consumer, context: ClientContext, positions: Mapping[Place, int]) -> None:
    for name in {context.name(place.topic) for place in positions}:
        consumer.list_topics(name, timeout=context.profile.ask_timeout_s)  # the leaders, at once
    consumer.assign([context.partition(place, offset) for place, offset in positions.items()])


def _until_all_ends(
    consumer: Consumer, context: ClientContext, unfinished: set[Place]
) -> Iterator[tuple[Place, int]]:
    """Each place that is read, with the offset after it, until the broker has nothing more for any."""
    deadline = time.monotonic() + context.profile.ask_timeout_s
    while unfinished:
        if time.monotonic() >= deadline:
            raise BrokerUnreachable(f"no answer from the broker at {context.address} in time")
        message = consumer.poll(_SLICE_S)
        if message is None or message.topic() is None:
            continue
        place = context.place(message.topic(), message.partition())
        if message.error() is None:
            yield place, message.offset() + 1
        elif message.error().code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 (a public name)
            unfinished.discard(place)
