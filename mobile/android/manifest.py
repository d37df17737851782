"""A hook of python-for-android (`p4a.hook`): writes into the manifest what buildozer.spec cannot say.

Other apps read a hand-over file, and the camera writes the picture of an enrolment code, through a
FileProvider: an address that opens one file for one app, for as long as it is needed. Android has
refused plain paths since version 7. `cn.chushan.Upload` keeps a long upload running. Both elements
stand inside <application>, for which python-for-android has no option. Since version 11 an app sees
the phone's voice, which reads the consent aloud, only where it says before that it looks for one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEMPLATE = Path("templates") / "AndroidManifest.tmpl.xml"

ELEMENTS = """\
        <provider
            android:name="androidx.core.content.FileProvider"
            android:authorities="{{ args.package }}.fileprovider"
            android:exported="false"
            android:grantUriPermissions="true">
            <meta-data
                android:name="android.support.FILE_PROVIDER_PATHS"
                android:resource="@xml/shared_files" />
        </provider>
        <service
            android:name="cn.chushan.Upload"
            android:exported="false"
            android:foregroundServiceType="dataSync" />
"""
END = "    </application>"

QUERIES = """\
    <queries>
        <intent>
            <action android:name="android.intent.action.TTS_SERVICE" />
        </intent>
    </queries>
"""
START = "    <application"


def with_elements(manifest: str) -> str:
    """Return the manifest's template with these elements in it, once."""
    if ELEMENTS in manifest:
        return manifest
    if manifest.count(END) != 1 or manifest.count(START) != 1:
        raise ValueError("the template of the manifest has not one <application>")
    return manifest.replace(START, QUERIES + START).replace(END, ELEMENTS + END)


def before_apk_build(_toolchain: Any) -> None:
    """Change the template in the folder of the distribution, where this runs."""
    TEMPLATE.write_text(with_elements(TEMPLATE.read_text("utf-8")), "utf-8")
