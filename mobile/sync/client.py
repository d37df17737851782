"""The server's sync endpoints as functions, and what can go wrong on the way."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared_schemas import SCHEMA_VERSION
from shared_schemas.errors import ERRORS
from shared_schemas.handover import MEDIA_TYPE
from shared_schemas.locale import text
from shared_schemas.protocol import MAX_MESSAGE_BYTES, PACKED, PROTOCOL
from shared_schemas.wire import NotAMessageError, dictionary, parse_json, unpack

if TYPE_CHECKING:
    import requests

CONNECT_TIMEOUT_S = 10.0
_JSON, _NDJSON = "application/json", "application/x-ndjson"
_PROBLEM = "application/problem+json"
NOT_MODIFIED = 304
_HELLO_NEEDS = (
    "epoch", "scope", "cadre", "acked", "tally", "settled", "places", "news",
)  # fmt: skip


class SyncError(Exception):
    """A sync did not get through. `words` says what happened and what to do now."""

    key = "sync.error.unknown"

    def words(self, lang: str = "zh") -> str:
        """Return what happened and what to do now."""
        return text(self.key, lang)


class NoSignal(SyncError):  # noqa: N818 - these are named after what the cadre meets
    """The server was not reached."""

    key = "sync.error.no_signal"


class CutShort(SyncError):  # noqa: N818
    """The link broke or fell silent; whether the request had its effect is not known."""

    key = "sync.error.cut_short"


class Silent(CutShort):
    """The server was reached and said nothing for as long as we wait."""


class CaptivePortal(SyncError):  # noqa: N818
    """A page for people came instead of the server's answer."""

    key = "sync.error.captive_portal"


class TLSFailed(SyncError):  # noqa: N818
    """No trusted connection: a wrong clock, or a network that looks inside."""

    key = "sync.error.tls"


class ServerTooOld(SyncError):  # noqa: N818
    """The server does not speak this app's protocol yet."""

    key = "sync.error.server_too_old"


class AppTooOld(SyncError):  # noqa: N818
    """The server no longer takes this app's protocol."""

    key = "sync.error.app_too_old"


class NotOurServer(SyncError):  # noqa: N818
    """Something answers at the address, but not a Chushan server."""

    key = "sync.error.not_our_server"


class NotEnrolled(SyncError):  # noqa: N818
    """The phone has no token yet."""

    key = "sync.error.not_enrolled"


class BadEnrolment(SyncError):  # noqa: N818
    """A text that is no enrolment code."""

    key = "sync.error.bad_enrolment"


class NoQrFound(BadEnrolment):
    """A picture without a QR code in it."""

    key = "sync.error.no_qr"


class AlreadyRunning(SyncError):  # noqa: N818
    """Another sync runs at this moment."""

    key = "sync.error.already_running"


class Cancelled(SyncError):  # noqa: N818
    """The cadre stopped the sync."""

    key = "sync.error.cancelled"


class NoRoomLeft(SyncError):  # noqa: N818
    """The phone is full, so what comes cannot be kept."""

    key = "sync.error.phone_full"


class Refused(SyncError):  # noqa: N818
    """The server said no, with one of the codes of `shared_schemas.errors`."""

    def __init__(self, code: str, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.extra = dict(extra or {})

    def words(self, lang: str = "zh") -> str:
        """Return what happened and what to do now."""
        error = ERRORS.get(self.code)
        if error is None:
            return super().words(lang)
        between = "。" if lang == "zh" else ". "
        return f"{error.title(lang)}{between}{error.action(lang)}"


def remembered(error: SyncError | None) -> list[str] | None:
    """Return an error as JSON values, for `recalled`."""
    return None if error is None else [type(error).__name__, getattr(error, "code", "")]


def recalled(kept: list[str] | None) -> SyncError | None:
    """Return the error that `remembered` kept; one that this version does not know is a plain one."""
    if kept is None:
        return None
    name, code = kept
    if name == Refused.__name__:
        return Refused(code)
    known = globals().get(name, SyncError)
    error: SyncError = known()
    return error


class Client:
    """One server and this phone's token for it. Keeps a connection open; `close` it after use.

    `timeout_s` is the longest silence of the server, in seconds. Every method raises a SyncError.
    """

    def __init__(self, server_url: str, token: str | None = None, timeout_s: float = 20.0) -> None:
        # Late: 0.2 s and 18 MiB on a phone, spent on the sync's thread.
        import requests
        from urllib3.util import SKIP_HEADER

        self._url = server_url.rstrip("/")
        self._timeout = (min(CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"chushan-phone/{SCHEMA_VERSION}"
        # Answers are packed by us where it pays; the transport need not try. Every byte counts.
        self._session.headers["Accept-Encoding"] = SKIP_HEADER
        self._session.headers["Connection"] = None  # type: ignore[assignment]
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def enrol(self, code: str, incarnation: str, label: str, app_version: str) -> dict[str, Any]:
        """Exchange a one-time code for a token; the answer is `messages.EnrolAnswer`."""
        body = {
            "code": code,
            "incarnation": incarnation,
            "label": label[:80],
            "app_version": app_version[:20],
        }
        return self._answer("POST", "enrol", json=body, needs=("token", "device_id"))

    def hello(
        self,
        incarnation: str,
        cursor: str | None = None,
        known: Mapping[str, Any] | None = None,
        answered: Mapping[str, tuple[int, str]] | None = None,
        epoch: str | None = None,
    ) -> dict[str, Any]:
        """Ask what the server knows of this phone; the answer is `messages.HelloAnswer`.

        `cursor` is where the last pull ended, `known` the last answer with its `mark`: what has not
        changed since is not sent again, and the answer that has not changed at all is `known`.
        `answered` has, of each incarnation, the highest n with an answer and that change's hash: a
        server that does not know one of them went back. `epoch` is the life of the server that gave
        these answers; a cursor says it as well.
        """
        query: dict[str, Any] = {"incarnation": incarnation}
        if answered:
            last = [f"{life}-{n}-{named[:8]}" for life, (n, named) in answered.items()]
            query["answered"] = ",".join(last[:MOST_LIVES])
        headers = {"Accept": PACKED}
        if cursor is not None:
            query["cursor"] = cursor
        elif epoch is not None:
            query["epoch"] = epoch
        if known is not None and "mark" not in known:
            known = None  # kept by an app that did not ask for less yet
        if known is not None:
            query["places"] = known["places"]
            headers["If-None-Match"] = known["mark"]
        with self._sent("GET", "hello", params=query, headers=headers) as got:
            if got.status_code == NOT_MODIFIED and known is not None:
                return dict(known)
            answer = _parsed(got, needs=("protocol",))
            answer["mark"] = got.headers.get("ETag", "")
        if answer["protocol"] < PROTOCOL:
            raise ServerTooOld
        if any(key not in answer for key in _HELLO_NEEDS):
            raise NotOurServer
        return answer

    def outcomes(self, incarnation: str, first: int, last: int) -> list[dict[str, Any]]:
        """Ask what has become of changes that were pushed (`messages.StoredOutcomeRow`)."""
        query = {"incarnation": incarnation, "first": first, "last": last}
        answer = self._answer("GET", "outcomes", params=query, needs=("outcomes",))
        return list(answer["outcomes"])

    def index(self, generation: str | None, after: int | None) -> dict[str, Any]:
        """Ask how the county's index changed; the answer is `messages.IndexAnswer`."""
        query = {"generation": generation, "after": after}
        return self._answer(
            "GET", "index", params=query, headers={"Accept": PACKED}, needs=("ready",)
        )

    def index_pages(self, generation: str, first: int, count: int) -> list[dict[str, Any]]:
        """Fetch pages of the index (`messages.IndexPage`); none where it is another one by now."""
        query: dict[str, Any] = {"generation": generation, "first": first, "count": count}
        answer = self._answer(
            "GET", "index/pages", params=query, headers={"Accept": PACKED}, needs=("pages",)
        )
        return list(answer["pages"])

    def handover(self, sha256: str) -> dict[str, Any]:
        """Ask how much of a hand-over file has come; the answer is `messages.HandoverState`."""
        return self._answer("GET", f"handover/{sha256}", needs=("have", "taken"))

    def put_piece(self, sha256: str, offset: int, size: int, piece: bytes) -> dict[str, Any]:
        """Send a piece of a hand-over file of `size` bytes; the answer is `messages.HandoverState`."""
        return self._answer(
            "PUT",
            f"handover/{sha256}",
            params={"offset": offset, "size": size},
            data=piece,
            headers={"Content-Type": MEDIA_TYPE},
            needs=("have", "taken"),
        )

    def receipt(self, sha256: str) -> bytes:
        """Fetch the receipt for a hand-over file; only its author's phone can read it."""
        with self._sent("GET", f"handover/{sha256}/receipt") as got:
            if _media_type(got) != MEDIA_TYPE:
                raise NotOurServer
            return bytes(got.content)

    def push(self, body: bytes) -> dict[str, Any]:
        """Send a packed `messages.PushRequest`; the answer is `messages.PushAnswer`."""
        headers = {"Content-Type": PACKED, "Accept": PACKED}
        needs = ("epoch", "acked", "received_at_ms", "outcomes")
        return self._answer("POST", "push", data=body, headers=headers, needs=needs)

    def pull(
        self, cursor: str | None, limit: int, incarnation: str, held: str = ""
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the lines (`messages.PullLine`) of one answer as they arrive, several at a time.

        `held` names what was `shown` in answers to pushes and need not come. A cut raises CutShort
        after the lines that came whole.
        """
        query: dict[str, Any] = {
            "limit": limit,
            "schema": SCHEMA_VERSION,
            "incarnation": incarnation,
        }
        if cursor is not None:
            query["cursor"] = cursor
        if held:
            query["held"] = held
        with self._sent(
            "GET", "pull", params=query, headers={"Accept": PACKED}, stream=True
        ) as got:
            if _media_type(got) == PACKED:
                yield from _together(_lines(got))
            else:
                raise NotOurServer

    def _answer(
        self, method: str, name: str, *, needs: tuple[str, ...], **args: Any
    ) -> dict[str, Any]:
        with self._sent(method, name, **args) as got:
            return _parsed(got, needs=needs)

    @contextmanager
    def _sent(self, method: str, name: str, **args: Any) -> Iterator[requests.Response]:
        """Send a request and give its good answer; every failure becomes a SyncError."""
        import requests

        url = f"{self._url}/sync/v1/{name}"
        try:
            with self._session.request(
                method, url, timeout=self._timeout, allow_redirects=False, **args
            ) as got:
                _refuse_unless_good(got)
                yield got
        except requests.exceptions.SSLError as error:
            raise TLSFailed from error
        except requests.exceptions.ConnectTimeout as error:
            raise NoSignal from error
        except requests.exceptions.ReadTimeout as error:
            raise Silent from error
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
        ) as error:
            raise NotOurServer from error
        except requests.exceptions.ConnectionError as error:
            raise (CutShort if _was_connected(error) else NoSignal) from error
        except requests.exceptions.RequestException as error:
            raise CutShort from error


def _was_connected(error: Exception) -> bool:
    """Tell a link that broke from one that never came to be."""
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    cause: Any = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    return not isinstance(cause, NewConnectionError)


def _parsed(got: requests.Response, *, needs: tuple[str, ...]) -> dict[str, Any]:
    try:
        answer = unpack(got.content) if _media_type(got) == PACKED else parse_json(got.content)
    except NotAMessageError as error:
        raise CutShort from error
    if not isinstance(answer, dict) or any(key not in answer for key in needs):
        raise NotOurServer
    return answer


def _media_type(got: requests.Response) -> str:
    return got.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _refuse_unless_good(got: requests.Response) -> None:
    if got.status_code == NOT_MODIFIED:
        return  # has no body
    if 300 <= got.status_code < 400 or got.status_code == 511:
        raise CaptivePortal
    kind = _media_type(got)
    if any(
        known.startswith(kind) and known != kind
        for known in (_JSON, _NDJSON, PACKED, MEDIA_TYPE, _PROBLEM)
    ):
        # Cut within the headers: the HTTP library takes what came of them for an answer.
        raise CutShort
    if kind == _PROBLEM:
        raise _refused(got)
    if got.status_code >= 500:
        raise Refused("busy")
    if got.status_code >= 400:
        raise NotOurServer
    if kind == "text/html":
        raise CaptivePortal
    if kind not in (_JSON, _NDJSON, PACKED, MEDIA_TYPE):
        raise NotOurServer


def _refused(got: requests.Response) -> SyncError:
    try:
        problem = json.loads(got.content)
        code = str(problem["code"])
    except (ValueError, KeyError, TypeError):
        return CutShort()
    if code == "unknown_protocol":
        supported = problem.get("supported") or []
        return AppTooOld() if any(version > PROTOCOL for version in supported) else ServerTooOld()
    return Refused(code, problem)


def _lines(got: requests.Response) -> Iterator[list[dict[str, Any]]]:
    """Unpack one deflate stream of lines; each line was flushed, so each can be read when it came."""
    unpacker = zlib.decompressobj(15, dictionary())
    rest = b""
    for chunk in got.iter_content(chunk_size=None):
        try:
            rest += unpacker.decompress(chunk)
        except zlib.error as error:
            raise CutShort from error
        if len(rest) > MAX_MESSAGE_BYTES:
            raise NotOurServer
        *whole, rest = rest.split(b"\n")
        if whole:
            yield [_line(line) for line in whole]
    if not unpacker.eof or rest:
        raise CutShort


MOST_LIVES = 20
"""Earlier incarnations told in one hello; a phone has one more for each time that it was restored."""

LINES_AT_ONCE = 10


def _together(pieces: Iterable[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """Join the lines that come within a second, at most ten: to store waits for the disk each time.

    What came before a cut is given before the cut is told.
    """
    waiting: list[dict[str, Any]] = []
    began = time.monotonic()
    try:
        for lines in pieces:
            waiting += lines
            if len(waiting) >= LINES_AT_ONCE or time.monotonic() > began + 1:
                yield waiting
                waiting, began = [], time.monotonic()
    except (SyncError, OSError):  # what requests raises is an OSError
        if waiting:
            yield waiting
        raise
    if waiting:
        yield waiting


def _line(plain: bytes) -> dict[str, Any]:
    try:
        line = parse_json(plain)
    except NotAMessageError as error:
        raise CutShort from error
    if not isinstance(line, dict) or not {"cursor", "more", "groups"} <= line.keys():
        raise NotOurServer
    return line
