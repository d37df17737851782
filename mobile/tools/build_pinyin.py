"""Writes mobile/assets/pinyin_initials.txt: how to find 望谟 by typing wm.

    apt install unicode-data
    python mobile/tools/build_pinyin.py

The library that knows pinyin costs a phone a third of a second and 56 MiB; this file costs it some milliseconds.
It has the 8105 characters of 通用规范汉字表 and what else occurs in the names of the divisions, from Unihan:
kMandarin is the usual reading, kTGHZ2013 all readings of 通用规范汉字字典. Then come the surnames that are read
otherwise than their characters usually are (单 is Shàn and not dān), written out here by hand.

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

UNICODE = Path("/usr/share/unicode")
ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = ROOT / "mobile" / "assets" / "pinyin_initials.txt"
DIVISIONS = ROOT / "shared_schemas" / "codes" / "data"

# Surnames with their reading as a surname. Those that the table says rightly are not written to the file.
SURNAMES = """
单 shan 仇 qiu 解 xie 查 zha 曾 zeng 尉 wei 区 ou 朴 piao 盖 ge 缪 miao 繁 po 种 chong 乐 yue 员 yun
宓 mi 冼 xian 洗 xian 翟 zhai 黑 he 折 she 句 gou 谌 chen 瞿 qu 覃 qin 郗 xi 隗 wei 逄 pang 佴 nai
牟 mou 召 shao 石 shi 车 che 祭 zhai 晁 chao 贾 jia 俞 yu 仉 zhang 沈 shen 臧 zang 褚 chu 葛 ge 那 na
宿 su 应 ying 相 xiang 行 xing 郇 xun 费 fei 柏 bai 呙 guo 撒 sa 阚 kan 哈 ha 纪 ji 过 guo 燕 yan
宁 ning 秘 bi 都 du 訾 zi 藏 zang 粘 nian 能 nai 盛 sheng 乜 nie 仝 tong 薄 bo 干 gan 殷 yin 郄 qie
郤 xi 钭 tou 亓 qi 昝 zan 逯 lu 佘 she 阙 que 眭 sui 任 ren 冯 feng 卜 bu 景 jing 系 xi 番 pan
适 kuo 长 zhang 陆 lu 闫 yan 叶 ye 曲 qu 蒙 meng 万 wan 伍 wu 余 yu 尹 yin 谷 gu
居 ju 降 jiang 倪 ni 兴 xing 率 lü 咎 jiu 妫 gui 朝 chao 澹 tan 台 tai 卓 zhuo 岑 cen 车 che 邸 di
尉迟 yu-chi 长孙 zhang-sun 澹台 tan-tai 万俟 mo-qi 单于 chan-yu 鲜于 xian-yu 令狐 ling-hu 夏侯 xia-hou
皇甫 huang-fu 宇文 yu-wen 慕容 mu-rong 上官 shang-guan 欧阳 ou-yang 司马 si-ma 诸葛 zhu-ge 东方 dong-fang
呼延 hu-yan 赫连 he-lian 濮阳 pu-yang 淳于 chun-yu 公孙 gong-sun 轩辕 xuan-yuan 钟离 zhong-li
闾丘 lü-qiu 亓官 qi-guan 司徒 si-tu 司空 si-kong 独孤 du-gu 南宫 nan-gong 西门 xi-men 申屠 shen-tu
公冶 gong-ye 宗政 zong-zheng 太叔 tai-shu 端木 duan-mu 拓跋 tuo-ba 百里 bai-li 第五 di-wu 乐正 yue-zheng
"""  # fmt: skip


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
