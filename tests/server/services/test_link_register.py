"""The members of a county through the batch model: what is found is put to a person, once."""

from __future__ import annotations

from builders import NOW_MS, OTHER_TOWNSHIP_VILLAGE, VILLAGE, WANGMO, a_family, a_phone
from flask import Flask
from sqlalchemy import Engine, select

from server.linkage import batch, score
from server.services.link_register import counties_with_members, persons_of, propose_found
from server.storage.engine import reading, writing
from server.storage.tables import candidate_pair, person_link


def test_who_was_misheard_is_proposed_once_and_never_linked_by_the_batch(
    app: Flask, engine: Engine
) -> None:
    phone = a_phone(app, engine)
    unknown = {"id_no": None, "no_id_reason": "1", "birth_date": "1985-03-12", "sex": "2"}
    one, other = (
        a_family(village, name=name, phone=phone, **unknown)
        for village, name, phone in (
            (VILLAGE, "岑秀兰", "15400000077"),
            (OTHER_TOWNSHIP_VILLAGE, "岑秀南", "15400000078"),
        )
    )
    stranger = a_family(VILLAGE, name="韦大山")
    for family in (one, other, stranger):
        phone.submit(family)
    with writing(engine) as conn:
        conn.execute(candidate_pair.delete())  # what arrival itself may have found
    assert counties_with_members(engine) == [WANGMO]
    people = list(persons_of(engine, WANGMO))
    assert {row["record_id"] for row in people} == {one.member, other.member, stranger.member}
    assert all(row["head_name"] == row["name"] for row in people)
    linked = batch.link(batch.feature_table(people))
    pair = tuple(sorted((one.member, other.member)))
    assert [(p.left, p.right) for p in linked.pairs] == [pair]
    assert propose_found(engine, WANGMO, linked.pairs, now_ms=NOW_MS) == 1
    assert propose_found(engine, WANGMO, linked.pairs, now_ms=NOW_MS) == 0
    with reading(engine) as conn:
        [row] = conn.execute(select(candidate_pair)).all()
        assert (row.left_id, row.right_id, row.state) == (*pair, "open")
        assert row.score > score.CANDIDATE
        assert row.reasons == ["name_and_birth"]
        assert not conn.execute(select(person_link)).all()
