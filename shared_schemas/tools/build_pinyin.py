"""Writes shared_schemas/pinyin.txt: how each character of a name is read, without tones.

    python shared_schemas/tools/build_pinyin.py

pypinyin costs 56 MiB of memory; this table costs one, so that a phone can have it. It has the characters
of 通用规范汉字表 and of the divisions' names (those of mobile/assets/pinyin_initials.txt) and of GB 2312,
then the surnames that are read otherwise than their characters usually are.

The file, after lines of comment that begin with #:
    dan<TAB>丹单...       characters that are usually read dan; ü is written v
    (an empty line)
    shan<TAB>单           surnames, one syllable for each character
    ou yang<TAB>欧阳      each double surname is here, so that names can be split by this list
"""

from collections import defaultdict
from pathlib import Path

from pypinyin import lazy_pinyin

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = ROOT / "shared_schemas" / "pinyin.txt"
INITIALS = ROOT / "mobile" / "assets" / "pinyin_initials.txt"

# Surnames with their reading as a surname. Those of one character that are read as usual are not written.
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


def wanted_characters() -> set[str]:
    """Return the characters that names are written with."""
    lines = INITIALS.read_text("utf-8").partition("\n\n")[0].splitlines()
    characters = {c for line in lines if line[0] != "#" for c in line.partition("\t")[2]}
    for high in range(0xB0, 0xF8):
        row = bytes(byte for low in range(0xA1, 0xFF) for byte in (high, low))
        characters |= set(row.decode("gb2312", errors="ignore"))
    return {c for c in characters if c >= "㐀"}


def usual_reading(character: str) -> str:
    """Return the syllable without tone, empty where nobody knows it."""
    reading = lazy_pinyin(character, errors="ignore")
    return reading[0].replace("ü", "v") if reading else ""


def surname_readings(usual: dict[str, str]) -> dict[str, str]:
    """Return the surnames whose reading the characters alone do not tell, and all double ones."""
    words = SURNAMES.split()
    readings = {
        surname: reading.replace("-", " ").replace("ü", "v")
        for surname, reading in zip(words[::2], words[1::2], strict=True)
    }
    return {
        surname: reading
        for surname, reading in readings.items()
        if len(surname) > 1 or reading != usual[surname]
    }


def main() -> None:
    usual = {c: usual_reading(c) for c in sorted(wanted_characters())}
    groups = defaultdict(list)
    for character, reading in usual.items():
        if reading:
            groups[reading].append(character)
    surnames = surname_readings(usual)
    lines = ["# Made by shared_schemas/tools/build_pinyin.py, where the format is told."]
    lines += [f"{reading}\t{''.join(members)}" for reading, members in sorted(groups.items())]
    lines += [""]
    lines += [f"{reading}\t{surname}" for surname, reading in sorted(surnames.items())]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{sum(map(len, groups.values()))} characters, {len(surnames)} surnames")


if __name__ == "__main__":
    main()
