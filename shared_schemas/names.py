"""Chinese names as they are compared: written alike, split, read aloud, and misheard in dialect.

Pure and light, so that phone and server say the same of a name. Nothing here decides whether two
names are one person's.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from pathlib import Path

_TABLE = Path(__file__).resolve().parent / "pinyin.txt"
_MARKS = re.compile(r"[\s·•・‧∙.'’-]")
_DOTS = re.compile(r"[·•・‧∙]")

_SINGLE_SURNAMES = frozenset(
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎"
    "鲁韦昌马苗凤花方俞任袁柳酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄"
    "和穆萧尹姚邵湛汪祁毛禹狄米贝明臧计伏成戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭"
    "梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯昝管卢莫经房裘缪干解应宗丁宣贲邓郁单杭洪包诸左石崔吉钮龚"
    "程嵇邢滑裴陆荣翁荀羊於惠甄曲家封芮羿储靳汲邴糜松井段富巫乌焦巴弓牧隗山谷车侯宓蓬全郗班仰秋仲伊宫"
    "宁仇栾暴甘钭厉戎祖武符刘景詹束龙叶幸司韶郜黎蓟薄印宿白怀蒲邰从鄂索咸籍赖卓蔺屠蒙池乔阴郁胥能苍双"
    "闻莘党翟谭贡劳逄姬申扶堵冉宰郦雍郤璩桑桂濮牛寿通边扈燕冀郏浦尚农温别庄晏柴瞿阎充慕连茹习宦艾鱼容"
    "向古易慎戈廖庾终暨居衡步都耿满弘匡国文寇广禄阙东欧殳沃利蔚越夔隆师巩厍聂晁勾敖融冷訾辛阚那简饶空"
    "曾毋沙乜养鞠须丰巢关蒯相查后荆红游竺权逯盖益桓公岳帅缑亢况有琴商牟佘佴伯赏墨哈谯笪年爱阳佟言福"
    "肖付闫萧邸覃谌冼区朴仝亓郇郄幺苟晋楚楼粟敬凡卿涂伦盘藏代兰玉罡原来邝冶候隋仵钭揭旷滚吞陀潭禤麦"
)
"""百家姓 and the surnames of today's lists that it has not."""

_TIBETAN_BEGINNINGS = (
    "卓玛", "卓嘎", "白玛", "桑吉", "桑杰", "桑珠", "索南", "索朗", "和茂", "安措", "华旦", "来措",
    "万玛", "巴桑", "班玛", "贡布", "贡保", "都吉", "连措", "江措", "康卓", "石曲", "云旦", "云登",
)  # fmt: skip
"""Names without a surname whose first character is somebody else's surname."""


def normal_name(name: str) -> str:
    """Return a name without the differences of width, spaces, dots and capitals."""
    return _MARKS.sub("", unicodedata.normalize("NFKC", name)).casefold()


def split_name(name: str) -> tuple[str, str]:
    """Return surname and given name; the surname is empty where the name has none.

    A name has one when it is of two to four characters without a dot and begins with a surname.
    Four characters need a double surname or, as 张李玉兰, two single ones.
    """
    normal = normal_name(name)
    if _DOTS.search(name) or not 2 <= len(normal) <= 4:
        return "", normal
    if len(normal) > 2 and normal[:2] in _surname_readings():
        return normal[:2], normal[2:]
    if normal[0] not in _all_single() or normal.startswith(_TIBETAN_BEGINNINGS):
        return "", normal
    if len(normal) < 4:
        return normal[0], normal[1:]
    return (normal[:2], normal[2:]) if normal[1] in _all_single() else ("", normal)


def syllables(surname: str, given: str) -> tuple[str, ...]:
    """Return how a split name is read, without tones; what is no known character stays itself."""
    usual, of_surnames = _table()
    read = of_surnames.get(surname)
    first = read.split(" ") if read else [usual.get(c, c) for c in surname]
    return (*first, *(usual.get(c, c) for c in given))


@lru_cache(maxsize=4096)  # there are some 400 syllables; other texts come and go
def dialect_folded(syllable: str) -> str:
    """Return what is left of a syllable where n/l/r, zh/z, ch/c, sh/s, h/f and -ng/-n are not told apart."""
    folded = re.sub(r"^([zcs])h", r"\1", syllable)
    folded = re.sub(r"^[nr](?=[aeiouv])", "l", folded)
    folded = re.sub(r"^f", "h", folded)
    folded = re.sub(r"^hu(?=a|o)", "h", folded)  # 黄 huang is heard as 方 fang
    folded = {"hui": "hei", "hun": "hen"}.get(folded, folded)
    return re.sub(r"(?<=[aei])ng$", "n", folded)


@cache
def _all_single() -> frozenset[str]:
    return _SINGLE_SURNAMES | {name for name in _surname_readings() if len(name) == 1}


def _surname_readings() -> dict[str, str]:
    return _table()[1]


@cache
def _table() -> tuple[dict[str, str], dict[str, str]]:
    characters, _, surnames = _TABLE.read_text("utf-8").partition("\n\n")
    usual: dict[str, str] = {}
    for line in characters.splitlines():
        if not line.startswith("#"):
            reading, _, members = line.partition("\t")
            usual.update(dict.fromkeys(members, reading))
    pairs = (line.partition("\t") for line in surnames.splitlines())
    return usual, {surname: reading for reading, _, surname in pairs}
