"""Logs and metrics. One JSON event per line: a verb in the past, and facts as fields.

Never personal data: ids of records, devices and counties, counts, codes, milliseconds.
Metrics are counted in each process by itself: behind several gunicorn workers, `/metrics` answers
for the worker that happens to be asked.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections import Counter as Counted
from collections.abc import Sequence

import structlog
from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram

registry = CollectorRegistry()
REQUESTS = Counter(
    "chushan_requests_total", "Requests answered", ["route", "status"], registry=registry
)
SECONDS = Histogram(
    "chushan_request_seconds", "Time from receipt to answer", ["route"], registry=registry
)
CHANGES = Counter(
    "chushan_changes_total", "Changes received, by outcome", ["outcome"], registry=registry
)
ROWS_PULLED = Counter("chushan_rows_pulled_total", "Rows sent to phones", registry=registry)

log = structlog.get_logger("chushan")


def note_push(outcomes: Sequence[str], *, new: int, **who: str) -> None:
    """Count and log the outcomes of a batch of changes, whichever way it came; `who` by id only."""
    counts = Counted(outcomes)
    for outcome, count in counts.items():
        CHANGES.labels(outcome).inc(count)
    log.info(
        "push_received",
        **who,
        changes=len(outcomes),
        new=new,
        held=counts["held"],
        conflicts=counts["conflict"],
    )


def configure_logs(level: str = "INFO") -> None:
    """Write every event of the server as one line of JSON on standard output."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )


def log_failure(error: BaseException) -> None:
    """Log an unexpected error: its type and where it came from, but not its message.

    Messages of database errors quote values, and values are personal data.
    """
    every = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in every if "site-packages" not in frame.filename]
    frames = [*own[-8:], *every[-1:]]
    log.error(
        "request_failed",
        error=type(error).__name__,
        at=[f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames],
    )


def observe(app: Flask) -> None:
    """Count and time every request."""

    @app.before_request
    def started() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def answered(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        REQUESTS.labels(route, str(response.status_code)).inc()
        if "started" in g:
            SECONDS.labels(route).observe(time.perf_counter() - g.started)
        return response


def log_to_stderr() -> None:
    """Send events to standard error, for commands whose standard output is data."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
