"""The documentation says what the code does: all of it, and nothing stale."""

import re
from pathlib import Path
from urllib.parse import unquote

import marshmallow
import pytest

from scripts import build_docs
from shared_schemas.errors import ERRORS
from shared_schemas.records import record_kinds
from shared_schemas.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "shared_schemas" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", build_docs.pages(), ids=lambda path: path.name)
def test_generated_parts_are_current(path):
    assert build_docs.current(path) == path.read_text(encoding="utf-8"), "run: make docs"


def test_every_command_is_documented():
    from server.cli import main

    written = page("cli.md")
    for name, command in build_docs.all_commands("chushan", main):
        assert f"## `{name}`" in written
        assert command.help, f"{name} has no help"
        for option in command.params:
            assert getattr(option, "help", "") or option.param_type_name == "argument", option.name
            assert any(said in written for said in (*option.opts, option.human_readable_name))


def test_every_setting_is_documented():
    from server.settings import Settings

    for name in Settings.__slots__:
        assert f"`CHUSHAN_{name.upper()}`" in page("settings.md")


def test_every_route_for_programs_is_documented_with_what_it_is_for():
    routes = build_docs.api_routes()
    assert {"/sync/v1/push", "/v1/labour", "/health"} <= {path for _, path, _, _ in routes}
    written = page("api.md") + page("protocol.md") + page("settings.md")
    for method, path, who, said in routes:
        assert f"| {method} | `{path}` | {who} |" in written
        assert said.endswith("."), f"{path} does not say what it is for"


def test_every_error_code_and_every_reason_to_hold_is_documented():
    from shared_schemas.changes import HeldReason

    for code in (*ERRORS, *HeldReason):
        assert f"`{code}`" in page("errors.md")


def test_the_protocol_page_tells_every_message_and_every_member():
    from shared_schemas import messages

    written = page("protocol.md")
    for name, schema in vars(messages).items():
        if isinstance(schema, type) and issubclass(schema, marshmallow.Schema):
            section = written.split(f"**{name}.**")[1].split("\n**")[0]
            for key, field in schema().fields.items():
                told = field.metadata.get("description")
                assert told, f"{name}.{key} does not say what it is"
                assert f"| `{field.data_key or key}` |" in section
                assert f"| {told} |" in section


def test_the_protocol_page_and_the_openapi_document_have_the_same_messages(app):
    from shared_schemas import messages

    document = app.test_client().get("/openapi.json").json
    paths = {path for path in document["paths"] if path.startswith("/sync/")}
    written = page("protocol.md")
    for path in paths:
        assert f"`{path.replace('{', '<').replace('}', '>')}`" in written
    published = document["components"]["schemas"]
    told = set(re.findall(r"^\*\*(\w+)\.\*\*", written, flags=re.MULTILINE))
    used = {name for name in published if hasattr(messages, name)}
    assert (
        {"PushRequest", "PushAnswer", "HelloAnswer", "PullLine", "OutcomesAnswer"} <= used <= told
    )
    for name in used:
        members = published[name]["properties"]
        section = re.split(r"\n\*\*|<!-- end", written.split(f"**{name}.**")[1])[0]
        assert set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) == set(members)


def test_the_protocol_page_says_what_a_phone_does_with_every_error_of_its_routes():
    modules = [
        "access.py", "api/sync.py", "api/problems.py", "services/receive_push.py",
        "services/build_pull.py", "services/say_hello.py", "services/enrol.py",
        "api/handover.py", "services/take_handover.py",
    ]  # fmt: skip
    sources = "".join((ROOT / "server" / name).read_text(encoding="utf-8") for name in modules)
    raised = set(re.findall(r"ChushanError\(\s*\"(\w+)\"", sources))
    assert {"forked", "sequence_gap", "epoch_changed", "bad_token"} <= raised <= set(ERRORS)
    section = page("protocol.md").split("## Errors")[1]
    for code in raised:
        assert f"`{code}`" in section, code


def test_every_field_rule_and_code_list_is_documented():
    from shared_schemas.codes import code_list_names

    written = page("fields.md")
    for kind in record_kinds():
        section = written.split(f"(`{kind.name}`)")[1].split("###")[0]
        for name, declared in kind.fields.items():
            assert f"| `{name}` | {declared.info.zh} |" in section
    for name in (*RULES, *code_list_names()):
        assert f"`{name}`" in written


def test_every_column_of_a_roster_is_documented():
    for kind in record_kinds():
        for declared in kind.fields.values():
            for heading in declared.info.roster:
                assert heading in page("roster.md")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    for link in (one or other for one, other in links):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / unquote(file)).resolve() if file else path
        assert target.exists(), f"{link} leads nowhere"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: there is no such heading"


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "docs" / "README.zh.md"])
def test_commands_that_a_readme_tells_exist(path):
    from server.cli import main

    text = path.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    told = set(re.findall(r"\bmake ([a-z]+)\b", " ".join(code_in(text))))
    assert {"demo", "test"} <= told <= targets
    commands = {name for name, _ in build_docs.all_commands("chushan", main)}
    for line in re.findall(r"^chushan (.*)", "\n".join(code_in(text)), flags=re.MULTILINE):
        first, second, *_ = [*line.split(), "", ""]
        assert {f"chushan {first}", f"chushan {first} {second}"} & commands, line


def code_in(text: str) -> list[str]:
    """Return what stands in code blocks and between backticks."""
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, flags=re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [*blocks, *inline]


def test_no_page_names_this_machine():
    for path in [*PAGES, *sorted((ROOT / "requirements").glob("*.txt"))]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(work|root|tmp)/", text), path
        assert "index-url" not in text, path
