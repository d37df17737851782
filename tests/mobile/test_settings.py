"""The small file of settings, and the port of this machine."""

from dataclasses import replace
from pathlib import Path

import pytest

from mobile.device import desktop, device
from mobile.settings import Settings, load_settings, save_settings


def test_chosen_language_and_letters_are_there_at_the_next_start(tmp_path: Path) -> None:
    environ = {"CHUSHAN_PHONE_DIR": str(tmp_path)}
    settings = load_settings(environ)
    assert (settings.language, settings.font_scale) == ("zh", 1.0)
    save_settings(replace(settings, language="en", font_scale=1.4))
    again = load_settings(environ)
    assert (again.language, again.font_scale) == ("en", 1.4)
    assert again.store_path == tmp_path / "chushan.db"


@pytest.mark.parametrize(
    "damaged", ["", "{", "[]", '{"font_scale": "big", "folder": "/elsewhere"}']
)
def test_damaged_file_of_settings_gives_the_defaults(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "settings.json").write_text(damaged)
    assert load_settings({"CHUSHAN_PHONE_DIR": str(tmp_path)}) == Settings(str(tmp_path))


def test_folder_of_a_pc_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("ANDROID_ARGUMENT", raising=False)
    assert device() is desktop
    assert load_settings({}).folder == str(tmp_path / "chushan")
    assert (tmp_path / "chushan").is_dir()
    assert desktop.has_signal() is None
    assert desktop.no_backup_dir() is None


def test_both_ports_offer_the_same() -> None:
    from mobile.device import android

    def offered(module: object) -> set[str]:
        return {
            name
            for name, value in vars(module).items()
            if callable(value)
            and not name.startswith("_")
            and getattr(value, "__module__", "") == module.__name__  # type: ignore[attr-defined]
        }

    assert offered(android) == offered(desktop) == {
        "storage_dir", "no_backup_dir", "has_signal", "share", "pick_file", "seal", "unseal",
        "keystore_seal", "keystore_open", "keystore_forget", "hide_from_pictures",
        "take_picture", "qr_texts", "begin_upload", "end_upload", "ask_text",
        "speak", "speech", "hush",
    }  # fmt: skip
