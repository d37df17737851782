"""What a phone and a PC do differently: folders, sharing a file, a hint whether there is signal.

`device()` gives the port of this machine; `android` and `desktop` have the same functions.
"""

from __future__ import annotations

import os
from types import ModuleType


def device() -> ModuleType:
    """Return the port of this machine, `mobile.device.android` or `mobile.device.desktop`."""
    # python-for-android sets this variable before it starts the app.
    if "ANDROID_ARGUMENT" in os.environ:
        from mobile.device import android

        return android
    from mobile.device import desktop

    return desktop
