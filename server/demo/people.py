"""Invented households: whole bundles of records that pass the rules, the same for the same seed.

Nobody here exists. ID numbers have an unassigned county (522399, 510899, 622999) with the right
check character, birth date and sex; mobile numbers begin with 154, which no operator was given.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared_schemas import ids, resident_id
from shared_schemas.bundle import Bundle
from shared_schemas.codes import divisions
from shared_schemas.fields import age_on
from shared_schemas.records.consent import SHARE_HR, SURVEY
from shared_schemas.records.member import HEAD, WORKING_AGE

Record = dict[str, Any]

REFERENCE_DAY = dt.date(2026, 11, 20)
"""The day that invented visits lead up to where no other is given."""

CONSENT_TEXT = "2026-11"


@dataclass(frozen=True, slots=True)
class InventedHousehold:
    """A household with all its records, each a dict of declared fields with its `id`."""

    household: Record
    members: tuple[Record, ...]
    intentions: tuple[Record, ...]
    consents: tuple[Record, ...]

    def records(self) -> list[tuple[str, Record]]:
        """Return every record with its kind, the household first."""
        return [
            ("household", self.household),
            *(("member", record) for record in self.members),
            *(("intention", record) for record in self.intentions),
            *(("consent", record) for record in self.consents),
        ]

    def bundle(self) -> Bundle:
        """Return the household as the rules look at it."""
        return Bundle(self.household, self.members, self.intentions, self.consents)


def invent_households(
    seed: int,
    count: int,
    villages: Sequence[str],
    *,
    today: dt.date = REFERENCE_DAY,
    doubtful: float = 0.1,
) -> Iterator[InventedHousehold]:
    """Yield `count` households spread over `villages` (12-digit codes), one after the other.

    None breaks a rule of level E on `today`; a share of `doubtful` has a warning, half of these
    with the cadre's reason. Every visit lies within the sixty days before `today`. ID numbers,
    register numbers and phones are used once within a seed.
    """
    inventor = _Inventor(seed, today)
    for number in range(count):
        household = inventor.household(villages[number % len(villages)], number)
        if inventor.chance(doubtful):
            household = inventor.made_doubtful(household)
        yield household


@dataclass(frozen=True, slots=True)
class _People:
    """An ethnic group as it lives in these mountains: its code, share and surnames."""

    ethnic: str
    weight: int
    surnames: str | None


_PEOPLES = (
    _People("09", 52, "韦岑罗王黄梁陆班卢贺蒙杨潘查何"),
    _People("06", 18, "杨熊王李陶侯马项龙石"),
    _People("01", 26, "陈张刘李王周吴赵谢邓曾唐蒋袁冯"),
    _People("07", 2, "禄安陇龙张"),
    _People("04", 2, None),
)
"""Buyei, Miao, Han, Yi; and a few Tibetan families, whose names have no surname."""

_DOUBLE_SURNAMES = ("欧阳", "上官", "司徒", "东方", "令狐")

_GIVEN = {
    "1": "国建明志文成永贵正光德兴学华林江河山海峰松柏春朝发富荣昌盛祥福海龙飞鹏程涛波勇强军伟斌刚毅恒安定康宁",
    "2": "秀英桂兰芳梅莲菊香珍玉美丽艳红霞云燕萍琴娟娇妹花春秋月仙翠凤银金芝莉敏慧静雪晴欣怡婷",
}
"""Characters of given names for men (1) and women (2)."""

_TIBETAN = {
    "1": ("扎西", "顿珠", "多吉", "旺堆", "索朗", "平措", "格桑", "次旦", "班觉"),
    "2": ("卓玛", "央金", "拉姆", "德吉", "白玛", "曲珍", "措姆", "梅朵"),
}

_EMPLOYERS = ("青溪制衣厂", "海湾电子厂", "长桥五金厂", "东埠玩具厂", "四明包装厂", "湖畔食品厂")
_WORK_PLACES = ("330282000000", "330281000000", "330212000000", "440306000000", "350211000000")
_REGIONS_FAR = ("330200000000", "330502000000", "440300000000", "350200000000", "330281000000")
_HELPERS = "赵钱孙李周吴郑王"
_REASONS = ("本人这样说,已再问一次", "干部核实过", "下次走访再问")
_FAMILY_SHAPES = (
    ("couple", 18),
    ("couple, children", 34),
    ("couple, children, parent", 22),
    ("couple, parents", 8),
    ("alone", 8),
    ("one parent, children", 10),
)


class _Inventor:
    """Draws everything from one seeded source and remembers the numbers it has given out."""

    def __init__(self, seed: int, today: dt.date) -> None:
        self.random = random.Random(seed)  # noqa: S311 (nothing secret is drawn)
        self.today = today
        self.id_numbers: set[str] = set()
        self.phones = 0

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def weighted(self, choices: Sequence[tuple[Any, int]]) -> Any:
        values, weights = zip(*choices, strict=True)
        return self.random.choices(values, weights)[0]

    # A household and its family

    def household(self, village: str, number: int) -> InventedHousehold:
        household_id = ids.household_id(self.random.getrandbits(64))
        survey_date = self.today - dt.timedelta(days=self.random.randrange(60))
        people = self.weighted([(p, p.weight) for p in _PEOPLES])
        new_id = _child_ids(household_id, self.random)
        members = self._family(household_id, village, people, survey_date, new_id)
        household = self._household_record(household_id, village, number, survey_date, members)
        wishing = [m for m in members if _age(m, survey_date) >= WORKING_AGE]
        intentions = [self._intention(m, members, village, survey_date, new_id) for m in wishing]
        if household["phone"] is None:
            for member, intention in zip(wishing, intentions, strict=True):
                if "available_from" in intention and member["phone"] is None:
                    member["phone"] = self._phone()
        consents = [
            self._consent(m, kind, survey_date, new_id)
            for m in wishing
            for kind in (SURVEY, SHARE_HR)
        ]
        return InventedHousehold(
            _answered(household),
            tuple(_answered(record) for record in members),
            tuple(_answered(record) for record in intentions),
            tuple(_answered(record) for record in consents),
        )

    def _family(
        self,
        household_id: str,
        village: str,
        people: _People,
        survey_date: dt.date,
        new_id: Callable[[], str],
    ) -> list[Record]:
        shape = self.weighted(_FAMILY_SHAPES)
        draw = self.random.randint
        head_age = draw(45, 70) if shape == "alone" else draw(26, 62)
        head_sex = "1" if self.chance(0.85) else "2"
        other_sex = "2" if head_sex == "1" else "1"
        surname = self._surname(people)
        married = "20" if shape.startswith("couple") else self.random.choice(("10", "30", "40"))

        def person(
            relation: str, sex: str, age: int, marital: str, family_name: str | None
        ) -> Record:
            return self._member(
                household_id, village, people, survey_date, new_id(),
                relation=relation, sex=sex, age=age, marital=marital, surname=family_name,
            )  # fmt: skip

        family = [person(HEAD, head_sex, head_age, married, surname)]
        if shape.startswith("couple"):
            spouse_age = max(21, head_age + draw(-6, 4))
            family.append(person("10", other_sex, spouse_age, "20", self._surname(people)))
        if "children" in shape:
            youngest = min(_age(m, survey_date) for m in family)
            for _ in range(draw(1, 3)):
                age = max(0, youngest - draw(20, 30))
                sex = self.random.choice("12")
                marital = "20" if age >= 24 and self.chance(0.4) else "10"
                family.append(person("20" if sex == "1" else "30", sex, age, marital, surname))
        for number in range(2 if "parents" in shape else int("parent" in shape.split(", "))):
            sex = "12"[number] if "parents" in shape else self.random.choice("12")
            age = min(92, head_age + draw(19, 28))
            marital = "20" if "parents" in shape else "30"
            own = surname if sex == "1" else self._surname(people)
            family.append(person("51" if sex == "1" else "52", sex, age, marital, own))
        return family

    def _household_record(
        self,
        household_id: str,
        village: str,
        number: int,
        survey_date: dt.date,
        members: Sequence[Record],
    ) -> Record:
        category = self.weighted([("1", 40), ("2", 15), ("3", 35), ("4", 10)])
        registered = category in ("2", "3")
        relocated = self.chance(0.12)
        income, share = self.random.choice("1223334"), self.random.choice("12334")
        phone = self._phone() if self.chance(0.93) else None
        mode = self.weighted([("1", 88), ("2", 8), ("3", 4)])
        return {
            "id": household_id,
            "village_code": village,
            "group_no": f"{self.random.choice('一二三四五六七八')}组",
            "address": f"{self.random.choice('上中下新老')}寨{self.random.randint(1, 120)}号",
            "relocated": relocated,
            "relocation_site": "新桥安置点" if relocated else None,
            "former_village": "原高坡组" if relocated else None,
            "registry_no": f"{village[:9]}{number:07}" if category != "1" else None,
            "category": category,
            "jdlk_from": f"{self.random.randint(2014, 2016)}-01-01" if registered else None,
            "jdlk_to": f"{self.random.randint(2017, 2020)}-12-31" if category == "3" else None,
            "monitor_type": self.random.choice("123") if category == "4" else None,
            "risk_cleared": self.chance(0.5) if category == "4" else None,
            "dibao": self.chance(0.3 if category != "1" else 0.04),
            "tekun": self.chance(0.02),
            "phone": phone,
            "no_phone_reason": None if phone else self.random.choice("12"),
            "helper_name": self.random.choice(_HELPERS) + self.random.choice("明华勇敏静"),
            "helper_phone": self._phone(),
            "responsible_cadre": f"{village[6:9]}片区干部",
            "office_phone": f"0859-1{int(village[6:]):06}",
            "yearly_income_band": income,
            "labour_income_share": share,
            "survey_date": survey_date.isoformat(),
            "survey_mode": mode,
            "respondent_relation": "10" if mode == "3" else None,
            "head_member_id": members[0]["id"],
        }

    # One person

    def _member(
        self,
        household_id: str,
        village: str,
        people: _People,
        survey_date: dt.date,
        member_id: str,
        *,
        relation: str,
        sex: str,
        age: int,
        marital: str,
        surname: str | None,
    ) -> Record:
        birth = self._birth_date(age, survey_date)
        member: Record = {
            "id": member_id,
            "household_id": household_id,
            "name": self._name(surname, sex),
            "sex": sex,
            "birth_date": birth.isoformat(),
            "relation": relation,
            "lives_here": self.chance(0.93),
            "in_school": self._schooling(age, relation),
        }
        if age < WORKING_AGE:
            return member
        student = member["in_school"] != "0"
        ability, health = self._ability(age)
        member |= {
            "id_no": self._id_number(birth, sex),
            "hukou_village": village,
            "phone": self._phone() if self.chance(0.8 if age < 60 else 0.4) else None,
            "ethnic": people.ethnic if self.chance(0.9) else "01",
            "graduates_on": self._graduation() if student else None,
            "education": self._education(age),
            "marital": "10" if student else marital,
            "political": "13" if self.chance(0.5) else None,
            "speaks_mandarin": self._mandarin(age),
            "health": health,
            "disability_level": self.random.choice("234") if "4" in health else None,
            "labour_ability": ability,
            "person_no": f"{village[:6]}{self.random.randrange(10**9):09}",
        }
        if member["education"] == "90":
            member["illiterate"] = True
        if ability in "12" and not student:
            member["skills"] = self._skills(sex, survey_date)
        return member | self._work(ability, student, survey_date)

    def _work(self, ability: str, student: bool, survey_date: dt.date) -> Record:
        if student or ability in "45":
            return {"work_form": "7"}
        form = self.weighted([("4", 40), ("7", 22), ("1", 22), ("2", 10), ("6", 6)])
        if form in "47":
            return {"work_form": form}
        if form == "1":
            return {
                "work_form": "1",
                "work_region": "4",
                "work_place_code": self.random.choice(_WORK_PLACES),
                "work_employer": self.random.choice(_EMPLOYERS),
                "work_occupation": self.random.choice(("01", "02", "07", "09", "10")),
                "work_wage": self.random.randrange(3_000, 7_600, 100),
                "work_since": (
                    survey_date - dt.timedelta(self.random.randint(40, 700))
                ).isoformat(),
                "work_months": self.random.randint(1, 11),
                "work_channel": self.random.choice("12"),
            }
        return {
            "work_form": form,
            "work_occupation": "20" if form == "2" else "12",
            "work_wage": self.random.randrange(1_500, 3_600, 100),
            "work_channel": "3",
        }

    def _intention(
        self,
        member: Record,
        family: Sequence[Record],
        village: str,
        survey_date: dt.date,
        new_id: Callable[[], str],
    ) -> Record:
        wish = self._wish(member, survey_date)
        works, goes = wish in "1235", wish in "135"
        training = works and self.chance(0.5)
        startup = self.chance(0.06)
        intention: Record = {
            "id": new_id(),
            "household_id": member["household_id"],
            "member_id": member["id"],
            "wants_job": wish,
            "training_wish": training,
            "startup_wish": startup,
            "startup_item": self.random.choice(("养蜂", "小吃店", "板栗种植")) if startup else None,
            "public_post_wish": self.chance(0.15),
            "workshop_wish": self.chance(0.2),
            "confirmed_on": survey_date.isoformat(),
        }
        if training:
            intention["courses"] = self.random.sample(("01", "02", "03", "15", "18", "20"), 2)
            intention["course_attend"] = self.random.choice("123")
        if wish in "24":
            age = _age(member, survey_date)
            reasons = ("05", "04") if age > 65 else ("01", "02", "03", "06", "09")
            intention["not_leaving_reason"] = "07" if _studies(member) else self._one(reasons)
        if works:
            intention |= self._terms(member, family, village, survey_date, goes=goes)
        return intention

    def _terms(
        self,
        member: Record,
        family: Sequence[Record],
        village: str,
        survey_date: dt.date,
        *,
        goes: bool,
    ) -> Record:
        reach = self.weighted([("4", 70), ("3", 20), ("2", 10)]) if goes else self._one("12")
        near = {"1": village[:9], "2": village[:6], "3": "5201"}
        spouse = next((m for m in family if m["relation"] == "10"), None)
        couple = spouse is not None and member["relation"] == HEAD and self.chance(0.35)
        any_occupation = self.chance(0.2)
        lodging = reach in "34" and self.chance(0.9)
        return {
            "available_from": (survey_date + dt.timedelta(self._one((0, 0, 0, 7, 15)))).isoformat(),
            "reach": reach,
            "regions": self.random.sample(_REGIONS_FAR, self.random.randint(1, 2))
            if reach == "4"
            else [divisions.pad12(near[reach])],
            "together_with": "1" if couple else "0",
            "together_members": [spouse["id"]] if couple and spouse else None,
            "any_occupation": any_occupation,
            "occupations": None if any_occupation else self._occupations(member["sex"]),
            "industries": self._one((["C"], ["C", "H"], ["E"], None)),
            "wage_floor": self.random.randrange(2_500, 6_600, 100),
            "lodging": ("2" if couple else "1") if lodging else "0",
            "needs_meals": self.chance(0.5),
            "night_shift_ok": self.chance(0.4),
            "share_ethnic": self.chance(0.1),
        }

    def _consent(
        self, member: Record, kind: str, survey_date: dt.date, new_id: Callable[[], str]
    ) -> Record:
        given = kind == SURVEY or self.chance(0.88)
        spoken = given and self.chance(0.6)
        return {
            "id": new_id(),
            "household_id": member["household_id"],
            "member_id": member["id"],
            "consent_kind": kind,
            "text_version": CONSENT_TEXT,
            "given": given,
            "method": ("2" if spoken else "1") if given else None,
            "witness": self._one(_HELPERS) + "见证" if spoken else None,
            "consented_on": survey_date.isoformat(),
        }

    # The parts of a person

    def _one(self, choices: Sequence[Any]) -> Any:
        return self.random.choice(choices)

    def _surname(self, people: _People) -> str | None:
        if people.surnames is None:
            return None
        if self.chance(0.01):
            return str(self._one(_DOUBLE_SURNAMES))
        return str(self._one(people.surnames))

    def _name(self, surname: str | None, sex: str) -> str:
        if surname is None:
            return "".join(self.random.sample(_TIBETAN[sex], 2 if self.chance(0.7) else 1))
        return surname + "".join(self.random.sample(_GIVEN[sex], 1 if self.chance(0.15) else 2))

    def _birth_date(self, age: int, survey_date: dt.date) -> dt.date:
        latest = survey_date.replace(year=survey_date.year - age, day=min(survey_date.day, 28))
        return latest - dt.timedelta(days=self.random.randrange(360))

    def _id_number(self, birth: dt.date, sex: str) -> str:
        area = self.weighted([("522399", 90), ("510899", 5), ("622999", 5)])
        while True:
            serial = self.random.randrange(500) * 2 + int(sex == "1")
            first17 = f"{area}{birth:%Y%m%d}{serial:03}"
            number = first17 + resident_id.check_character(first17)
            if number not in self.id_numbers:
                self.id_numbers.add(number)
                return number

    def _phone(self) -> str:
        self.phones += 1
        # A step without a common factor with 10**8 gives every number once, in no visible order.
        return f"154{self.phones * 15_485_863 % 10**8:08}"

    def _schooling(self, age: int, relation: str) -> str:
        if age < 6:
            return "0"
        if age < 16:
            return "1"
        if relation not in ("20", "30") or age > 22 or self.chance(0.35):
            return "0"
        return str(self._one("23") if age < 19 else self._one("45"))

    def _graduation(self) -> str:
        return f"{self.today.year + self.random.randint(1, 3)}-07-01"

    def _education(self, age: int) -> str:
        if age < 30:
            return str(self._one(("70", "70", "60", "40", "30")))
        if age < 55:
            return str(self._one(("80", "70", "70", "60")))
        return str(self._one(("80", "80", "70", "90")))

    def _mandarin(self, age: int) -> str:
        return str(
            self._one("1") if age < 45 else self._one("112") if age < 60 else self._one("123")
        )

    def _ability(self, age: int) -> tuple[str, list[str]]:
        if age >= 75:
            return "4", ["2"]
        if age >= 62:
            return str(self._one("34")), [str(self._one("12"))]
        if self.chance(0.04):
            return "4", ["4"]
        if self.chance(0.06):
            return "3", ["2"]
        return ("2" if self.chance(0.2) else "1"), ["1"]

    def _occupations(self, sex: str) -> list[str]:
        usual = ("01", "02", "12", "14", "15", "17", "21") if sex == "2" else (
            "02", "07", "09", "13", "17", "20", "25"
        )  # fmt: skip
        return self.random.sample(usual, self.random.randint(1, 3))

    def _skills(self, sex: str, survey_date: dt.date) -> list[Record] | None:
        if self.chance(0.55):
            return None
        level = self.weighted([("0", 70), ("1", 25), ("2", 5)])
        skill: Record = {"occupation": self._occupations(sex)[0], "level": level}
        if level != "0":
            skill["cert_no"] = f"YJ{self.random.randrange(10**8):08}"
            skill["cert_date"] = (
                survey_date - dt.timedelta(self._one((200, 500, 900)))
            ).isoformat()
        return [skill]

    def _wish(self, member: Record, survey_date: dt.date) -> str:
        age = _age(member, survey_date)
        if _studies(member) or member["labour_ability"] in "45" or age > 68:
            return "4"
        if member["work_form"] == "1":
            return str(self.weighted([("5", 25), ("6", 50), ("4", 25)]))
        if age > 55:
            return str(self.weighted([("2", 45), ("4", 40), ("3", 15)]))
        return str(self.weighted([("1", 45), ("3", 22), ("2", 20), ("4", 13)]))

    # What a reviewer looks at twice

    def made_doubtful(self, whole: InventedHousehold) -> InventedHousehold:
        """Return the household with one warning: a wage out of the ordinary or no register number."""
        waged = [i for i in whole.intentions if i.get("wage_floor") is not None]
        if waged and self.chance(0.7):
            chosen = self._one(waged)
            chosen["wage_floor"] = self._one((1_200, 18_000))
            warning = f"V18 {chosen['id']}"
        elif whole.household.get("registry_no"):
            del whole.household["registry_no"]
            warning = f"V17 {whole.household['id']}"
        else:
            return whole
        if self.chance(0.5):
            whole.household["rule_reasons"] = {warning: self._one(_REASONS)}
        return whole


def _child_ids(household_id: str, source: random.Random) -> Callable[[], str]:
    given: set[str] = set()

    def new_id() -> str:
        while (found := ids.child_id(household_id, source.getrandbits(20))) in given:
            pass
        given.add(found)
        return found

    return new_id


def _age(member: Record, on: dt.date) -> int:
    return age_on(member["birth_date"], on.isoformat()) or 0


def _studies(member: Record) -> bool:
    return bool(member["in_school"] != "0")


def _answered(record: Record) -> Record:
    """Return the record without its empty fields."""
    return {name: value for name, value in record.items() if value is not None}
