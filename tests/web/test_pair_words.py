"""Whatever the matcher says of a pair has words on the page."""

from __future__ import annotations

import pytest

from server.linkage.levels import COMPARISONS, DIFFERENT
from server.linkage.score import PRIOR
from server.web.pair_sentences import line_words


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_level_has_its_words(lang: str) -> None:
    levels = {
        (c.name, name) for c in COMPARISONS for name in [*(one.name for one in c.levels), DIFFERENT]
    }
    for comparison, level in {*levels, (PRIOR, "any_two")} - {("employer", DIFFERENT)}:
        words = line_words({"comparison": comparison, "level": level}, lang)
        assert words != f"{comparison}: {level}"
