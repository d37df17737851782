"""Writes the generated parts of the documentation, from the code that they document.

A page is written by hand around blocks that stand between `<!-- generated: NAME -->` and
`<!-- end -->`; this fills the blocks. `--check` writes nothing and fails where a page is not
current. tests/docs/test_docs.py runs the same check.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import click
import marshmallow as ma

from shared_schemas import codes
from shared_schemas.errors import ERRORS
from shared_schemas.fields import Audience, Declared, Merge
from shared_schemas.records import RecordKind, record_kinds
from shared_schemas.rules import RULES

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- generated: (?P<name>[a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)

BLOCKS: dict[str, Callable[[], str]] = {}


def block(make: Callable[[], str]) -> Callable[[], str]:
    """Register a block under its function's name."""
    BLOCKS[make.__name__] = make
    return make


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *([_cell(c) for c in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


# --- Settings ---------------------------------------------------------------------------------


@block
def settings() -> str:
    """Every setting with its default and the words that stand beside it in the code."""
    from server.settings import Settings

    said = _attribute_docstrings(ROOT / "server/settings.py", "Settings")
    return table(
        ("Variable", "Kind", "Default", "What it does"),
        (
            (
                f"`CHUSHAN_{entry.name.upper()}`",
                entry.type,
                f"`{entry.default}`" if entry.default != "" else "empty",
                said[entry.name],
            )
            for entry in fields(Settings)
        ),
    )


def _attribute_docstrings(path: Path, class_name: str) -> dict[str, str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == class_name)
    said = {}
    for entry, after in zip(found.body, found.body[1:], strict=False):
        if isinstance(entry, ast.AnnAssign) and isinstance(after, ast.Expr):
            said[entry.target.id] = after.value.value  # type: ignore[union-attr, attr-defined]
    return said


# --- Commands ---------------------------------------------------------------------------------


@block
def commands() -> str:
    """The `--help` of every command."""
    from server.cli import main

    return "".join(
        f"## `{name}`\n\n```text\n{_help(name, command)}\n```\n\n"
        for name, command in all_commands("chushan", main)
    )


def all_commands(name: str, command: click.Command) -> list[tuple[str, click.Command]]:
    """Return a command and all below it, each with its full name."""
    below = getattr(command, "commands", {})
    return [(name, command)] + [
        entry for sub in sorted(below) for entry in all_commands(f"{name} {sub}", below[sub])
    ]


def _help(name: str, command: click.Command) -> str:
    from server.cli import main

    # A command shows its options as the first caller asked for them and keeps that: ask as it runs.
    context = click.Context(
        command, info_name=name, terminal_width=96, max_content_width=96, **main.context_settings
    )
    lines = command.get_help(context).splitlines()
    return "\n".join(line.rstrip() for line in lines)


# --- Fields and code lists --------------------------------------------------------------------


@block
def record_fields() -> str:
    """Every declared field of every kind."""
    return "\n".join(_kind(kind) for kind in record_kinds())


def _kind(kind: RecordKind) -> str:
    rows = (
        (
            f"`{name}`",
            declared.info.zh,
            declared.info.en,
            _type(declared),
            _need(declared),
            declared.info.merge.value,
            _audiences(declared),
            declared.info.sensitivity.value,
            declared.info.since,
        )
        for name, declared in kind.fields.items()
    )
    head = ("Field", "中文", "English", "Type", "Needed", "Merge", "Seen by", "PIPL", "Since")
    return f"### {kind.en} · {kind.zh} (`{kind.name}`)\n\n{table(head, rows)}"


def _type(declared: Declared) -> str:
    if hasattr(declared, "codes"):
        many = "codes of" if declared.widget == "codes" else "code of"
        return f"{many} [`{declared.codes}`](#code-lists)"
    bounds = [f"{part}" for part in (getattr(declared, "least", None),) if part is not None]
    if bounds:
        return f"{declared.widget}, {bounds[0]}–{declared.most}"  # type: ignore[attr-defined]
    longest = getattr(declared, "max_length", None)
    return f"{declared.widget}, at most {longest} characters" if longest else declared.widget


def _need(declared: Declared) -> str:
    info = declared.info
    if not info.group:
        return "set by the program"
    asked = "" if info.asked is None else ", where it applies"
    if info.required is None:
        return f"optional{asked}"
    return (
        "always" if info.required.__name__ == "always" else f"required{asked or ', by condition'}"
    )


def _audiences(declared: Declared) -> str:
    words = {
        Audience.CADRE: "cadre",
        Audience.COUNTY: "county",
        Audience.FIRM_LIST: "**firm's list**",
        Audience.FIRM_REVEAL: "**firm, on reveal**",
    }
    return ", ".join(
        words[audience] for audience in Audience if audience in declared.info.audiences
    )


@block
def merge_policies() -> str:
    """What each merge policy does, in the words of the code."""
    said = _enum_docstrings(ROOT / "shared_schemas/fields.py", "Merge")
    return table(("Merge", "Meaning"), ((policy.value, said[policy.name]) for policy in Merge))


def _enum_docstrings(path: Path, class_name: str) -> dict[str, str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == class_name)
    return {
        entry.targets[0].id: after.value.value  # type: ignore[attr-defined]
        for entry, after in zip(found.body, found.body[1:], strict=False)
        if isinstance(entry, ast.Assign) and isinstance(after, ast.Expr)
    }


@block
def code_lists() -> str:
    """Every code list with its standard and its first codes."""
    rows = []
    for name in codes.code_list_names():
        known = codes.code_list(name)
        shown = " · ".join(f"{code.code} {code.zh}" for code in known.codes[:6])
        more = f" … ({len(known.codes)})" if len(known.codes) > 6 else ""
        rows.append((f"`{name}`", known.zh, known.en, known.standard, shown + more))
    return table(("List", "中文", "English", "Standard", "Codes"), rows)


@block
def rules() -> str:
    """Every rule of a household, by its code."""
    return table(
        ("Rule", "What it says"),
        (
            (f"`{code}`", (check.__doc__ or "").splitlines()[0])
            for code, check in sorted(RULES.items())
        ),
    )


@block
def roster_columns() -> str:
    """The headings that the roster import knows, from the declarations."""
    rows = [
        (kind.zh, declared.info.zh, "、".join(declared.info.roster), f"`{kind.name}.{name}`")
        for kind in record_kinds()
        for name, declared in kind.fields.items()
        if declared.info.roster
    ]
    return table(("记录 Record", "字段 Field", "表头 Headings that mean it", "Name"), rows)


@block
def firm_fields() -> str:
    """What a firm may see of a worker, and when."""
    rows = [
        (f"`{kind.name}.{name}`", declared.info.zh, declared.info.en, when)
        for kind in record_kinds()
        for name, declared in kind.fields.items()
        for audience, when in (
            (Audience.FIRM_LIST, "on the list"),
            (Audience.FIRM_REVEAL, "only in a reveal, logged"),
        )
        if audience in declared.info.audiences
    ]
    return table(("Field", "中文", "English", "When"), rows)


# --- Matching ---------------------------------------------------------------------------------


@block
def match_keys() -> str:
    """What two records must share to be compared."""
    from server.linkage.levels import BLOCKING

    return "".join(f"- {', '.join(f'`{one}`' for one in line)}\n" for line in BLOCKING)


@block
def match_levels() -> str:
    """Each comparison with its levels, their conditions, and m of the shipped model."""
    from server.linkage.levels import COMPARISONS, DIFFERENT, ONE_PLACE_DIFFERS

    learnt = json.loads((ROOT / "server/linkage/model.json").read_text("utf-8"))["m"]
    rows = []
    for comparison in COMPARISONS:
        said = [(one.name, one.sql, one.m, one.u, one.frequent) for one in comparison.levels]
        for name, sql, own_m, u, frequent in [*said, (DIFFERENT, "", None, None, None)]:
            given = f"{u:g}, given" if u is not None else ""
            common = f"`{frequent}`" if frequent else ""
            said_sql = sql.replace(ONE_PLACE_DIFFERS, "one of at most 8 characters differs")
            condition = f"`{said_sql}`" if sql else "none of these"
            m_learnt = learnt.get(comparison.name, {}).get(name)
            if own_m is None and m_learnt is None:
                continue  # does not occur
            m = f"{own_m:g}, given" if own_m is not None else f"{m_learnt:.5f}"
            rows.append((f"`{comparison.name}`", name, condition, m, given, common))
    return table(("Comparison", "Level", "Holds where", "m", "u", "Commonness of"), rows)


# --- Errors and routes ------------------------------------------------------------------------


@block
def error_codes() -> str:
    """Every error that a client can see."""
    rows = (
        (f"`{e.code}`", e.status, e.title(), e.action(), f"{e.title('en')}. {e.action('en')}")
        for e in ERRORS.values()
    )
    return table(("Code", "Status", "发生了什么", "怎么办", "English"), rows)


@block
def firm_routes() -> str:
    """The routes of firms."""
    return _routes("/v1/", "/openapi.json")


@block
def sync_routes() -> str:
    """The routes of phones."""
    return _routes("/sync/")


@block
def sync_messages() -> str:
    """The fields of every message of phones."""
    from shared_schemas import messages

    parts = []
    for name, schema in vars(messages).items():
        if not (isinstance(schema, type) and issubclass(schema, ma.Schema)):
            continue
        rows = (
            (
                f"`{field.data_key or key}`",
                _message_type(field),
                "yes" if field.required else "",
                field.metadata.get("description", ""),
            )
            for key, field in schema().fields.items()
        )
        said = (schema.__doc__ or "").strip()
        parts.append(f"**{name}.** {said}\n\n{table(('Member', 'Type', 'Always', 'What'), rows)}")
    return "\n".join(parts)


def _message_type(field: Any) -> str:
    inner = getattr(field, "inner", None)
    if isinstance(field, ma.fields.Nested):
        kind = type(field.schema).__name__
    elif isinstance(field, ma.fields.List):
        kind = f"list of {_message_type(inner)}"
    elif isinstance(field, ma.fields.Dict):
        kind = f"object of {_message_type(field.value_field)}"
    else:
        kind = {"Integer": "integer", "String": "text", "Boolean": "true or false", "Raw": "value",
                "Rows": "list of rows", "Names": "list of text"}[type(field).__name__]  # fmt: skip
    return f"{kind} or null" if field.allow_none and kind != "value" else kind


@block
def operation_routes() -> str:
    """The routes of whoever runs the server."""
    return _routes("/health", "/metrics")


def _routes(*prefixes: str) -> str:
    rows = [row for row in api_routes() if row[1].startswith(prefixes)]
    return table(
        ("Method", "Path", "Who", "What for"),
        ((method, f"`{path}`", who, said) for method, path, who, said in rows),
    )


@cache
def api_routes() -> list[tuple[str, str, str, str]]:
    """Return (method, path, who, what for) of every route that is for programs."""
    from server.access import audience_of
    from server.api.problems import API_PREFIXES
    from server.app import create_app
    from server.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        app = create_app(
            Settings(database_url=f"sqlite:///{folder}/docs.db", data_dir=folder, log_level="ERROR")
        )
        found = []
        for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
            if not rule.rule.startswith(API_PREFIXES):
                continue
            view = app.view_functions[rule.endpoint]
            who = ", ".join(sorted(audience_of(view))) or "–"
            said = (view.__doc__ or "").strip().splitlines() or [""]
            methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            found += [(method, rule.rule, who, said[0]) for method in methods]
    return found


# --- Examples of the protocol -----------------------------------------------------------------


@block
def protocol_examples() -> str:
    """A phone's first day, really run: enrol, hello, push, pull, and some refusals."""
    from scripts.protocol_examples import run

    shown = []
    before = None
    for step in run():
        shown.append(f"#### {step.title}\n\n```http\n{step.request_line}\n```\n")
        if step.sent is not None and step.sent != before:
            shown.append(f"```json\n{_json(step.sent)}\n```\n")
        shown.append(f"`{step.status}`\n")
        if step.answered is not None:
            shown.append(f"```json\n{_json(step.answered)}\n```\n")
        before = step.sent
    return "\n".join(shown)


def _json(value: Any, indent: str = "") -> str:
    """Return JSON in which whatever fits stands on one line, as rows do on the wire."""
    flat = json.dumps(value, ensure_ascii=False)
    is_plain = not any(isinstance(part, (dict, list)) for part in _parts(value))
    if len(indent) + len(flat) <= 96 or (is_plain and not isinstance(value, dict)):
        return flat
    inner = indent + "  "
    if isinstance(value, list):
        parts = [f"{inner}{_json(entry, inner)}" for entry in value]
        return "[\n" + ",\n".join(parts) + f"\n{indent}]"
    parts = [f"{inner}{json.dumps(key)}: {_json(entry, inner)}" for key, entry in value.items()]
    return "{\n" + ",\n".join(parts) + f"\n{indent}}}"


def _parts(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


# --- Writing ----------------------------------------------------------------------------------


def pages() -> list[Path]:
    """Return the pages that have generated blocks."""
    written = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [page for page in written if page.exists() and BLOCK.search(page.read_text("utf-8"))]


def current(page: Path) -> str:
    """Return the page as it should be."""
    return BLOCK.sub(
        lambda found: found.group(1) + BLOCKS[found["name"]]() + found.group(3),
        page.read_text(encoding="utf-8"),
    )


def main() -> int:
    """Write the pages, or with --check say which are stale."""
    stale = 0
    for page in pages():
        text = current(page)
        if text == page.read_text(encoding="utf-8"):
            continue
        if "--check" in sys.argv:
            stale += 1
            print(f"{page.relative_to(ROOT)} is not current; run: make docs")
        else:
            page.write_text(text, encoding="utf-8")
            print(f"wrote {page.relative_to(ROOT)}")
    return min(stale, 1)


if __name__ == "__main__":
    sys.exit(main())
