"""Makes backspace reach text that stood in a field before it was touched, on Android 11 and later.

SDL keeps a text field of its own that starts empty whenever the keyboard opens. Since Android 11 it
asks that field to delete, and where the field is empty nothing is deleted and the app hears nothing
(SDL issues 15067 and 15171). SDL mended it in March 2026; python-for-android still builds 2.30.11.

Here the characters that the field did not have are told to the app as backspaces. `mend` replaces
one place and stops the build where that place is not as it was: a newer SDL needs no mending.
"""

from __future__ import annotations

from pathlib import Path

JAVA = "android-project/app/src/main/java/org/libsdl/app"
"""Where SDL's Java source stands. The class moved from the first file to the second."""
FILES = ("SDLActivity.java", "SDLInputConnection.java")

BEFORE = """\
        if (!super.deleteSurroundingText(beforeLength, afterLength)) {
            return false;
        }
        updateText();
        return true;
    }
"""

AFTER = """\
        // Chushan: what this connection never held was in the field before; the app deletes it.
        final Editable held = getEditable();
        final int heldBefore = held == null ? 0 : held.length();
        if (!super.deleteSurroundingText(beforeLength, afterLength)) {
            return false;
        }
        updateText();
        final int deleted = heldBefore - (held == null ? 0 : held.length());
        for (int left = beforeLength - deleted; left > 0 && afterLength == 0; left--) {
            nativeGenerateScancodeForUnichar('\\b');
        }
        return true;
    }
"""


class OtherSDL(Exception):  # noqa: N818 - read as a sentence in the build's output
    """SDL's source is not the one that this was written for."""


def mended(source: str) -> str:
    """Return the Java source with the backspace mended; OtherSDL where it is another version."""
    if source.count(BEFORE) != 1:
        raise OtherSDL("deleteSurroundingText stands there differently: is SDL newer than 2.30.11?")
    return source.replace(BEFORE, AFTER)


def mend(folder: Path) -> None:
    """Mend the source in its folder; once is enough, each architecture may ask."""
    sources = {path: path.read_text("utf-8") for name in FILES if (path := folder / name).exists()}
    if any(AFTER in text for text in sources.values()):
        return
    having = [path for path, text in sources.items() if "boolean deleteSurroundingText" in text]
    if len(having) != 1:
        raise OtherSDL(f"no class SDLInputConnection in {folder}")
    having[0].write_text(mended(sources[having[0]]), "utf-8")
