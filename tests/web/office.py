"""An office at work: a county reviewer in a browser, and a cadre's phone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from builders import PASSWORD, WANGMO, Phone, a_user, sign_in
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, Row
from werkzeug.test import TestResponse

from server.storage import review_pages as queries
from server.storage.accounts import User
from server.storage.engine import reading, writing


@dataclass
class Office:
    """A reviewer of 望谟县 and a phone of one of its cadres."""

    app: Flask
    engine: Engine
    reviewer: User
    browser: FlaskClient
    phone: Phone

    def review(self, household_id: str) -> Row[Any]:
        """Return the review row of a household."""
        with reading(self.engine) as conn:
            found = queries.review_row(conn, WANGMO, WANGMO, household_id)
        assert found is not None
        return found

    def post(self, path: str, data: Mapping[str, Any], browser: Any = None) -> TestResponse:
        """Send a form as the page would, with its token against forgery."""
        browser = browser or self.browser
        page = browser.get("/", follow_redirects=True).text
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert token
        return browser.post(path, data={**data, "csrf_token": token[1]})

    def approve(self, household_id: str, bundle_seq: int | None = None) -> TestResponse:
        """Press the button that approves."""
        seq = self.review(household_id).bundle_seq if bundle_seq is None else bundle_seq
        return self.post(f"/review/{household_id}/approve", {"bundle_seq": seq})

    def give_back(self, household_id: str, comments: Mapping[str, str]) -> TestResponse:
        """Press the button that returns; `comments` by kind.record.field."""
        data = {f"comment.{key}": words for key, words in comments.items()}
        seq = self.review(household_id).bundle_seq
        return self.post(f"/review/{household_id}/return", {"bundle_seq": seq, **data})

    def someone(self, role: str, scope: str, org_id: str | None = None) -> FlaskClient:
        """Return a browser in which somebody else is signed in."""
        with writing(self.engine) as conn:
            user = a_user(conn, role=role, scope=scope, org_id=org_id, password=PASSWORD)
        return sign_in(self.app, user.login)
