"""The port of an Android phone, through pyjnius. Not run on a phone in this project's tests.

pyjnius exists only on Android, so every import of it stands inside a function.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
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


HAS_TEXT_DIALOG = True
"""Whether `ask_text` works."""


def ask_text(title: str, text: str, take: Callable[[str], None]) -> None:
    """Let a text be typed in Android's own dialog, in which every keyboard works; `take` gets it on any thread."""
    from android.runnable import run_on_ui_thread  # type: ignore[import-not-found]
    from jnius import PythonJavaClass, autoclass, java_method

    class OnOk(PythonJavaClass):
        __javainterfaces__ = ("android/content/DialogInterface$OnClickListener",)
        __javacontext__ = "app"

        @java_method("(Landroid/content/DialogInterface;I)V")
        def onClick(self, _dialog: Any, _which: int) -> None:
            take(self.field.getText().toString())

    on_ok = OnOk()
    _kept["on_ok"] = on_ok  # Java holds no reference that keeps a Python object alive

    @run_on_ui_thread
    def show() -> None:
        field = autoclass("android.widget.EditText")(_activity())
        field.setText(text)
        field.setSelection(field.length())
        on_ok.field = field
        builder = autoclass("android.app.AlertDialog$Builder")(_activity())
        builder.setTitle(title)
        builder.setView(field)
        # Android's own words for OK and Cancel, in the phone's language.
        words = autoclass("android.R$string")
        builder.setPositiveButton(words.ok, on_ok)
        builder.setNegativeButton(words.cancel, None)
        builder.show()

    show()


_kept: dict[str, Any] = {}

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


HAS_CAMERA = True
"""Whether `take_picture` works."""

PICTURED = 4124
"""The number under which the camera app answers."""


def take_picture(take: Callable[[Path], None]) -> None:
    """Let the camera app take a picture; `take` gets its file, on any thread. The app itself needs no camera."""
    from android import activity  # type: ignore[import-not-found]
    from jnius import autoclass, cast

    path = Path(_activity().getCacheDir().getAbsolutePath()) / "camera" / "picture.jpg"
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir(parents=True)

    def pictured(request: int, _result: int, _answer: Any) -> None:
        if request != PICTURED:
            return
        activity.unbind(on_activity_result=pictured)
        if path.exists() and path.stat().st_size:
            take(path)

    activity.bind(on_activity_result=pictured)
    intent_class = autoclass("android.content.Intent")
    store = autoclass("android.provider.MediaStore")
    intent = intent_class(store.ACTION_IMAGE_CAPTURE)
    intent.putExtra(store.EXTRA_OUTPUT, cast("android.os.Parcelable", _uri(path)))
    intent.addFlags(intent_class.FLAG_GRANT_WRITE_URI_PERMISSION)
    _activity().startActivityForResult(intent, PICTURED)


def qr_texts(path: Path) -> list[str]:
    """Return the texts of the QR codes in a picture file; OSError where it is none."""
    from jnius import autoclass

    from mobile.device.qr import texts_by_java

    factory = autoclass("android.graphics.BitmapFactory")
    options = autoclass("android.graphics.BitmapFactory$Options")()
    options.inJustDecodeBounds = True
    factory.decodeFile(str(path), options)
    # A camera's 50 million points would not fit into memory. The system takes the next power of two below,
    # which leaves a side of 1,500 to 3,000: fewer, and the dense codes of a hand-over are lost.
    options.inSampleSize = max(1, max(options.outWidth, options.outHeight) // 1500)
    options.inJustDecodeBounds = False
    bitmap = factory.decodeFile(str(path), options)
    if bitmap is None:
        raise OSError("not a picture")
    points = autoclass("java.nio.ByteBuffer").allocate(bitmap.getByteCount())
    bitmap.copyPixelsToBuffer(points)
    # Of red, green, blue and opacity, green is nearest to grey. `bytes` would take half a second.
    green = points.array().tostring()[1::4]
    return texts_by_java(green, bitmap.getWidth(), bitmap.getHeight())


def begin_upload(words: str) -> None:
    """Keep the app running while it is not seen, with a notification that says `words`."""
    from jnius import autoclass

    autoclass("cn.chushan.Upload").begin(_activity(), words)


def end_upload() -> None:
    """Let the app be put to sleep again."""
    from jnius import autoclass

    autoclass("cn.chushan.Upload").end(_activity())


_voice: dict[str, Any] = {"state": "silent"}
_voice_lock = threading.RLock()


def speak(words: str, lang: str) -> None:
    """Begin to read words aloud by the phone's own voice; `speech` tells what became of it."""
    from jnius import PythonJavaClass, autoclass, cast, java_method

    hush()

    class OnInit(PythonJavaClass):
        __javainterfaces__ = ("android/speech/tts/TextToSpeech$OnInitListener",)
        __javacontext__ = "app"

        @java_method("(I)V")
        def onInit(self, status: int) -> None:
            with _voice_lock:
                if _voice.get("listener") is self:  # else hushed meanwhile
                    _voice["state"] = self.begun(status)

        def begun(self, status: int) -> str:
            voice = _voice.get("engine")
            locale = autoclass("java.util.Locale")
            wanted = locale.SIMPLIFIED_CHINESE if lang == "zh" else locale.ENGLISH
            # Below 0: the language is not there, or its data are not.
            if status or voice is None or voice.setLanguage(wanted) < 0:
                return "no_voice"
            said = cast("java.lang.CharSequence", autoclass("java.lang.String")(words))
            voice.setSpeechRate(0.85)
            _voice["begun_at_s"] = time.monotonic()
            return "no_voice" if voice.speak(said, 0, None, "notice") else "speaking"

    listener = OnInit()
    _kept.setdefault("voices", []).append(listener)  # an engine may answer long after `hush`
    # Android answers on its own thread, perhaps before the engine has its name here.
    with _voice_lock:
        _voice.update(state="speaking", listener=listener)
        _voice["engine"] = autoclass("android.speech.tts.TextToSpeech")(_activity(), listener)


VOICE_STARTS_S = 1.5
"""A voice that has begun says so only after a moment."""


def speech() -> str:
    """Return "speaking", "silent", or "no_voice" where the words could not be read aloud."""
    with _voice_lock:
        begun_at_s = _voice.get("begun_at_s")
        is_under_way = begun_at_s is not None and time.monotonic() - begun_at_s > VOICE_STARTS_S
        if is_under_way and not _voice["engine"].isSpeaking():
            hush()
        return str(_voice["state"])


def hush() -> None:
    """Stop reading aloud, and let the engine go."""
    with _voice_lock:
        engine = _voice.pop("engine", None)
        _voice.pop("listener", None)
        _voice.pop("begun_at_s", None)
        _voice["state"] = "silent"
        if engine is not None:
            engine.stop()
            engine.shutdown()


def _uri(path: Path) -> Any:
    from jnius import autoclass

    provider = autoclass("androidx.core.content.FileProvider")
    file = autoclass("java.io.File")(str(path))
    activity = _activity()
    return provider.getUriForFile(activity, f"{activity.getPackageName()}.fileprovider", file)


def share(path: Path, title: str) -> bool:
    """Hand a file to another app through the system's sheet. True when the sheet was shown.

    The file goes through the FileProvider of the manifest; a `file://` address is refused since
    Android 7.
    """
    from jnius import autoclass, cast

    intent_class = autoclass("android.content.Intent")
    intent = intent_class(intent_class.ACTION_SEND)
    intent.setType("application/octet-stream")
    intent.putExtra(intent_class.EXTRA_STREAM, cast("android.os.Parcelable", _uri(path)))
    intent.addFlags(intent_class.FLAG_GRANT_READ_URI_PERMISSION)
    chooser = intent_class.createChooser(
        intent, cast("java.lang.CharSequence", autoclass("java.lang.String")(title))
    )
    _activity().startActivity(chooser)
    return True
