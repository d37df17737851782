"""When the app syncs by itself."""

import socket

from mobile.sync.link import (
    LONGEST_WAIT_S,
    SHORTEST_WAIT_S,
    Watch,
    after,
    is_due,
    look,
    reaches,
)


def test_nothing_is_tried_where_nothing_waits_and_not_at_once_after_something_does() -> None:
    watch = look(Watch(0.0), 100.0, waiting=0, has_signal=None)
    assert not is_due(watch, 100.0)
    watch = look(watch, 105.0, waiting=3, has_signal=None)
    assert not is_due(watch, 105.0)
    assert is_due(watch, 100.0 + SHORTEST_WAIT_S)


def test_waits_grow_to_a_quarter_of_an_hour_and_begin_anew_after_a_success() -> None:
    watch, now_s, waits = Watch(0.0), 0.0, []
    for _ in range(9):
        assert is_due(watch, now_s)
        watch = after(watch, now_s, went_well=False)
        waits.append(watch.next_at_s - now_s)
        now_s = watch.next_at_s
    assert waits[:3] == [40.0, 80.0, 160.0]
    assert waits[-1] == LONGEST_WAIT_S
    assert after(watch, now_s, went_well=True).next_at_s == now_s + SHORTEST_WAIT_S


def test_a_link_that_comes_up_ends_the_wait_and_none_at_all_is_not_tried() -> None:
    watch = after(Watch(0.0, wait_s=600.0), 0.0, went_well=False)
    watch = look(watch, 10.0, waiting=1, has_signal=False)
    assert not is_due(watch, 5_000.0)
    watch = look(watch, 20.0, waiting=1, has_signal=True)
    assert is_due(watch, 20.0)


def test_a_probe_tells_an_open_port_from_a_closed_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert reaches(f"http://127.0.0.1:{port}/x")
    assert not reaches(f"http://127.0.0.1:{port}", timeout_s=1)
