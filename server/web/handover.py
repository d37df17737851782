"""Hand-over files brought to an office: taking them in, what became of them, their receipts."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, flash, request

from server.access import audience, server
from server.observe import log
from server.services.take_handover import Carrier, make_receipt, take_handover
from server.storage.accounts import user_names
from server.storage.devices import Device, devices_within
from server.storage.engine import reading
from server.storage.handover import Handover, handovers_within, outcomes_of
from server.web.pages import OFFICE, language, office_user, page, see_other, words
from shared_schemas.errors import ERRORS, ChushanError, ErrorCode
from shared_schemas.handover import MEDIA_TYPE, SALT_BYTES, SUFFIX

blueprint = Blueprint("handover_page", __name__)
SHOWN = 50


@dataclass(frozen=True, slots=True)
class FileView:
    """One file as the page shows it."""

    taken: Handover
    phone: Device
    carried: str
    stored: int
    became: list[tuple[str, int]]
    """Names of outcomes that somebody has to know of, with their counts."""
    fault: str


@blueprint.get("/handover")
@audience(*OFFICE)
def listing() -> Any:
    """Show the upload form and the files so far."""
    return _listing({})


def _listing(errors: dict[str, str], status: int = 200) -> Any:
    user, county = office_user()
    with reading(server().engine) as conn:
        phones = {device.id: device for device in devices_within(conn, county, user.scope)}
        files = handovers_within(conn, county, user.scope, limit=SHOWN)
        names = user_names(conn, {taken.carried_by_user or "" for taken in files})
        counts = [outcomes_of(conn, taken) for taken in files]
        everyone = {device.id: device for device in devices_within(conn, county, county)}
    views = [
        FileView(
            taken,
            phones[taken.device_id],
            _carried(taken, names, everyone),
            count.get("applied", 0) + count.get("merged", 0),
            [(name, count[name]) for name in ("conflict", "held", "dismissed") if name in count],
            _said(ERRORS[taken.fault]) if taken.fault else "",
        )
        for taken, count in zip(files, counts, strict=True)
    ]
    return page("handover/listing.html", status, files=views, errors=errors)


def _carried(taken: Handover, names: dict[str, str], phones: dict[str, Device]) -> str:
    if taken.carried_by_user:
        return names.get(taken.carried_by_user, "")
    phone = phones.get(taken.carried_by_device or "")
    if phone is not None:
        return words("handover.by_phone", name=phone.cadre)
    return "" if taken.carried_by_device else words("handover.at_server")


def _said(error: ErrorCode) -> str:
    lang = language()
    return f"{error.title(lang)}{'。' if lang == 'zh' else '. '}{error.action(lang)}"


@blueprint.post("/handover")
@audience(*OFFICE)
def upload() -> Any:
    """Take in the files that were chosen."""
    user, _ = office_user()
    here = server()
    given = [file for file in request.files.getlist("file") if file.filename]
    if not given:
        return _listing({"file": words("handover.choose_file")}, 422)
    refused = []
    for file in given:
        name = str(file.filename)[-60:]
        carrier = Carrier(user_id=user.id, scope=user.scope)
        try:
            taken = take_handover(here.engine, file.read(), carrier=carrier, now_ms=here.now_ms())
        except ChushanError as error:
            refused.append(words("handover.refused", name=name, why=_said(error.error)))
            continue
        flash(words("handover.taken", name=name, changes=taken.changes, new=taken.new))
        log.info(
            "handover_taken",
            county=taken.county,
            device=taken.device_id,
            user=user.id,
            changes=taken.changes,
            new=taken.new,
            fault=taken.fault,
        )
    if refused:
        return _listing({"file": " ".join(refused)}, 422)
    return see_other("handover_page.listing")


@blueprint.get("/handover/<sha256>/receipt")
@audience(*OFFICE)
def receipt(sha256: str) -> Any:
    """Give the receipt for a file; only the phone that wrote the file can read it."""
    user, county = office_user()
    here = server()
    with reading(here.engine) as conn:
        files = handovers_within(conn, county, user.scope, sha256=sha256)
        if not files:
            raise ChushanError("not_found")
        made = make_receipt(
            conn, files[0], salt=secrets.token_bytes(SALT_BYTES), now_ms=here.now_ms()
        )
    disposition = f'attachment; filename="chushan-receipt-{sha256[:6]}{SUFFIX}"'
    return Response(made, mimetype=MEDIA_TYPE, headers={"Content-Disposition": disposition})
