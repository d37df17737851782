"""Reading aloud: on a PC by espeak-ng, on a phone by its own engine, here in the shape that Android gives it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import wave
from pathlib import Path

import pytest

from mobile.device import desktop
from shared_schemas.locale import text

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")


@WITHOUT
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_notices_are_spoken_at_the_pace_of_a_reader(lang: str, tmp_path: Path) -> None:
    command = desktop._voice_command(lang)
    assert command
    for kind in ("survey", "share_hr"):
        words = text(f"consent.{kind}.text", lang)
        file = tmp_path / f"{kind}.wav"
        subprocess.run([*command, "-w", file], input=words.encode(), check=True)
        with wave.open(str(file)) as sound:
            seconds = sound.getnframes() / sound.getframerate()
        assert seconds > len(words) / (8 if lang == "zh" else 20)


@WITHOUT
def test_reading_is_stopped_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A sound card that takes nothing: the voice waits for somebody who opens the other end.
    os.mkfifo(tmp_path / "card")
    card = f'pcm.!default {{ type file slave.pcm null file "{tmp_path}/card" format raw }}\n'
    (tmp_path / ".asoundrc").write_text(card)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PULSE_SERVER", raising=False)
    desktop.speak(text("consent.survey.text"), "zh")
    time.sleep(0.3)
    assert desktop.speech() == "speaking"
    desktop.hush()
    assert desktop.speech() == "silent"


@WITHOUT
def test_a_pc_without_a_loudspeaker_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".asoundrc").write_text('pcm.!default { type hw card "none" }\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    desktop.speak("你好", "zh")
    until_silent = time.monotonic() + 20
    while desktop.speech() == "speaking" and time.monotonic() < until_silent:
        time.sleep(0.02)
    assert desktop.speech() == "no_voice"


def test_a_pc_without_a_voice_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    desktop.speak("你好", "zh")
    assert desktop.speech() == "no_voice"
    desktop.hush()
    assert desktop.speech() == "silent"


# A phone ---------------------------------------------------------------------------------------

ENGINE = {
    "android/os/Bundle.java": "package android.os; public class Bundle {}",
    "android/content/Context.java": "package android.content; public class Context {}",
    "android/speech/tts/TextToSpeech.java": """\
package android.speech.tts;
import android.content.Context;
import android.os.Bundle;
import java.util.*;
public class TextToSpeech {
    public interface OnInitListener { void onInit(int status); }
    public static int language;  // what setLanguage answers
    public static int status;  // what the start answers
    public static List<String> told = Collections.synchronizedList(new ArrayList<>());
    private boolean speaking;
    public TextToSpeech(Context context, OnInitListener listener) {
        new Thread(() -> listener.onInit(status)).start();
    }
    public TextToSpeech(Context context, OnInitListener listener, String engine) {}
    public int setLanguage(Locale locale) { told.add(locale.toLanguageTag()); return language; }
    public int setSpeechRate(float rate) { return 0; }
    public int speak(CharSequence text, int mode, Bundle bundle, String id) {
        told.add(text.toString()); speaking = true; return 0;
    }
    public int speak(String text, int mode, HashMap<String, String> old) { return -1; }
    public boolean isSpeaking() { return speaking; }
    public int stop() { told.add("stop"); speaking = false; return 0; }
    public void shutdown() { told.add("shutdown"); }
    public static String all() { return String.join("|", told); }
}
""",
}
"""What `mobile.device.android` asks of Android's engine, with the overloads that pyjnius must choose from."""

ON_A_PHONE = """\
import json, sys, time
from jnius import autoclass
from mobile.device import android
android._activity = lambda: autoclass("android.content.Context")()
android.VOICE_STARTS_S = 0.2
engine = autoclass("android.speech.tts.TextToSpeech")
def heard(status, language, lang, stop=False):
    engine.status, engine.language = status, language
    engine.told.clear()
    android.speak("听明白了吗?", lang)
    first = android.speech()
    time.sleep(0.5)
    then = android.speech()
    android.hush()
    return [first, then, android.speech(), engine.all()]
print(json.dumps({
    "good": heard(0, 0, "zh"), "english": heard(0, 1, "en"),
    "no data": heard(0, -1, "zh"), "no engine": heard(-1, 0, "zh"),
}))
"""


def test_a_phone_speaks_by_its_engine_and_tells_where_it_has_no_voice(tmp_path: Path) -> None:
    pytest.importorskip("jnius_config", reason="pyjnius is not installed")
    if not shutil.which("javac"):
        pytest.skip("no Java compiler is here: apt-get install default-jdk-headless")
    for name, source in ENGINE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    subprocess.run(["javac", "-d", tmp_path, *(tmp_path / name for name in ENGINE)], check=True)
    ran = subprocess.run(
        [sys.executable, "-c", ON_A_PHONE], cwd=ROOT, capture_output=True, text=True, timeout=60,
        env={**os.environ, "CLASSPATH": str(tmp_path)}, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    heard = json.loads(ran.stdout.splitlines()[-1])
    assert heard["good"][1:] == ["speaking", "silent", "zh-CN|听明白了吗?|stop|shutdown"]
    assert heard["english"][3].startswith("en|听明白")
    assert heard["no data"][1:] == ["no_voice", "silent", "zh-CN|stop|shutdown"]
    assert heard["no engine"][1:] == ["no_voice", "silent", "stop|shutdown"]
