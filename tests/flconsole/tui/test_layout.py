"""Which panes share the screen."""

import pytest

from flconsole.tui.layout import PANES, Layout, layout_for, panes_seen, rows_for_clients


@pytest.mark.parametrize(
    ("size", "layout"),
    [
        ((60, 20), Layout.ONE),
        ((79, 24), Layout.ONE),
        ((80, 23), Layout.ONE),
        ((80, 24), Layout.STACKED),
        ((120, 30), Layout.STACKED),
        ((80, 60), Layout.STACKED),
        ((120, 40), Layout.ROWS),
        ((140, 40), Layout.ROWS),
        ((200, 20), Layout.BESIDE),
        ((200, 50), Layout.GRID),
        ((200, 8), Layout.ONE),
        ((0, 0), Layout.ONE),
    ],
)
def test_the_layout_follows_the_size(size, layout):
    assert layout_for(*size) is layout


def test_the_active_pane_can_always_be_seen():
    for layout in Layout:
        for active in PANES:
            other = active if active != "clients" else "logs"
            assert active in panes_seen(layout, active, other)


def test_the_clients_leave_room_for_others_and_take_no_more_than_they_need():
    assert rows_for_clients(Layout.STACKED, room=20, clients=3) == 5
    assert rows_for_clients(Layout.STACKED, room=20, clients=100) == 10
    assert rows_for_clients(Layout.ROWS, room=36, clients=100) == 12
    assert rows_for_clients(Layout.STACKED, room=20, clients=0) == 4
