"""The port of an Android phone, through pyjnius. Not run on a phone in this project's tests.

pyjnius exists only on Android, so every import of it stands inside a function.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def _activity() -> Any:
    from jnius import autoclass

    return autoclass("org.kivy.android.PythonActivity").mActivity


def storage_dir() -> Path:
    """Return the app's private folder."""
    return Path(_activity().getFilesDir().getAbsolutePath())


def no_backup_dir() -> Path | None:
    """Return the folder that Android leaves out of backups and of transfers to a new phone."""
    return Path(_activity().getNoBackupFilesDir().getAbsolutePath())


def has_signal() -> bool | None:
    """Return whether the system believes that there is internet. A hint only: try anyway."""
    from jnius import autoclass

    context = autoclass("android.content.Context")
    capability = autoclass("android.net.NetworkCapabilities")
    manager = _activity().getSystemService(context.CONNECTIVITY_SERVICE)
    network = manager.getActiveNetwork()
    if network is None:
        return False
    found = manager.getNetworkCapabilities(network)
    return found is not None and found.hasCapability(capability.NET_CAPABILITY_INTERNET)


def share(path: Path, title: str) -> bool:
    """Hand a file to another app through the system's sheet. True when the sheet was shown.

    The file goes through the FileProvider of the manifest; a `file://` address is refused since
    Android 7.
    """
    from jnius import autoclass, cast

    intent_class = autoclass("android.content.Intent")
    provider = autoclass("androidx.core.content.FileProvider")
    file = autoclass("java.io.File")(str(path))
    activity = _activity()
    uri = provider.getUriForFile(activity, f"{activity.getPackageName()}.fileprovider", file)
    intent = intent_class(intent_class.ACTION_SEND)
    intent.setType("application/octet-stream")
    intent.putExtra(intent_class.EXTRA_STREAM, cast("android.os.Parcelable", uri))
    intent.addFlags(intent_class.FLAG_GRANT_READ_URI_PERMISSION)
    chooser = intent_class.createChooser(
        intent, cast("java.lang.CharSequence", autoclass("java.lang.String")(title))
    )
    activity.startActivity(chooser)
    return True
