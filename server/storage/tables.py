"""What the server stores. Record tables follow from the declared fields; the rest stands here.

`county` (six digits) is the first column of every key of a county table and never changes on a
row, so that the tables can be distributed by county one day. Times are UTC epoch milliseconds.
Values of declared JSON fields are JSON text, the same on both databases.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    literal_column,
    text,
)
from sqlalchemy.types import TypeDecorator

from shared_schemas.records import RecordKind, record_kinds

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


to_json_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


class JsonText(TypeDecorator[Any]):
    """A JSON value kept as compact text, NULL for None."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Any) -> str | None:
        return None if value is None else to_json_text(value)

    def process_result_value(self, value: Any, _dialect: Any) -> Any:
        return None if value is None else json.loads(value)


_COLUMN_TYPES: Mapping[str, Any] = {"TEXT": Text, "INTEGER": Integer, "JSON": JsonText}


def column_type(declared: Any) -> Any:
    """Return the column type of a declared field."""
    return Boolean if declared.widget == "flag" else _COLUMN_TYPES[declared.column]


def record_tables() -> dict[str, Table]:
    """Return the table of each kind of record, made from its declared fields."""
    return _record_tables(record_kinds())


@cache
def _record_tables(kinds: tuple[RecordKind, ...]) -> dict[str, Table]:
    known = MetaData(naming_convention=NAMES)
    return {kind.name: _record_table(kind, known) for kind in kinds}


def _record_table(kind: RecordKind, known: MetaData) -> Table:
    columns = [
        Column("county", String(6), primary_key=True),
        Column("id", String(17), primary_key=True),
        Column("seq", BigInteger, nullable=False),
        Column("stamps", JsonText, nullable=False),
        Column("extra", JsonText),
    ]
    if "village_code" not in kind.fields:
        columns.append(Column("village_code", String(12)))
    columns += [Column(name, column_type(f), nullable=True) for name, f in kind.fields.items()]
    table = Table(kind.name, known, *columns)
    Index(None, table.c.county, table.c.seq)
    Index(None, table.c.county, table.c.village_code)
    for name in ("household_id", "member_id", "id_no", "registry_no", "phone", "birth_date"):
        if name in table.c:
            Index(None, table.c.county, table.c[name])
    return table


metadata = MetaData(naming_convention=NAMES)


def _table(name: str, *columns: Any, **options: Any) -> Table:
    return Table(name, metadata, *columns, **options)


def _county() -> Column[str]:
    return Column("county", String(6), primary_key=True)


meta = _table("meta", Column("key", String(40), primary_key=True), Column("value", Text))
"""`epoch`: random id of this life of the database. `schema`: version of the declared fields."""

county_counter = _table("county_counter", _county(), Column("seq", BigInteger, nullable=False))
"""The county's sequence; taken last in the writing transaction (sync.md 3.4)."""

feed_commit = _table(
    "feed_commit",
    _county(),
    Column("seq", BigInteger, primary_key=True),
    Column("tag", String(8), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
"""Last seq of each writing transaction, with a random tag that proves a cursor belongs to it."""

division = _table(
    "division",
    Column("code", String(12), primary_key=True),
    Column("name", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("parent", String(12), index=True),
    Column("valid_from", String(10)),
    Column("valid_to", String(10)),
    Column("successor", String(12)),
    Column("urban_rural", String(3)),
)

organisation = _table(
    "organisation",
    Column("id", String(17), primary_key=True),
    Column("name", Text, nullable=False),
    Column("type", String(20), nullable=False),
    Column("uscc", String(18)),
    Column("division", String(12)),
    Column("licence_no", Text),
    Column("contact", Text),
    Column("phone", Text),
    Column("counties", JsonText, nullable=False),
    Column("active", Boolean, nullable=False),
)
"""`counties`: six-digit codes of the counties whose lists the firm may pull (its agreements)."""

user_account = _table(
    "user_account",
    Column("id", String(17), primary_key=True),
    Column("login", String(80), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("phone", Text),
    Column("role", String(20), nullable=False),
    Column("scope", String(12), nullable=False),
    Column("org_id", String(17)),
    Column("password_hash", Text),
    Column("active", Boolean, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
)
"""`role` is a code of user_role; `scope` a division prefix, empty for a firm's user."""

device = _table(
    "device",
    _county(),
    Column("id", String(17), primary_key=True),
    Column("user_id", String(17), nullable=False),
    Column("label", Text, nullable=False),
    Column("scope", String(12), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("state", String(10), nullable=False),
    Column("enrolled_at_ms", BigInteger, nullable=False),
    Column("last_sync_at_ms", BigInteger),
    Column("clock_skew_s", Integer),
    Column("app_version", Text),
)

enrolment = _table(
    "enrolment",
    Column("code_hash", String(64), primary_key=True),
    Column("county", String(6), nullable=False),
    Column("user_id", String(17), nullable=False),
    Column("scope", String(12), nullable=False),
    Column("made_by", String(17)),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("used_at_ms", BigInteger),
)

incarnation = _table(
    "incarnation",
    _county(),
    Column("id", String(13), primary_key=True),
    Column("device_id", String(17), nullable=False),
    Column("acked_n", BigInteger, nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False),
)

change = _table(
    "change",
    _county(),
    Column("incarnation", String(13), primary_key=True),
    Column("n", BigInteger, primary_key=True),
    Column("hash", String(16), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("record_id", String(17), nullable=False),
    Column("village_code", String(12)),
    Column("base", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("eff_ms", BigInteger, nullable=False),
    Column("values", JsonText, nullable=False),
    Column("schema", Integer, nullable=False),
    Column("lost", Boolean),
    Column("outcome", String(10), nullable=False),
    Column("reason", String(40)),
    Column("seq", BigInteger, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("author_id", String(17), nullable=False),
    Column("device_id", String(17)),
    Column("resolution", String(20)),
    Column("resolved_by", String(17)),
    Column("resolved_at_ms", BigInteger),
    Column("note", Text),
)
"""Every change that ever arrived, with its outcome: the audit trail and the list of held ones.

The primary key is what makes a change sent twice have one effect. `lost`: its `base` is of an earlier
life of this database, so it has seen nothing here, also when it is applied late. `note`: what the county tells the
author of a held change that it closed.
"""
Index(None, change.c.county, change.c.record_id)
# The tally of a phone, told with each answer.
Index(None, change.c.county, change.c.incarnation, change.c.outcome)
IS_HELD = change.c.outcome == literal_column("'held'")
"""Without a parameter, so that the index of held changes serves it."""
Index(
    "ix_change_held",
    change.c.county,
    change.c.resolution,
    change.c.reason,
    sqlite_where=IS_HELD,
    postgresql_where=IS_HELD,
)

conflict = _table(
    "conflict",
    _county(),
    Column("id", String(17), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("record_id", String(17), nullable=False),
    Column("household_id", String(17)),
    Column("village_code", String(12)),
    Column("field", String(41), nullable=False),
    Column("ours", JsonText),
    Column("theirs", JsonText),
    Column("ours_author", String(17)),
    Column("theirs_author", String(17)),
    Column("ours_incarnation", String(13)),
    Column("theirs_incarnation", String(13)),
    Column("ours_at_ms", BigInteger),
    Column("theirs_at_ms", BigInteger),
    Column("shown", String(6), nullable=False),
    Column("state", String(10), nullable=False),
    Column("decided_value", JsonText),
    Column("decided_by", String(17)),
    Column("decided_at_ms", BigInteger),
)
"""`state`: open or decided. Both values stay for ever."""
Index(
    "uq_conflict_one_open_per_branch",
    conflict.c.county,
    conflict.c.kind,
    conflict.c.record_id,
    conflict.c.field,
    conflict.c.theirs_incarnation,
    unique=True,
    sqlite_where=conflict.c.state == "open",
    postgresql_where=conflict.c.state == "open",
)
Index(None, conflict.c.county, conflict.c.seq)
Index(None, conflict.c.county, conflict.c.household_id)

review = _table(
    "review",
    _county(),
    Column("household_id", String(17), primary_key=True),
    Column("village_code", String(12)),
    Column("seq", BigInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("lane", String(6)),
    Column("hits", JsonText, nullable=False),
    Column("bundle_seq", BigInteger, nullable=False),
    Column("submitted_at_ms", BigInteger),
    Column("submitted_by", String(17)),
    Column("comments", JsonText, nullable=False),
    Column("decided_by", String(17)),
    Column("decided_at_ms", BigInteger),
    Column("approved_at_ms", BigInteger),
    Column("approved_values", JsonText),
    Column("same_as", String(17)),
)
"""Review of a household bundle. `state`: to_confirm (from a roster), in_review, returned, approved,
void. `comments`: [{kind, record_id, field, text}], the reviewer's words bound to fields.
`bundle_seq`: highest seq of the bundle's records, so that a decision about an older state is
refused. `approved_values`: [[kind, id, values]] of the version that lists still show. `same_as`: the household
that this one is counted with where it is listed twice."""
Index(None, review.c.county, review.c.state, review.c.lane)
Index(None, review.c.county, review.c.seq)
Index(None, review.c.county, review.c.village_code)

handover = _table(
    "handover",
    _county(),
    Column("sha256", String(64), primary_key=True),
    Column("device_id", String(17), nullable=False),
    Column("incarnation", String(13), nullable=False),
    Column("first_n", BigInteger, nullable=False),
    Column("last_n", BigInteger, nullable=False),
    Column("new", Integer, nullable=False),
    Column("fault", String(40)),
    Column("taken_at_ms", BigInteger, nullable=False),
    Column("carried_by_user", String(17)),
    Column("carried_by_device", String(17)),
)
"""Hand-over files that were taken: whose changes, from `first_n` to `last_n`, came with whom. `new`:
how many had not come before. `fault`: the error code at which the rest of the file was left, NULL
where all of it was taken. The file itself is not kept, and a receipt is made anew when asked for."""
Index(None, handover.c.county, handover.c.taken_at_ms)

handover_piece = _table(
    "handover_piece",
    _county(),
    Column("carrier_id", String(17), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("start", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
"""What has come of a hand-over file that a phone is bringing in: one file at a time for each carrier."""
Index(None, handover_piece.c.county, handover_piece.c.at_ms)

departure = _table(
    "departure",
    _county(),
    Column("kind", String(20), primary_key=True),
    Column("record_id", String(17), primary_key=True),
    Column("village_code", String(12), primary_key=True),
    Column("to_village", String(12), nullable=False),
    Column("seq", BigInteger, nullable=False),
)
"""Records that left a village: phones that see only the old one learn it from here. A household
stands for all that belongs to it."""
Index(None, departure.c.county, departure.c.seq)
Index(None, departure.c.county, departure.c.village_code)

candidate_pair = _table(
    "candidate_pair",
    _county(),
    Column("left_id", String(17), primary_key=True),
    Column("right_id", String(17), primary_key=True),
    Column("score", Float, nullable=False),
    Column("breakdown", JsonText, nullable=False),
    Column("reasons", JsonText, nullable=False),
    Column("state", String(10), nullable=False),
    Column("proposed_at_ms", BigInteger, nullable=False),
    Column("decided_by", String(17)),
    Column("decided_at_ms", BigInteger),
    Column("note", Text),
)
"""Two registrations of a county that may be one person, the lower id on the left. `state`: open,
merged, not_same or unsure. `breakdown`: [{comparison, level, weight}]; the weights add up to the
score. `reasons`: codes of the keys that found the pair, and of what keeps the machine from linking
it. Pairs across counties are kept elsewhere, by keyed hashes: neither county may read the other's."""
Index(None, candidate_pair.c.county, candidate_pair.c.state, candidate_pair.c.score)
Index(None, candidate_pair.c.county, candidate_pair.c.right_id)

match_features = _table(
    "match_features",
    _county(),
    Column("member_id", String(17), primary_key=True),
    Column("household_id", String(13), nullable=False),
    Column("features", Text, nullable=False),
)
"""What a present member is compared by (`linkage.levels.Side`), computed when he is written."""
Index(None, match_features.c.county, match_features.c.household_id)

match_key = _table(
    "match_key",
    _county(),
    Column("key_hash", String(16), primary_key=True),
    Column("member_id", String(17), primary_key=True),
    sqlite_with_rowid=False,
)
"""The blocking keys of the members (`linkage.keys`). A push writes some nine of each member, so they
stand in one tree and no other: those of a member are known from his features."""

linkage_model = _table(
    "linkage_model",
    _county(),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("model", JsonText, nullable=False),
)
"""What `chushan link` has learnt of a county: how common names are, and how two people differ."""

person_link = _table(
    "person_link",
    _county(),
    Column("id", String(17), primary_key=True),
    Column("left_id", String(17), nullable=False),
    Column("right_id", String(17), nullable=False),
    Column("source", String(10), nullable=False),
    Column("chosen", JsonText, nullable=False),
    Column("confirmed", JsonText, nullable=False),
    Column("reason", Text),
    Column("linked_by", String(17)),
    Column("linked_at_ms", BigInteger, nullable=False),
    Column("withdrawn_by", String(17)),
    Column("withdrawn_at_ms", BigInteger),
    Column("withdrawn_reason", Text),
)
"""That two registrations are one person. Undo sets `withdrawn_at_ms`; the records are never touched.
`source`: machine or person. `chosen`: {field: registration} where a person decided against the
authority of the field. `confirmed`: codes of what spoke against it and was confirmed (`golden.Clash`)."""
Index(
    "uq_person_link_one_in_force",
    person_link.c.county,
    person_link.c.left_id,
    person_link.c.right_id,
    unique=True,
    sqlite_where=person_link.c.withdrawn_at_ms.is_(None),
    postgresql_where=person_link.c.withdrawn_at_ms.is_(None),
)
Index(None, person_link.c.county, person_link.c.right_id)

person_member = _table(
    "person_member",
    _county(),
    Column("member_id", String(17), primary_key=True),
    Column("household_id", String(17), nullable=False),
    Column("village_code", String(12), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("person_id", String(13)),
    Column("registrations", Integer, nullable=False),
    Column("listed", Boolean, nullable=False),
)
"""Registrations that belong to a person of several, derived from the links in force. `person_id` is
NULL once the last link of one was taken back. `listed`: whether this is the registration by which
the person stands on the labour list; where any of them refuses, none is."""
Index(None, person_member.c.county, person_member.c.person_id)
Index(None, person_member.c.county, person_member.c.household_id)
Index(None, person_member.c.county, person_member.c.seq)
Index(None, person_member.c.county, person_member.c.village_code)

household_pair = _table(
    "household_pair",
    _county(),
    Column("left_id", String(17), primary_key=True),
    Column("right_id", String(17), primary_key=True),
    Column("shared", Integer, nullable=False),
    Column("reasons", JsonText, nullable=False),
    Column("facts", JsonText, nullable=False),
    Column("state", String(10), nullable=False),
    Column("stays", String(17)),
    Column("undo", JsonText),
    Column("proposed_at_ms", BigInteger, nullable=False),
    Column("decided_by", String(17)),
    Column("decided_at_ms", BigInteger),
    Column("note", Text),
)
"""Two household lists that may be one household listed twice, the lower id on the left. `state`: open,
unsure, one or two. `reasons`: codes (`linkage.households.REASONS`). `facts`: what spoke for it when it
was found or decided; two households are asked about again only when something new does. `stays`: of
one household, the list that counts. `undo`: {said, members: [{left, right, said}]}, what was said of
the pair, and of each pair of members that the decision joined, before it."""
Index(None, household_pair.c.county, household_pair.c.state, household_pair.c.shared)
Index(None, household_pair.c.county, household_pair.c.right_id)

labourer = _table(
    "labourer",
    _county(),
    Column("member_id", String(17), primary_key=True),
    Column("household_id", String(17), nullable=False),
    Column("village_code", String(12), nullable=False),
    Column("name", Text, nullable=False),
    Column("sex", String(1)),
    Column("birth_date", String(10)),
    Column("labour_ability", String(2)),
    Column("in_school", String(2)),
    Column("graduates_on", String(10)),
    Column("speaks_mandarin", String(2)),
    Column("wants_job", String(2)),
    Column("reach", String(2)),
    Column("wage_floor", Integer),
    Column("available_from", String(10)),
    Column("confirmed_on", String(10)),
    Column("together_with", String(2)),
    Column("partners", JsonText, nullable=False),
    Column("share_hr", Boolean, nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("listable", Boolean, nullable=False),
    Column("state", String(12), nullable=False),
    Column("card", JsonText, nullable=False),
    Column("reveals", JsonText, nullable=False),
    Column("occupations", Text, nullable=False),
    Column("approved_at_ms", BigInteger, nullable=False),
)
"""One row for each working-age member of an approved bundle: what the labour list asks and shows.

Derived at approval from the approved values; a withdrawal of consent or a death updates it at once.
`card` holds the fields whose declaration names the audience firm_list, `reveals` those of
firm_reveal. `occupations`: wished codes
between commas (`,01,03,`), `*` for any. `partners`: member ids of the spouse, father, son or brother
whom this person wants to go with. `listable`: has an ID number."""
Index(
    "ix_labourer_list",
    labourer.c.county,
    labourer.c.confirmed_on,
    labourer.c.member_id,
    labourer.c.wants_job,
    labourer.c.state,
    labourer.c.labour_ability,
    labourer.c.in_school,
    labourer.c.graduates_on,
    labourer.c.available_from,
    labourer.c.birth_date,
    labourer.c.sex,
    labourer.c.reach,
    labourer.c.wage_floor,
    labourer.c.speaks_mandarin,
    labourer.c.together_with,
    labourer.c.village_code,
    labourer.c.occupations,
    labourer.c.share_hr,
    labourer.c.gone,
    labourer.c.listable,
    sqlite_where=text("share_hr = 1 AND gone = 0 AND listable = 1"),
    postgresql_where=text("share_hr AND NOT gone AND listable"),
)
"""The labour list asks nothing else of a labourer, so a page is found and a total counted without
the table; in the list's order, so that a page ends as soon as it is full."""
Index(None, labourer.c.county, labourer.c.household_id)

hold = _table(
    "hold",
    _county(),
    Column("member_id", String(17), primary_key=True),
    Column("org_id", String(17), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("extended", Boolean, nullable=False),
)

list_pull = _table(
    "list_pull",
    Column("id", String(17), primary_key=True),
    Column("org_id", String(17), nullable=False, index=True),
    Column("user_id", String(17)),
    Column("at_ms", BigInteger, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("filters", JsonText, nullable=False),
    Column("counties", JsonText, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("channel", String(10), nullable=False),
)
"""Who pulled which list, when and what for. `channel`: page, api, xlsx."""

list_pull_row = _table(
    "list_pull_row",
    _county(),
    Column("pull_id", String(17), primary_key=True),
    Column("member_id", String(17), primary_key=True),
    Column("list_no", Integer, nullable=False),
)

reveal = _table(
    "reveal",
    _county(),
    Column("id", String(17), primary_key=True),
    Column("org_id", String(17), nullable=False),
    Column("user_id", String(17)),
    Column("member_id", String(17), nullable=False),
    Column("pull_id", String(17), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
Index(None, reveal.c.org_id, reveal.c.at_ms)

api_key = _table(
    "api_key",
    Column("id", String(17), primary_key=True),
    Column("org_id", String(17), nullable=False),
    Column("label", Text, nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("revoked_at_ms", BigInteger),
)

roster_import = _table(
    "roster_import",
    _county(),
    Column("id", String(17), primary_key=True),
    Column("file_name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("by_user", String(17), nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("finished_at_ms", BigInteger),
    Column("state", String(10), nullable=False),
    Column("mapping", JsonText, nullable=False),
    Column("rows_read", Integer, nullable=False),
    Column("rows_total", Integer, nullable=False),
    Column("rows_bad", Integer, nullable=False),
    Column("households_new", Integer, nullable=False),
    Column("members_new", Integer, nullable=False),
    Column("records_changed", Integer, nullable=False),
    Column("message", Text),
)
"""One run of the roster import; `rows_read` against `rows_total` is its progress."""

roster_fault = _table(
    "roster_fault",
    _county(),
    Column("import_id", String(17), primary_key=True),
    Column("row_no", Integer, primary_key=True),
    Column("column_no", Integer, primary_key=True),
    Column("heading", Text, nullable=False),
    Column("value", Text),
    Column("reason", Text, nullable=False),
)

roster_row = _table(
    "roster_row",
    _county(),
    Column("kind", String(20), primary_key=True),
    Column("record_id", String(17), primary_key=True),
    Column("values", JsonText, nullable=False),
    Column("seq", BigInteger, nullable=False),
)
"""What the last roster said of a record, and the seq at which it said so: the base of the next
import's changes. The same file again differs in nothing, so it changes nothing."""

cross_key = _table(
    "cross_key",
    _county(),
    Column("record_id", String(17), primary_key=True),
    Column("kind", String(4), primary_key=True),
    Column("key_hash", String(16), nullable=False),
)
"""Keyed hashes by which a registration is found in another county. `kind`: id, or name (with birth
date and sex). The key is kept outside the database."""
Index(None, cross_key.c.key_hash)

cross_key_state = _table(
    "cross_key_state",
    _county(),
    Column("key_mark", String(8), nullable=False),
    Column("upto_seq", BigInteger, nullable=False),
)
"""Up to which number of its feed a county's hashes were made, and under which key."""

county_double = _table(
    "county_double",
    _county(),
    Column("id", String(17), primary_key=True),
    Column("other_county", String(6), nullable=False),
    Column("record_id", String(17), nullable=False),
    Column("strength", String(8), nullable=False),
    Column("word", String(8), nullable=False),
    Column("word_by", String(17)),
    Column("word_at_ms", BigInteger),
    Column("verdict", String(8), nullable=False),
    Column("verdict_by", String(17)),
    Column("verdict_at_ms", BigInteger),
    Column("found_at_ms", BigInteger, nullable=False),
)
"""One county's side of a person who seems to stand in two; the other side has the same `id` in the
other county. `strength`: likely or possible. `word`: empty, agreed (to an exchange) or refused;
`verdict`: empty, same or not_same. They are one person while both sides say same."""
Index(None, county_double.c.county, county_double.c.record_id)

phone_index = _table(
    "phone_index",
    _county(),
    Column("generation", Integer, primary_key=True),
    Column("key", String(32), nullable=False),
    Column("upto_seq", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("townships", JsonText, nullable=False),
    Column("complete", Boolean, nullable=False),
)
"""The index of who is registered that a county's phones carry, one row for each key it was made with.
`number` counts its changes, `entries` and `total` are what a phone compares its own with."""

index_entry = _table(
    "index_entry",
    _county(),
    Column("generation", Integer, primary_key=True),
    Column("member_id", String(17), primary_key=True),
    Column("kind", String(4), primary_key=True),
    Column("fingerprint", BigInteger, nullable=False),
    Column("township", Integer, nullable=False),
)
"""What stands in the index of a registration. `kind`: id, or name (with the birth date)."""
Index(None, index_entry.c.county, index_entry.c.generation, index_entry.c.fingerprint)

index_change = _table(
    "index_change",
    _county(),
    Column("generation", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("fingerprint", BigInteger, nullable=False),
    Column("township", Integer, nullable=False),
    Column("added", Boolean, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
"""How the index changed, for the phones that have it; kept for 90 days."""
Index(None, index_change.c.county, index_change.c.at_ms)

audit = _table(
    "audit",
    _county(),
    Column("id", String(17), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", String(17), nullable=False),
    Column("action", String(40), nullable=False),
    Column("target_kind", String(20)),
    Column("target_id", String(40)),
    Column("detail", JsonText),
)
Index(None, audit.c.county, audit.c.at_ms)
Index(None, audit.c.county, audit.c.target_id)

rate_count = _table(
    "rate_count",
    Column("bucket", String(80), primary_key=True),
    Column("window", BigInteger, primary_key=True),
    Column("count", Integer, nullable=False),
)
"""Calls counted per bucket (device, key, login) and minute."""
