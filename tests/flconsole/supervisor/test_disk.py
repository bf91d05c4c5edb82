"""A run is ended in order before the disk is full; what is free is asked of the real file system."""

import pytest

from engine import telemetry
from engine.errors import RunDirectoryError
from flconsole.supervisor.disk import DiskWatch, free_bytes, require_room

MB = 1_000_000
MORE_THAN_ANY_DISK_MB = 10**12


class Heard:
    """What a watch over 100 MB has said."""

    def __init__(self, run_dir, min_free_disk_mb=100):
        self.warnings, self.reasons = [], []
        self.watch = DiskWatch(
            run_dir, min_free_disk_mb, on_low=self.warnings.append, on_full=self.reasons.append
        )

    def after(self, *free_mb):
        for free in free_mb:
            self.watch.look(int(free * MB))
        return len(self.warnings), len(self.reasons)


# --- before a run


def test_a_run_does_not_start_without_the_room_it_asks_for(tmp_path):
    with pytest.raises(RunDirectoryError, match=r"free for .*, less than min_free_disk_mb = 10+;") as caught:
        require_room(tmp_path, MORE_THAN_ANY_DISK_MB)

    assert str(tmp_path) in str(caught.value)
    assert "flconsole prune" in str(caught.value)
    assert "--min-free-disk-mb" in str(caught.value)


def test_where_there_is_room_it_starts(tmp_path):
    require_room(tmp_path, 1)


def test_zero_does_not_look(tmp_path):
    require_room(tmp_path, 0)
    assert Heard(tmp_path, 0).after(500, 0) == (0, 0)


def test_a_directory_that_is_still_to_be_made_has_the_room_of_where_it_will_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert free_bytes(tmp_path / "not" / "there") > 0
    assert free_bytes(tmp_path.relative_to(tmp_path) / "runs") > 0


# --- while it runs


def test_it_warns_once_below_twice_the_minimum(tmp_path):
    heard = Heard(tmp_path)

    assert heard.after(201) == (0, 0)
    assert heard.after(199, 150, 300, 120) == (1, 0)
    assert heard.warnings == [telemetry.DiskLow(free_bytes=199 * MB, limit_bytes=100 * MB)]


def test_below_the_minimum_it_says_how_much_is_free_where_and_what_to_do(tmp_path):
    heard = Heard(tmp_path)

    assert heard.after(100) == (1, 0)
    assert heard.after(99) == (1, 1)
    assert heard.reasons[0].startswith(f"disk: 99 MB free for {tmp_path}, less than min_free_disk_mb = 100;")
    assert "flconsole prune" in heard.reasons[0]
    assert f"flconsole resume {tmp_path.name}" in heard.reasons[0]


def test_a_disk_that_gets_full_at_once_is_warned_of_all_the_same(tmp_path):
    assert Heard(tmp_path).after(5) == (1, 1)


def test_a_supervisor_ends_its_run_in_order(run):
    run.supervise(min_free_disk_mb=MORE_THAN_ANY_DISK_MB)

    assert run.exit_code() == 1
    (warning,) = run.events(telemetry.DiskLow)
    end = run.events()[-1]
    assert isinstance(end, telemetry.RunFailed)
    assert end.exit_code == 1
    assert end.reason.startswith("disk: ")
    assert warning.free_bytes < warning.limit_bytes


def test_a_supervisor_warns_and_goes_on_while_there_is_room(run):
    free_mb = free_bytes(run.run_dir) // MB
    run.start(min_free_disk_mb=int(free_mb * 0.7))
    run.wait(lambda: run.events(telemetry.DiskLow), "a warning")

    run.server_does("round 1", "exit 0")

    assert run.exit_code() == 0
    assert len(run.events(telemetry.DiskLow)) == 1
