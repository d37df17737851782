"""The first page: what waits today, how far each place is surveyed, which phones were heard of."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, url_for

from server.access import audience, current_user, server
from server.services.labour import day_start_ms
from server.storage import review_pages as queries
from server.storage.devices import devices_within
from server.storage.engine import reading
from server.web.pages import page, remember_language

blueprint = Blueprint("home", __name__)
blueprint.after_app_request(remember_language)


@blueprint.get("/")
@audience("signed_in")
def start() -> Any:
    """Send a firm to its list; show an office its day."""
    user = current_user()
    if user.role == "hr_firm":
        return redirect(url_for("labour_list.listing"))
    if user.role == "cadre":
        return page("home/cadre.html")
    county = user.county
    below = next(width for width in (6, 9, 12, 13) if width > len(user.scope))
    with reading(server().engine) as conn:
        places = queries.coverage(conn, user.scope, county=county, width=min(below, 12))
        lanes: dict[str, dict[str, int]] = {}
        figures = None
        devices: list[Any] = []
        if county is not None:
            wanted = queries.Wanted(county, user.scope)
            lanes = queries.state_counts(conn, wanted)
            figures = queries.day_figures(
                conn, county, user.scope, day_start_ms(server().today(), server().settings.timezone)
            )
            devices = devices_within(conn, county, user.scope)[:8]
        names = queries.division_names(conn, [device.scope for device in devices])
    return page(
        "home/start.html",
        places=places,
        total=sum(place.households for place in places),
        surveyed=sum(place.surveyed for place in places),
        approved=sum(place.approved for place in places),
        states=lanes,
        figures=figures,
        devices=devices,
        names=names,
        below=below,
        today=server().today(),
        late_ms=server().now_ms() - 7 * 86_400_000,
    )
