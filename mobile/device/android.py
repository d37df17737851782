"""The port of an Android phone, through pyjnius. Not run on a phone in this project's tests.

pyjnius exists only on Android, so every import of it stands inside a function.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
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


def seal(key: bytes, nonce: bytes, plain: bytes, bound: bytes) -> bytes:
    """Return AES-256-GCM of `plain`, bound to further bytes, with its tag at the end."""
    return bytes(_cipher(1, key, nonce, bound).doFinal(plain))  # 1: ENCRYPT_MODE


def unseal(key: bytes, nonce: bytes, sealed: bytes, bound: bytes) -> bytes | None:
    """Return what `seal` sealed, None where it is another key's or not as it was."""
    from jnius import JavaException

    try:
        return bytes(_cipher(2, key, nonce, bound).doFinal(sealed))  # 2: DECRYPT_MODE
    except JavaException as error:
        if getattr(error, "classname", "") != "javax.crypto.AEADBadTagException":
            raise
        return None


def _cipher(mode: int, key: bytes, nonce: bytes, bound: bytes) -> Any:
    from jnius import autoclass

    cipher = _bound_cipher().getInstance("AES/GCM/NoPadding")
    spec = autoclass("javax.crypto.spec.GCMParameterSpec")(128, nonce)
    cipher.init(mode, autoclass("javax.crypto.spec.SecretKeySpec")(key, "AES"), spec)
    cipher.updateAAD(bound)
    return cipher


def _bound_cipher() -> Any:
    from jnius import JavaClass, JavaMethod, JavaMultipleMethod, JavaStaticMethod, MetaJavaClass

    class Cipher(JavaClass, metaclass=MetaJavaClass):
        # Bound by hand: of the three `init` with three arguments pyjnius takes the one for a
        # certificate.
        __javaclass__ = "javax/crypto/Cipher"
        getInstance = JavaStaticMethod("(Ljava/lang/String;)Ljavax/crypto/Cipher;")  # noqa: N815
        init = JavaMultipleMethod(
            [
                (
                    "(ILjava/security/Key;Ljava/security/spec/AlgorithmParameterSpec;)V",
                    False,
                    False,
                ),
                ("(ILjava/security/Key;)V", False, False),
            ]
        )
        updateAAD = JavaMethod("([B)V")  # noqa: N815
        doFinal = JavaMethod("([B)[B")  # noqa: N815
        getIV = JavaMethod("()[B")  # noqa: N815

    return Cipher


KEYSTORE = "AndroidKeyStore"


def keystore_seal(name: str, plain: bytes) -> bytes:
    """Seal bytes under a new AES key that never leaves the phone's keystore (its chip, where it has one)."""
    from jnius import autoclass

    # 3: PURPOSE_ENCRYPT | PURPOSE_DECRYPT. Not bound to the phone's own lock: not every cadre has
    # one, and changing it would destroy the key.
    builder = autoclass("android.security.keystore.KeyGenParameterSpec$Builder")(_alias(name), 3)
    builder.setBlockModes(["GCM"])
    builder.setEncryptionPaddings(["NoPadding"])
    builder.setKeySize(256)
    generator = autoclass("javax.crypto.KeyGenerator").getInstance("AES", KEYSTORE)
    generator.init(builder.build())
    cipher = _bound_cipher().getInstance("AES/GCM/NoPadding")
    cipher.init(1, generator.generateKey())  # the keystore chooses the nonce itself
    sealed = bytes(cipher.doFinal(plain))
    return bytes(cipher.getIV()) + sealed


def keystore_open(name: str, sealed: bytes) -> bytes | None:
    """Return what `keystore_seal` sealed, None where its key is gone."""
    from jnius import JavaException, autoclass

    key = _keystore().getKey(_alias(name), None)
    if key is None:
        return None
    cipher = _bound_cipher().getInstance("AES/GCM/NoPadding")
    try:
        spec = autoclass("javax.crypto.spec.GCMParameterSpec")(128, sealed[:12])
        cipher.init(2, key, spec)
        return bytes(cipher.doFinal(sealed[12:]))
    except JavaException as error:
        if getattr(error, "classname", "") not in _GONE:
            raise
        return None


_GONE = frozenset(
    {
        "javax.crypto.AEADBadTagException",
        "android.security.keystore.KeyPermanentlyInvalidatedException",
    }
)


def keystore_forget(name: str) -> None:
    """Destroy a key for good."""
    _keystore().deleteEntry(_alias(name))


def _keystore() -> Any:
    from jnius import autoclass

    store = autoclass("java.security.KeyStore").getInstance(KEYSTORE)
    store.load(None)
    return store


def _alias(name: str) -> str:
    return f"chushan-{name}"


def hide_from_pictures(hide: bool) -> None:
    """Keep the screen out of screenshots and of the preview in the list of apps, or let it in again."""
    from android.runnable import run_on_ui_thread  # type: ignore[import-not-found]
    from jnius import autoclass

    secure = autoclass("android.view.WindowManager$LayoutParams").FLAG_SECURE
    window = _activity().getWindow()

    @run_on_ui_thread
    def apply() -> None:
        if hide:
            window.addFlags(secure)
        else:
            window.clearFlags(secure)

    apply()


PICKED = 4122
"""The number under which the system's file picker answers."""


def pick_file(take: Callable[[str], None]) -> bool:
    """Let the user choose a file in the system's picker; `take` gets the path of a copy, on any thread."""
    from android import activity  # type: ignore[import-not-found]
    from jnius import autoclass

    intent_class = autoclass("android.content.Intent")

    def picked(request: int, _result: int, answer: Any) -> None:
        if request != PICKED:
            return
        activity.unbind(on_activity_result=picked)
        if answer is not None:
            take(str(_copied(answer.getData())))

    activity.bind(on_activity_result=picked)
    intent = intent_class(intent_class.ACTION_OPEN_DOCUMENT)
    intent.addCategory(intent_class.CATEGORY_OPENABLE)
    intent.setType("*/*")  # no system knows the kind of a .hand file
    _activity().startActivityForResult(intent, PICKED)
    return True


def _copied(uri: Any) -> Path:
    """Copy what the picker gave leave to read: it is no path, and the leave ends with the app."""
    resolver = _activity().getContentResolver()
    row = resolver.query(uri, None, None, None, None)
    name = "picked.hand"
    if row is not None:
        if row.moveToFirst():
            name = Path(row.getString(row.getColumnIndexOrThrow("_display_name"))).name
        row.close()
    opened = resolver.openFileDescriptor(uri, "r")
    path = storage_dir() / "handover" / "picked" / name
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir(parents=True)
    with os.fdopen(opened.detachFd(), "rb") as source, path.open("wb") as copy:
        shutil.copyfileobj(source, copy)
    return path


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
