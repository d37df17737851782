"""The Android package, as far as it can be seen without the SDK; and the package for a PC.

What buildozer and python-for-android say is asked where `make check-apk` has put them into
var/package-tools; without them these tests say so and are skipped.
"""

from __future__ import annotations

import ast
import configparser
import json
import os
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

import mobile

ROOT = Path(__file__).resolve().parents[2]
MOBILE = ROOT / "mobile"
TOOLS = ROOT / "var" / "package-tools" / "bin" / "python"
NEEDED = {
    "INTERNET",
    "ACCESS_NETWORK_STATE",
    "FOREGROUND_SERVICE",
    "FOREGROUND_SERVICE_DATA_SYNC",
}


def load(path: Path) -> ModuleType:
    """Import a file that belongs to no package, as python-for-android does."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def spec() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(MOBILE / "buildozer.spec", "utf-8")
    return parser["app"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not TOOLS.exists():
        pytest.skip("buildozer and python-for-android are not here: run make check-apk once")
    home = tmp_path_factory.mktemp("home")
    ran = subprocess.run(
        [TOOLS, ROOT / "tests" / "mobile" / "inspect_package.py"],
        cwd=MOBILE, env={**os.environ, "HOME": str(home)}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


# What buildozer.spec says --------------------------------------------------------------------------


def test_every_file_that_the_spec_names_is_there(spec: configparser.SectionProxy) -> None:
    named = [value for value in spec.values() if value.startswith("./")]
    assert len(named) >= 7
    for name in named:
        assert (MOBILE / name).exists(), name


def test_permissions_are_those_with_a_reason_and_nothing_is_backed_up(
    spec: configparser.SectionProxy,
) -> None:
    text = (MOBILE / "buildozer.spec").read_text("utf-8")
    comments = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert set(spec["android.permissions"].split(",")) == NEEDED
    assert all(permission in comments for permission in NEEDED)
    assert spec["android.allow_backup"] == "False"
    assert spec["android.archs"] == "arm64-v8a,armeabi-v7a"
    assert (spec["android.api"], spec["android.minapi"]) == ("34", "24")


def test_what_the_app_imports_on_a_phone_is_in_the_requirements(
    spec: configparser.SectionProxy,
) -> None:
    named = {one.partition("==")[0].replace("-", "_") for one in spec["requirements"].split(",")}
    # python-for-android brings these two; the port of a PC and its ciphers stay on the PC.
    named |= {"jnius", "android", "mobile", "shared_schemas", *sys.stdlib_module_names}
    on_a_pc = {"cryptography", "zxingcpp", "PIL", "sqlcipher3", "pysqlite3"}
    left_out = ("/tools/", "mobile/recipes/", "mobile/android/")
    for folder in (MOBILE, ROOT / "shared_schemas"):
        for path in folder.rglob("*.py"):
            if any(part in path.as_posix() for part in left_out):
                continue
            for imported in _imported(path):
                assert imported in named | on_a_pc, f"{path.relative_to(ROOT)}: {imported}"


def test_the_app_imports_nothing_that_windows_lacks() -> None:
    lacking = {"fcntl", "resource", "pwd", "grp", "termios", "syslog", "posix", "pty", "readline"}
    for folder in (MOBILE, ROOT / "shared_schemas"):
        for path in folder.rglob("*.py"):
            assert not _imported(path) & lacking, path


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def test_every_data_file_of_the_app_goes_into_the_package(spec: configparser.SectionProxy) -> None:
    taken = set(spec["source.include_exts"].split(","))
    left_out = ("tools", "recipes", "android", "__pycache__")
    for folder in (MOBILE, ROOT / "shared_schemas"):
        for path in folder.rglob("*"):
            parts = path.relative_to(folder).parts
            if path.is_file() and not any(part in left_out for part in parts):
                is_words = path.suffix == ".md" or path.name == "buildozer.spec"
                assert is_words or path.suffix[1:] in taken, path


def test_every_data_file_of_the_app_goes_into_the_wheel() -> None:
    """`make check-desktop` installs one; this tells which file would be missing."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]
    left_out = ("tools", "recipes", "android", "__pycache__")
    for folder in (MOBILE, ROOT / "shared_schemas"):
        taken = {path for pattern in patterns[folder.name] for path in folder.glob(pattern)}
        for path in folder.rglob("*"):
            is_data = path.suffix not in (".py", ".md", ".spec") and path.is_file()
            if is_data and not any(part in left_out for part in path.relative_to(folder).parts):
                assert path in taken, path


# Backspace on Android 11 and later -----------------------------------------------------------------

SDL_CLASS = """\
class SDLInputConnection extends BaseInputConnection {

    @Override
    public boolean deleteSurroundingText(int beforeLength, int afterLength) {
        if (Build.VERSION.SDK_INT <= 29 /* Android 10.0 (Q) */) {
            while (beforeLength-- > 0) {
                nativeGenerateScancodeForUnichar('\\b');
            }
            return true;
        }

        if (!super.deleteSurroundingText(beforeLength, afterLength)) {
            return false;
        }
        updateText();
        return true;
    }
}
"""


@pytest.mark.parametrize("file", ["SDLActivity.java", "SDLInputConnection.java"])
def test_sdl_is_mended_once_where_the_class_stands(tmp_path: Path, file: str) -> None:
    backspace = load(MOBILE / "recipes" / "sdl2" / "backspace.py")
    (tmp_path / "SDLActivity.java").write_text("class SDLActivity {}\n")
    (tmp_path / file).write_text(SDL_CLASS)
    backspace.mend(tmp_path)
    once = (tmp_path / file).read_text()
    assert "left = beforeLength - deleted" in once
    backspace.mend(tmp_path)  # the second architecture
    assert (tmp_path / file).read_text() == once


def test_another_sdl_stops_the_build(tmp_path: Path) -> None:
    backspace = load(MOBILE / "recipes" / "sdl2" / "backspace.py")
    with pytest.raises(backspace.OtherSDL):
        backspace.mend(tmp_path)
    (tmp_path / "SDLInputConnection.java").write_text(SDL_CLASS.replace("updateText", "newName"))
    with pytest.raises(backspace.OtherSDL):
        backspace.mend(tmp_path)


# What python-for-android makes of it ----------------------------------------------------------------


def test_the_spec_is_taken_and_the_version_is_the_app_s(package: dict[str, Any]) -> None:
    assert package["version"] == mobile.VERSION
    assert int(package["minimum"]) == 24


def test_own_recipes_are_chosen_before_python_for_android_s(package: dict[str, Any]) -> None:
    own = {path.parent.name for path in (MOBILE / "recipes").glob("*/__init__.py")}
    assert "sdl2" in own
    for name in own:
        assert package["folders"][name] == str(MOBILE / "recipes" / name)
        assert name in package["recipes"]


def test_only_pure_python_is_left_to_pip(package: dict[str, Any]) -> None:
    """A native module without a recipe would silently become a module for pip."""
    assert {"kivy", "pyjnius", "python3", "sqlite3", "openssl", "sdl2"} <= set(package["recipes"])
    named = {one.partition("==")[0] for one in package["requirements"]}
    # Kivy's own needs, both pure Python.
    assert set(package["modules"]) <= named | {"chardet", "filetype"}
    assert "pip" not in package["modules"]


def test_the_manifest_gets_a_provider_and_the_upload_service_once(package: dict[str, Any]) -> None:
    manifest = load(MOBILE / "android" / "manifest.py")
    written = manifest.with_elements(package["manifest"])
    assert manifest.with_elements(written) == written
    inside = written.split("<application")[1].split("</application>")[0]
    assert inside.count("androidx.core.content.FileProvider") == 1
    assert inside.count('android:foregroundServiceType="dataSync"') == 1
    before = written.split("<application")[0]
    assert before.count("android.intent.action.TTS_SERVICE") == 1


def test_only_two_folders_can_be_handed_to_other_apps() -> None:
    paths = ElementTree.parse(MOBILE / "android" / "shared_files.xml").getroot()
    assert {(path.tag, path.get("path")) for path in paths} == {
        ("files-path", "handover/"),
        ("cache-path", "camera/"),
    }


def test_what_pip_installs_is_pure_or_built_for_the_phone(
    package: dict[str, Any], tmp_path: Path
) -> None:
    """As python-for-android asks pip; 'none' of a 32-bit phone's wheels is native, so one is enough."""
    modules = [
        one for one in package["requirements"] if one.partition("==")[0] in package["modules"]
    ]
    report = tmp_path / "report.json"
    asked = subprocess.run(
        [TOOLS, "-m", "pip", "install", *modules, "--dry-run", "--ignore-installed", "--quiet",
         "--only-binary=:all:", "--platform", "android_24_arm64_v8a", "--python-version", "3.14.2",
         "--implementation", "cp", "--abi", "cp314", "--abi", "abi3", "--abi", "none",
         "--target", tmp_path / "target", "--report", report, "--retries", "1", "--timeout", "10"],
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    offline = ("NewConnectionError", "ConnectTimeout", "ReadTimeout", "name resolution")
    if asked.returncode and any(sign in asked.stderr for sign in offline):
        pytest.skip("no package registry can be reached")
    assert asked.returncode == 0, asked.stderr[-2000:]
    files = [one["download_info"]["url"] for one in json.loads(report.read_text())["install"]]
    assert len(files) >= 10
    for file in files:
        assert "none-any" in file or "-android_" in file, file
