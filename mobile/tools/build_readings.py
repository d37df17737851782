"""Writes mobile/assets/pinyin_more.txt: what else a character of a name may be read as.

    python -m mobile.tools.build_readings

shared_schemas/pinyin.txt has the usual reading of each character, so 王乐 is found by wangle; whoever knows
her as Wáng Yuè types wangyue. A further reading is taken where 通用规范汉字字典 has one that begins with that
letter (mobile/assets/pinyin_initials.txt, from Unihan); pypinyin, which has too many, says how it goes on.

The file, after lines of comment that begin with #:
    yue<TAB>乐…     characters that are also read yue; ü is written v
"""

from collections import defaultdict
from pathlib import Path

from pypinyin import Style, pinyin

from mobile.storage.pinyin import ASSETS, letters_of_characters
from shared_schemas.names import syllables

TARGET: Path = ASSETS / "pinyin_more.txt"


def further_readings(character: str, letters: str) -> list[str]:
    """Return the readings beside the usual one."""
    usual = syllables("", character)[0]
    every = pinyin(character, heteronym=True, style=Style.NORMAL)[0]
    plain = dict.fromkeys(reading.replace("ü", "v") for reading in every)
    return [r for r in plain if r != usual and r[0] in letters and r[0] != usual[0]]


def main() -> None:
    groups = defaultdict(list)
    for character, letters in sorted(letters_of_characters().items()):
        if len(letters) > 1:
            for reading in further_readings(character, letters):
                groups[reading].append(character)
    lines = ["# Made by mobile/tools/build_readings.py, where the format is told."]
    lines += [f"{reading}\t{''.join(members)}" for reading, members in sorted(groups.items())]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{sum(map(len, groups.values()))} further readings, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
