"""Moves through a recorded run at the pace of a clock, and wherever an operator wants to go. No Textual."""

import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable

import msgspec

from flconsole.replay import ReplayIndex, Track
from flconsole.snapshot import Snapshot

SLOWEST, FASTEST = 1 / 16, 4096.0
_MOST_RECORDS = 20_000
"""Folded at one look at the clock: a playhead that cannot keep up with its speed still obeys at once."""


class Playhead(msgspec.Struct, frozen=True):
    """Where a player stands."""

    track: Track
    is_playing: bool
    speed: float
    """Seconds of the run in one second."""
    position: int
    """Records so far."""
    ts: float
    """The moment shown, in wall-clock seconds since the epoch."""


class Player:
    """Moves through a run that is indexed, at the pace of a clock.

    Args:
        index: built.
        clock: seconds that only grow.
    """

    def __init__(self, index: ReplayIndex, clock: Callable[[], float] = time.monotonic) -> None:
        self._index, self._clock = index, clock
        self._cursor = index.cursor(0)
        self._ts = self._track.start
        self._looked_at = clock()
        self._speed, self._is_playing = 1.0, False

    @property
    def snapshot(self) -> Snapshot:
        return self._cursor.snapshot

    @property
    def head(self) -> Playhead:
        return Playhead(self._track, self._is_playing, self._speed, self._cursor.position, self._ts)

    # --- playing

    def play(self) -> None:
        """Goes on; at the end, from the beginning."""
        if self._is_at_end:
            self.go_to_position(0)
        self._is_playing, self._looked_at = True, self._clock()

    def pause(self) -> None:
        self.advance()
        self._is_playing = False

    def toggle(self) -> None:
        """Plays or pauses."""
        if self._is_playing:
            self.pause()
        else:
            self.play()

    def faster(self) -> None:
        self._set_speed(self._speed * 2)

    def slower(self) -> None:
        self._set_speed(self._speed / 2)

    def advance(self) -> None:
        """Goes as far as the clock has gone since the last look at it; pauses at the end."""
        now = self._clock()
        elapsed, self._looked_at = now - self._looked_at, now
        if not self._is_playing:
            return
        ts = self._ts + elapsed * self._speed
        if self._cursor.go_to_time(ts, _MOST_RECORDS):
            self._ts = min(ts, self._track.end)
        else:  # too fast: time goes by as fast as it can
            self._ts = self._cursor.ts
        if self._is_at_end:
            self._is_playing = False

    def _set_speed(self, speed: float) -> None:
        self.advance()
        self._speed = max(SLOWEST, min(speed, FASTEST))

    # --- going somewhere

    def go_to_position(self, position: int) -> None:
        """Goes to just after so many records."""
        self._cursor = self._index.cursor(max(0, min(position, self._track.records)), self._cursor)
        self._ts = self._cursor.ts or self._track.start
        self._looked_at = self._clock()

    def go_to_time(self, ts: float) -> None:
        """Goes to a moment, in wall-clock seconds since the epoch."""
        self._ts = max(self._track.start, min(ts, self._track.end))
        self._cursor = self._index.cursor_at(self._ts)
        self._looked_at = self._clock()

    def go_to_share(self, share: float) -> None:
        """Goes to a share of the run's time, from 0 to 1."""
        self.go_to_time(self._track.start + share * (self._track.end - self._track.start))

    def go_to_round(self, number: int) -> None:
        """Goes to the end of a round, or of the next one that is there."""
        ends = (end.position for end in self._track.rounds if end.round >= number)
        self.go_to_position(0 if number <= 0 else next(ends, self._track.records))

    def step(self, direction: int) -> None:
        """Goes one event on, or one back, and stays there."""
        self._is_playing = False
        self.go_to_position(self._index.neighbour(self._cursor.position, direction))

    def step_round(self, direction: int) -> None:
        """Goes to the end of the next round, or of the one before; beyond them, to an end of the run."""
        positions = [0, *(end.position for end in self._track.rounds), self._track.records]
        here = self._cursor.position
        place = bisect_right(positions, here) if direction > 0 else bisect_left(positions, here) - 1
        self.go_to_position(positions[max(0, min(place, len(positions) - 1))])

    @property
    def _track(self) -> Track:
        return self._index.track

    @property
    def _is_at_end(self) -> bool:
        return self._cursor.position >= self._track.records and self._ts >= self._track.end


Move = Callable[[Player], None]


class BadPlace(ValueError):
    """Nobody can go there; says why."""


def move_to(text: str, track: Track) -> Move:
    """What an operator means by a place.

    Args:
        text: a round (`12`), a share of the run (`50%`) or a time since its start (`1:02:03`, `2:03`).
        track: what there is to be played.

    Raises:
        BadPlace: it is none of these.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        number = int(text)
        return lambda player: player.go_to_round(number)
    if match := re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]*)?) ?%", text):
        share = min(float(match[1]) / 100, 1.0)
        return lambda player: player.go_to_share(share)
    if re.fullmatch(r"[0-9]{1,6}(?::[0-5]?[0-9]){1,2}", text):
        seconds = 0
        for part in text.split(":"):
            seconds = 60 * seconds + int(part)
        return lambda player: player.go_to_time(track.start + seconds)
    raise BadPlace(f"{text!r} is no round, no share such as 50% and no time such as 1:02:03")
