"""The preset dictionaries are frozen: a phone in the field unpacks only with the one it has."""

import hashlib

from shared_schemas import wire
from shared_schemas.protocol import SUPPORTED_PROTOCOLS

FROZEN = {"2026-11": "bfbf1ffce2ba3a8942a98cbfce35538db9b9f254c3613c2685d6e07bf8c19636"}


def test_every_protocol_version_has_its_frozen_dictionary():
    assert {
        version: hashlib.sha256(wire.dictionary(version)).hexdigest()
        for version in SUPPORTED_PROTOCOLS
    } == FROZEN


def test_a_dictionary_fits_the_window_of_deflate():
    assert all(len(wire.dictionary(version)) <= 32_768 for version in SUPPORTED_PROTOCOLS)
