"""What is told of a round and of an update, in numbers. Pure."""

from engine import telemetry
from engine.core.projection import cosines
from engine.core.update import ClientUpdate
from engine.server.checkpoint import RoundSummary
from engine.server.intake import Arrival
from engine.server.round import Contribution, Round


def contribution(arrival: Arrival, update: ClientUpdate, *, at: float, scale: float) -> Contribution:
    """What is remembered of an update that is held.

    Args:
        arrival: as it came.
        update: what is in it.
        at: when it was accepted: monotonic seconds.
        scale: what its delta is multiplied by.
    """
    return Contribution(
        transfer=arrival.header.transfer,
        num_examples=update.num_examples,
        metrics=update.metrics,
        num_bytes=arrival.num_bytes,
        codec=arrival.frame.metadata.codec,
        accepted_at=at,
        scale=scale,
        train_s=arrival.train_s,
    )


def accepted(
    update: ClientUpdate, contribution: Contribution, norm: float, current: Round
) -> telemetry.UpdateAccepted:
    """The event of an update that has entered the sum.

    Args:
        update: as it came.
        contribution: what is remembered of it.
        norm: L2 norm of its delta.
        current: the round that it has entered.
    """
    staleness = current.number - update.round
    is_timed_here = not (current.resumed or staleness or update.repeat)  # the training began with the round
    elapsed = contribution.accepted_at - current.opened_at if is_timed_here else None
    is_known = elapsed is not None and contribution.train_s is not None
    return telemetry.UpdateAccepted(
        client=update.client,
        round=current.number,
        examples=update.num_examples,
        loss=update.metrics.train_loss,
        accuracy=update.metrics.train_accuracy,
        test_accuracy=update.metrics.test_accuracy,
        train_s=contribution.train_s,
        transfer_s=max(0.0, (elapsed or 0.0) - (contribution.train_s or 0.0)) if is_known else None,
        bytes=contribution.num_bytes,
        norm=norm,
        codec=contribution.codec,
        staleness=staleness,
        repeat=update.repeat,
        scale=contribution.scale,
    )


def summarise(current: Round, *, now: float, aggregation_s: float, bytes_down: int) -> RoundSummary:
    """What is known of a round that has just been aggregated.

    The parts of its time are those of the update that came last: its training, its way there and back, and
    the wait until the round could close.

    Args:
        current: the round.
        now: monotonic seconds, at the new model's digest.
        aggregation_s: seconds of the strategy's step.
        bytes_down: of the models that its clients said they had received.
    """
    which, last = max(current.contributions.items(), key=lambda item: item[1].accepted_at)
    parts = {"aggregation": aggregation_s, "waiting": max(0.0, now - aggregation_s - last.accepted_at)}
    if last.train_s is not None and which.round == current.number and not which.repeat:
        parts["training"] = last.train_s
        parts["transfer"] = max(0.0, last.accepted_at - current.opened_at - last.train_s)
    compared = [client for client in current.cohort if client in current.sketches]
    return RoundSummary(
        updates=len(current.contributions),
        examples=current.num_examples,
        bytes_up=sum(c.num_bytes for c in current.contributions.values()),
        bytes_down=bytes_down,
        seconds=None if current.resumed else now - current.opened_at,
        parts={} if current.resumed else parts,
        similarity=cosines([current.sketches[client] for client in compared]) if compared else None,
        similarity_clients=compared,
    )
