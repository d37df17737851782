"""The first screen: this phone gets its place with the county, by code or by the text of a QR code."""

from __future__ import annotations

from pathlib import Path

from kivy.clock import Clock
from kivy.properties import BooleanProperty, StringProperty

from mobile.device import device
from mobile.screens.screen import PhoneScreen
from mobile.theme import theme, ui
from mobile.widgets import entry, load_kv  # noqa: F401 - the entry's rules stand in the kv
from mobile.widgets.files import PICTURES, FileSheet


class EnrolScreen(PhoneScreen):
    """Asks for the enrolment and says in words why it did not work."""

    problem = StringProperty("")
    is_working = BooleanProperty(False)
    by_hand = BooleanProperty(False)
    has_camera = BooleanProperty(False)

    def enter(self, **_: object) -> None:
        """A PC has picture files at hand, a phone its camera as well."""
        self.has_camera = device().HAS_CAMERA

    def paste(self) -> None:
        """Take the text from the clipboard."""
        # Looking for the system's clipboard takes a moment: not before it is wanted.
        from kivy.core.clipboard import Clipboard

        self.ids.code_input.ids.text_input.text = Clipboard.paste().strip()

    def switch(self) -> None:
        """Change between the text of a QR code and typing by hand."""
        self.by_hand = not self.by_hand
        self.problem = ""

    def photograph(self) -> None:
        """Let the camera take a picture of the county's code."""
        device().take_picture(self._read_soon)

    def choose_picture(self) -> None:
        """Show the picture files: the system's picker where there is one, else this computer's folders."""
        if not device().pick_file(self._read_soon):
            FileSheet(self.read_picture, title=ui("choose_qr"), patterns=PICTURES).open()

    def _read_soon(self, path: str | Path) -> None:
        """Camera and picker answer on any thread."""
        Clock.schedule_once(lambda _: self.read_picture(path), 0)

    def read_picture(self, path: str | Path) -> None:
        """Read the QR code in a picture."""
        from mobile.sync.client import SyncError
        from mobile.sync.enrol import read_qr

        try:
            self.ids.code_input.ids.text_input.text = read_qr(path)
            self.problem = ""
        except SyncError as error:
            self.problem = error.words(theme.lang)

    def enrol(self) -> None:
        """Ask the county for this phone's token, then fetch its villages."""
        # `requests` comes with the client: not before it is needed.
        from mobile.sync.client import SyncError
        from mobile.sync.enrol import enrol, parse_enrolment, typed_enrolment

        ids = self.ids
        self.problem = ""
        if not (ids.code_input.text or ids.short_input.text).strip():
            self.problem = ui("enrol_empty")
            return
        try:
            if self.by_hand:
                enrolment = typed_enrolment(ids.server_input.text, ids.short_input.text)
            else:
                enrolment = parse_enrolment(ids.code_input.text.strip())
        except SyncError as error:
            self.problem = error.words(theme.lang)
            return
        self.is_working = True
        self.phone.in_background(
            lambda: enrol(self.phone.store, enrolment, label=self.phone.device_label()),
            self._enrolled,
            self._failed,
        )

    def _enrolled(self, _: object) -> None:
        self.is_working = False
        self.phone.enrolled()

    def _failed(self, error: Exception) -> None:
        from mobile.sync.client import SyncError

        self.is_working = False
        self.problem = (
            error.words(theme.lang) if isinstance(error, SyncError) else ui("enrol_failed")
        )


load_kv(__file__)
