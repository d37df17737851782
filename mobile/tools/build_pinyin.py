"""Writes mobile/assets/pinyin_initials.txt: how to find 望谟 by typing wm.

    apt install unicode-data
    python mobile/tools/build_pinyin.py

The library that knows pinyin costs a phone a third of a second and 56 MiB; this file costs it some milliseconds.
It has the 8105 characters of 通用规范汉字表 and what else occurs in the names of the divisions, from Unihan:
kMandarin is the usual reading, kTGHZ2013 all readings of 通用规范汉字字典. Then come the surnames that are read
otherwise than their characters usually are (单 is Shàn and not dān), from shared_schemas/tools/build_pinyin.py.

The file, after lines of comment that begin with #:
    d<TAB>大地的...     characters whose reading begins with d
    dcs<TAB>单          usually d, in other words c or s: sort by the first letter, search by any
    (an empty line)
    s<TAB>单            surnames, one letter for each character
    yc<TAB>尉迟
"""

import bz2
import csv
import re
import unicodedata
from collections import defaultdict
from pathlib import Path

from shared_schemas.tools.build_pinyin import SURNAMES

UNICODE = Path("/usr/share/unicode")
ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = ROOT / "mobile" / "assets" / "pinyin_initials.txt"
DIVISIONS = ROOT / "shared_schemas" / "codes" / "data"


def unihan(file_name: str, field: str) -> dict[str, str]:
    text = bz2.decompress((UNICODE / file_name).read_bytes()).decode()
    found = re.findall(rf"^U\+([0-9A-F]+)\t{field}\t(.*)$", text, re.MULTILINE)
    return {chr(int(code, 16)): value for code, value in found}


def wanted_characters() -> set[str]:
    characters = set(unihan("Unihan_OtherMappings.txt.bz2", "kTGH"))
    for path in DIVISIONS.glob("divisions*.csv"):
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            characters |= {character for character in row["name"] if character >= "㐀"}
    return characters


def first_letter(reading: str) -> str:
    """Return a to z without the tone: é and ē are e."""
    return unicodedata.normalize("NFD", reading.strip())[0].lower()


def letters_of_characters() -> dict[str, str]:
    usual = unihan("Unihan_Readings.txt.bz2", "kMandarin")
    every = unihan("Unihan_Readings.txt.bz2", "kTGHZ2013")
    letters = {}
    for character in wanted_characters():
        readings = usual.get(character, "").split()[:1]
        for entry in every.get(character, "").split():
            readings += entry.partition(":")[2].split(",")
        found = dict.fromkeys(first_letter(reading) for reading in readings if reading)
        if found:
            letters[character] = "".join(found)
    return letters


def letters_of_surnames(letters: dict[str, str]) -> dict[str, str]:
    """Return the surnames that the table of characters alone would begin with other letters."""
    words = SURNAMES.split()
    surnames = {}
    for surname, reading in zip(words[::2], words[1::2], strict=True):
        own = "".join(first_letter(part) for part in reading.split("-"))
        if own != "".join(letters[character][0] for character in surname):
            surnames[surname] = own
    return surnames


def main() -> None:
    letters = letters_of_characters()
    groups = defaultdict(list)
    for character in sorted(letters):
        groups[letters[character]].append(character)
    surnames = letters_of_surnames(letters)
    lines = [
        "# Made by mobile/tools/build_pinyin.py, where the format is told. Source: Unicode Unihan."
    ]
    lines += [f"{key}\t{''.join(members)}" for key, members in sorted(groups.items())]
    lines += [""]
    lines += [
        f"{own}\t{surname}" for surname, own in sorted(surnames.items(), key=lambda pair: pair[1])
    ]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(letters)} characters, {len(surnames)} surnames")


if __name__ == "__main__":
    main()
