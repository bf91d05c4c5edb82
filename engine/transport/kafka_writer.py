"""The producer's side of a Kafka transport."""

import logging
from collections.abc import Callable
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from engine.errors import BrokerRefused
from engine.transport.base import Delivery, Headers, Place
from engine.transport.kafka_client import ClientContext, close_in_background, new_client

log = logging.getLogger("engine.transport")


class KafkaWriter:
    """Queues records and learns what became of them.

    Args:
        context: the cluster.
        on_error: hears every error the library reports.
        on_end: hears the offset after each record that was stored.
    """

    def __init__(
        self,
        context: ClientContext,
        *,
        on_error: Callable[[KafkaError], None],
        on_end: Callable[[Place, int], None],
    ) -> None:
        self._context = context
        self._on_error = on_error
        self._on_end = on_end
        self._fatal = ""
        self._in_flight: dict[int, Delivery] = {}
        self._producer = self._new_producer()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way."""
        return not self._in_flight

    def enqueue(self, place: Place, value: bytes, headers: Headers, key: bytes | None) -> Delivery | None:
        """Hands a record to the library; None while its queue is full.

        Raises:
            BrokerRefused: the library will never send such a record.
        """
        delivery = Delivery()
        try:
            self._producer.produce(
                self._context.name(place.topic),
                value=value,
                key=key,
                partition=place.partition,
                headers=list(headers),
                on_delivery=partial(self._delivered, place, delivery),
            )
        except BufferError:
            return None
        except KafkaException as error:
            raise BrokerRefused(f"cannot write to {place.topic}: {error.args[0].str()}") from None
        self._in_flight[id(delivery)] = delivery
        return delivery

    def serve(self, timeout_s: float) -> None:
        """Fills in deliveries, for at most `timeout_s` if there are none."""
        self._producer.poll(timeout_s)
        if self._fatal:
            log.warning("the producer is rebuilt: %s", self._fatal)
            self.rebuild(self._fatal)

    def rebuild(self, reason: str) -> None:
        """Starts with an empty queue; whatever was on its way is given up, and its sender repeats it."""
        for delivery in self._in_flight.values():
            delivery.error = reason
        self._in_flight.clear()
        self._fatal = ""
        self.close()
        self._producer = self._new_producer()

    def close(self) -> None:
        """Drops what is still queued and lets go."""
        self._producer.purge()
        close_in_background(self._producer.close)

    def _delivered(
        self, place: Place, delivery: Delivery, error: KafkaError | None, message: Message
    ) -> None:
        if self._in_flight.pop(id(delivery), None) is None:
            return  # given up before
        if error is not None:
            delivery.error = error.str()
            return
        delivery.offset = message.offset()
        self._on_end(place, message.offset() + 1)

    def _note_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = error.str()
        self._on_error(error)

    def _new_producer(self) -> Producer:
        settings = {**self._context.profile.producer, **self._context.settings}
        return new_client(Producer, {**settings, "error_cb": self._note_error})
