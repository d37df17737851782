"""How long the phone's search takes among 50,000 people, beside a bare look-up by primary key.

`python -m benchmarks.search [PEOPLE]`. CPU time of this process, the median of repeated queries of
each kind; the queries are drawn from the people. The seed is printed.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from mobile.storage import pinyin
from mobile.storage.database import Store, open_store, put
from mobile.storage.search import find_people

PEOPLE = 50_000
REPEATS = 40
SURNAMES = "韦王罗黄岑李陆杨吴张陈石蒙班龙潘梁周刘何单仇解区查曾任华盖朴万俞欧阳"
GIVEN = (
    "秀兰正明小军大山阿妹玉英国强文华春花建平志勇丽萍美珍光荣永福桂香德才红梅忠义金凤海燕乐茜长莎"
)
GOAL_MS = 25
"""On this machine: a quarter of the 100 ms that a phone may take."""


def fill(store: Store, people: int, source: random.Random) -> list[tuple[str, str, str, str]]:
    """Store households of four; return (member id, name, ID number, phone)."""
    made = []
    with store.writing() as connection:
        put(connection, "scope", "522326")
        for number in range(people // 4):
            home = f"{number:013}"
            connection.execute(
                "INSERT INTO household (id, village_code, group_no, address) VALUES (?, ?, ?, ?)",
                (home, f"522326{number % 160:06}", f"{number % 9}组", f"{number % 60}号"),
            )
            for i in range(4):
                surname = source.choice(SURNAMES[:34])
                name = surname + "".join(source.choices(GIVEN, k=2))
                number_ = f"522399{source.randrange(1940, 2020)}{source.randrange(10**8):08}"
                phone = f"13{source.randrange(10**9):09}"
                made.append((f"{home}{i:04}", name, number_, phone))
                connection.execute(
                    "INSERT INTO member (id, household_id, name, id_no, phone)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (made[-1][0], home, name, number_, phone),
                )
    return made


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the CPU time of one run."""
    begun = time.process_time_ns()
    work()
    return (time.process_time_ns() - begun) / 1e6


def queries(name: str, id_no: str, phone: str) -> dict[str, str]:
    """Return one query of each kind that finds this person."""
    read = [of[0] for of in pinyin.readings(name)]
    initials = "".join(syllable[0] for syllable in read)
    return {
        "one letter": initials[0],
        "initials": initials,
        "pinyin": "".join(read),
        "pinyin with spaces": " ".join(read),
        "one syllable": read[0],
        "syllable and letters": read[0] + initials[1:],
        "characters": name[1:],
        "one character": name[0],
        "ID tail": id_no[-4:],
        "phone tail": phone[-4:],
        "nobody": initials + "qqq",
    }


def main(argv: list[str]) -> int:
    """Print the median and the worst of each kind of query."""
    people = int(argv[0]) if argv else PEOPLE
    seed = random.randrange(1 << 30)
    source = random.Random(seed)
    print(f"seed {seed}, {people} people")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chushan.db"
        store = open_store(path)
        begun = time.process_time()
        made = fill(store, people, source)
        print(f"stored and indexed in {time.process_time() - begun:.1f} CPU-s")
        connection = store.connection
        bare = [
            cpu_ms(lambda key=key: connection.execute(
                "SELECT name FROM member WHERE id = ?", (key,)).fetchone())
            for key, *_ in source.choices(made, k=REPEATS)
        ]  # fmt: skip
        print(f"bare look-up by primary key: {median(bare):.3f} ms")
        find_people(connection, "wxl")  # the tables are read once
        took: dict[str, list[float]] = {}
        for member_id, name, id_no, phone in source.choices(made, k=REPEATS):
            for kind, query in queries(name, id_no, phone).items():
                ms = cpu_ms(lambda query=query: find_people(connection, query))
                took.setdefault(kind, []).append(ms)
            found = find_people(connection, id_no)
            assert member_id in {one.member_id for one in found}
        for kind, times in took.items():
            ratio = median(times) / median(bare)
            print(
                f"{kind:22} median {median(times):6.2f} ms, worst {max(times):6.2f} ms, {ratio:.0f} look-ups"
            )
        worst = max(median(times) for times in took.values())
        print(f"goal {GOAL_MS} ms: {'kept' if worst < GOAL_MS else 'MISSED'}")
        keys, size = connection.execute(
            "SELECT count(*), sum(length(key)) FROM search_key"
        ).fetchone()
        print(
            f"{keys} keys, {size / people:.0f} characters a person; file {path.stat().st_size >> 20} MiB"
        )
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
