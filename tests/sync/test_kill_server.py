"""kill -9 of a real `chushan serve` in the middle of its work; benchmarks/kill.py does it 500 times."""

import random

from benchmarks.kill import kill_phones, kill_servers

KILLS = 5  # of each kind on each database


def test_a_server_that_is_killed_loses_nothing_and_doubles_nothing(database_url: str) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    books = kill_servers(database_url, KILLS, seed)
    assert books.under_way > 0, "no kill met a request"
    assert books.changes > 0


def test_phones_that_are_killed_lose_nothing_and_double_nothing(database_url: str) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    books = kill_phones(database_url, KILLS, seed)
    assert books.changes > 0
