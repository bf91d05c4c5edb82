"""What happens in a made-up run, moment by moment: the same story for the same `Story`, on any machine.

Learning curves, times and memory are invented, plausibly. Each incident that an operator can meet comes once.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator

from benchmarks import _inventions as invent
from benchmarks._scribe import HOST, Moment, Scribe, Story
from engine import telemetry as t

_PARAMETERS = 62_006
_EXAMPLES = 1_437
"""Of all parts together."""
_BYTES_PER_UPDATE = 248_440
_NO_GPU = "INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)"

_TRACEBACK = """\
Traceback (most recent call last):
  File "<frozen runpy>", line 198, in _run_module_as_main
  File "<frozen runpy>", line 88, in _run_code
  File "engine/client/__main__.py", line 52, in _take_part
    get_client_logger(client_id).info("the run is over: %s", client.start())
  File "engine/client/federated_client.py", line 356, in _take_trained
    raise trained.error
  File "engine/client/trainer_thread.py", line 71, in _train
    result = trainer.train(task.base.vector, client=self._client, round_number=task.round, delta=delta)
MemoryError: cannot allocate 412 MiB for a batch of 32 images"""
_LAST_WORDS = _TRACEBACK.splitlines()[-1]


def tell(story: Story) -> Iterator[Moment]:
    """The run in the order of time."""
    return _Teller(story).tell()


class _Teller(Scribe):
    def __init__(self, story: Story) -> None:
        super().__init__(story)
        self.members: list[str] = []
        self.quorum: int | None = None
        self.deadline_s: float | None = None
        self.digest = invent.digest(self.random)
        self.opened_at = self.now
        self.train_s: dict[str, float] = {}
        """How long each client trains in the open round."""
        self.updates: Counter[str] = Counter()
        self.finishing: list[Moment] = []
        ids = [str(number) for number in range(1, story.clients + 1)]
        self.talent = {client: self.random.uniform(-0.06, 0.03) for client in ids}
        self.slowness = {client: self.random.uniform(0.55, 0.80) for client in ids}
        self.incidents = self._plan_incidents()

    def tell(self) -> Iterator[Moment]:
        yield from _in_order(self._begin())
        for number in range(1, self.story.rounds_played + 1):
            yield from _in_order(self._play_round(number))
        yield from _in_order(self._end() if self.story.ended else self._leave_open())

    # --- the beginning

    def _begin(self) -> list[Moment]:
        story = self.story
        started = t.RunStarted(
            pid=self.pids["supervisor"],
            run_dir=f"runs/{story.run}",
            resumed=False,
            clients=story.clients - 1,
            rounds=story.rounds,
            model="lenet",
            dataset=story.dataset,
            stand_in=story.stand_in,
            mode="sync",
        )
        moments = [Moment(self.now, "processes", started)]
        moments += self.start("broker", after=0.01) + self.start("nursery", after=0.08)
        moments += self.start("server", after=3.5)
        self.now += 4.2
        led = t.ServerStarted(epoch=1, round=0, model_digest=self.digest, parameters=_PARAMETERS)
        moments += self.event(led)
        for number in range(1, story.clients):
            moments += self.start(f"client-{number}", after=-0.6 + 0.02 * number)
            moments += self._join(str(number), after=0.1 + 0.02 * number)
        self.now += 0.2 + 0.02 * story.clients
        return moments

    def _join(self, client: str, after: float = 0.0) -> list[Moment]:
        """A client is admitted; the log has a line of TensorFlow's as well, in TensorFlow's own form."""
        part = int(client) - 1
        self.members.append(client)
        joined = t.ClientJoined(
            client=client,
            host=HOST,
            pid=self.pids[f"client-{client}"],
            part=part,
            examples=self._examples(client),
        )
        words = f"joined, with part {part} of {self.story.clients}"
        foreign = (
            f"E0000 00:00:{self.now:.6f}   {joined.pid} cuda_platform.cc:52] failed call to cuInit: {_NO_GPU}"
        )
        return [
            *self.event(joined, after),
            *self.log(f"client-{client}", words, after),
            Moment(self.now + after, f"client-{client}", foreign),
        ]

    # --- one round

    def _play_round(self, number: int) -> list[Moment]:
        begin = self.now
        moments = self.incidents.get(number, list)()
        cohort = tuple(self.members)
        moments += self._open(number, cohort) + self._finish_round_before()
        for client, train_s in self.train_s.items():
            moments += self._train(client, number, train_s)
        slowest = max(self.train_s.values())
        self.now += slowest + 0.08
        self.digest = invent.digest(self.random)
        closed = t.RoundClosed(round=number, updates=len(cohort), digest=self.digest)
        moments += self.event(closed, logged=self._is_logged(number))
        self.finishing = self._finished(number, cohort, slowest)
        self.now += 0.01
        moments += self._samples(number, begin, self.now)
        self.updates.update(cohort)
        return moments

    def _open(self, number: int, cohort: tuple[str, ...]) -> list[Moment]:
        self.opened_at = self.now
        self.train_s = {client: self._train_s(client) for client in cohort}
        opened = t.RoundOpened(
            round=number,
            cohort=list(cohort),
            quorum=min(self.quorum or len(cohort), len(cohort)),
            deadline_s=self.deadline_s,
            base=self.digest,
        )
        return self.event(opened, logged=self._is_logged(number))

    def _examples(self, client: str) -> int:
        return _EXAMPLES // self.story.clients + int(client) % 2

    def _train_s(self, client: str) -> float:
        return round(self.story.round_s * self.slowness[client] * self.random.uniform(0.95, 1.2), 6)

    def _is_logged(self, number: int) -> bool:
        return number > self.story.rounds_played - self.story.logged_rounds

    def _progress(self, number: int) -> float:
        return number / self.story.rounds

    def _train(self, client: str, number: int, train_s: float) -> list[Moment]:
        """A client's training and its update's arrival."""
        loss, accuracy = invent.learnt(self.random, self._progress(number), self.talent[client])
        transfer_s = self.random.uniform(0.02, 0.07)
        accepted = t.UpdateAccepted(
            client=client,
            round=number,
            examples=self._examples(client),
            loss=loss,
            accuracy=accuracy,
            test_accuracy=None,
            train_s=train_s,
            transfer_s=transfer_s,
            bytes=_BYTES_PER_UPDATE,
            norm=round(4.0 / math.sqrt(number) + 0.3, 4),
        )
        moments = self.event(accepted, train_s + transfer_s, logged=self._is_logged(number))
        if self._is_logged(number):
            words = f"round {number}: trained in {train_s:.2f} s, loss {loss:.4f}, accuracy {accuracy:.4f}"
            moments += self.log(f"client-{client}", words, train_s)
        return moments

    def _finished(self, number: int, cohort: tuple[str, ...], training_s: float) -> list[Moment]:
        """`round_finished`: the evaluation goes on beside the next round's beginning."""
        loss, accuracy = invent.learnt(self.random, self._progress(number), 0.02)
        similarity = invent.similarity(self.random, cohort, self._progress(number))
        parts = {
            "waiting": round(self.random.uniform(0.0002, 0.0008), 6),
            "training": training_s,
            "transfer": round(self.random.uniform(0.02, 0.07), 6),
            "aggregation": round(self.random.uniform(0.0001, 0.0004), 6),
            "publishing": round(self.random.uniform(0.002, 0.006), 6),
            "evaluation": round(self.random.uniform(0.2, 0.3), 6),
        }
        finished = t.RoundFinished(
            round=number,
            updates=len(cohort),
            examples=sum(map(self._examples, cohort)),
            accuracy=accuracy,
            loss=loss,
            digest=self.digest,
            seconds=round(training_s + 0.08, 6),
            parts=parts,
            bytes_up=_BYTES_PER_UPDATE * len(cohort),
            bytes_down=_BYTES_PER_UPDATE * len(cohort) + 1_280,
            similarity=similarity,
            similarity_clients=[] if similarity is None else list(cohort),
        )
        return self.event(finished, parts["evaluation"], logged=self._is_logged(number))

    def _finish_round_before(self) -> list[Moment]:
        moments, self.finishing = self.finishing, []
        return moments

    # --- incidents

    def _plan_incidents(self) -> dict[int, Callable[[], list[Moment]]]:
        """What happens before which round."""
        plan = {
            0.12: self._client_is_added,
            0.24: self._client_is_lost_for_a_while,
            0.36: self._update_is_damaged,
            0.44: self._rules_are_changed,
            0.52: self._client_crashes,
            0.64: self._broker_is_recycled,
            0.72: self._federation_is_paused,
            0.84: self._client_is_killed,
        }
        last = self.story.rounds_played
        return {math.ceil(share * last): incident for share, incident in plan.items()}

    def _client_is_added(self) -> list[Moment]:
        client = str(self.story.clients)
        moments = self.command(
            "add-client", {"count": 1, "part": None, "gpu": None}, f"started client {client}"
        )
        moments += self.start(f"client-{client}", after=0.02)
        self.now += 0.9
        return moments + self._join(client)

    def _client_is_lost_for_a_while(self) -> list[Moment]:
        moments = self.event(t.ClientLost(client="2", reason="silent for 15 s"), 15.0)
        moments += self.event(t.ClientBack(client="2", away_s=6.31), 21.31)
        self.now += 22.0
        return moments

    def _update_is_damaged(self) -> list[Moment]:
        rejected = t.UpdateRejected(
            client="3",
            round=math.ceil(0.36 * self.story.rounds_played),
            reason="transfer_digest_mismatch",
            detail="the bytes that came are not those that were sent",
            topic="model_updates",
            partition=1,
            offset=412,
        )
        return self.event(rejected, 0.5)

    def _rules_are_changed(self) -> list[Moment]:
        self.quorum, self.deadline_s = self.story.clients - 2, 30.0
        arguments = {"quorum": self.quorum, "deadline_s": self.deadline_s}
        return self.command("set", arguments, f"from now on: quorum {self.quorum}, deadline_s 30.0")

    def _client_crashes(self) -> list[Moment]:
        name, reason = "client-5", f"exit code 1: {_LAST_WORDS}"
        moments = [Moment(self.now, name, _TRACEBACK)]
        moments += self.exit(name, code=1, will_restart=True, reason=reason, after=0.05)
        moments += self.event(t.ClientLost(client="5", reason=reason), 0.06)
        moments += self.start(name, after=0.1)
        moments += self.log(name, f"joined, with part 4 of {self.story.clients}", 1.4)
        moments += self.event(t.ClientBack(client="5", away_s=1.352), 1.41)
        self.now += 1.5
        return moments

    def _broker_is_recycled(self) -> list[Moment]:
        reason = "3004 records in model_updates-2"
        moments = self.event(t.BrokerRecycled(reason=reason))
        moments += self.exit("broker", signal="SIGKILL", will_restart=True, reason=f"recycled: {reason}")
        moments += self.start("broker", after=0.03)
        moments += self.event(t.BrokerBack(away_s=0.412, reset=True), 0.42)
        self.now += 0.5
        return moments

    def _federation_is_paused(self) -> list[Moment]:
        moments = self.command("pause", {}, "no other round is opened until the federation is unpaused")
        moments += self.event(t.FederationPaused(), 0.01)
        self.now += 12.0
        moments += self.command("unpause", {}, "the federation goes on")
        return moments + self.event(t.FederationResumed(), 0.01)

    def _client_is_killed(self) -> list[Moment]:
        moments = self.command("kill-client", {"client": "4", "hard": True}, "client 4 is being killed")
        moments += self.exit(
            "client-4", signal="SIGKILL", will_restart=False, reason=t.KILLED_BY_OPERATOR, after=0.02
        )
        moments += self.event(t.ClientLeft(client="4", reason=t.KILLED_BY_OPERATOR), 0.03)
        self.members.remove("4")
        self.now += 0.1
        return moments

    # --- the end

    def _leave_open(self) -> list[Moment]:
        """The last round has half of its updates."""
        number, cohort = self.story.rounds_played + 1, tuple(self.members)
        moments = self._open(number, cohort) + self._finish_round_before()
        until = self.now + 0.66 * self.story.round_s
        for client, train_s in self.train_s.items():
            moments += [m for m in self._train(client, number, train_s) if m.ts <= until]
        return moments + self._samples(number, self.now, until)

    def _end(self) -> list[Moment]:
        story, is_done = self.story, self.story.rounds_played >= self.story.rounds
        moments = self._finish_round_before()
        finished = next(m.content for m in moments if isinstance(m.content, t.RoundFinished))
        reason = f"all {story.rounds} rounds are done" if is_done else "stopped by the operator"
        if is_done:
            moments += self.event(t.FederationEnded(reason=reason), 0.3)
        for name in [name for name in self.pids if name != "supervisor"]:
            moments += self.exit(name, code=0, will_restart=False, reason=t.STOPPED_WITH_RUN, after=0.5)
        kind = t.RunFinished if is_done else t.RunStopped
        ended = kind(
            rounds=finished.round,
            accuracy=finished.accuracy,
            loss=finished.loss,
            digest=finished.digest,
            seconds=round(self.now + 0.6 - story.started_at, 3),
            run_dir=f"runs/{story.run}",
            reason=reason,
            exit_code=0 if is_done else 143,
        )
        return [*moments, Moment(self.now + 0.6, "processes", ended)]

    def _samples(self, number: int, begin: float, end: float) -> list[Moment]:
        """One a second, in the last rounds."""
        if (self.story.rounds_played - number) * self.story.round_s > self.story.sampled_s:
            return []
        return [
            Moment(ts, "samples", self._sample(number, ts)) for ts in range(math.ceil(begin), math.ceil(end))
        ]

    def _sample(self, number: int, ts: float) -> t.Sample:
        age_s = ts - self.story.started_at
        return t.Sample(
            processes={name: invent.process_sample(self.random, name, age_s) for name in sorted(self.pids)},
            clients={client: self._client_sample(client, number, ts) for client in self.members},
            disk_free_bytes=212 * 2**30,
        )

    def _client_sample(self, client: str, number: int, ts: float) -> t.ClientSample:
        is_training = 0.0 <= ts - self.opened_at < self.train_s.get(client, 0.0)
        sent = _BYTES_PER_UPDATE * self.updates[client]
        return t.ClientSample(
            state="training" if is_training else "idle",
            round=number,
            bytes_up=sent,
            bytes_down=sent + _BYTES_PER_UPDATE,
            silence_s=round(self.random.uniform(0.0, 2.0), 1),
        )


def _in_order(moments: list[Moment]) -> list[Moment]:
    return sorted(moments, key=lambda moment: moment.ts)
