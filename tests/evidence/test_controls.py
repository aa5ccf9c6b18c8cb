"""Every misuse is refused, and seen by a coverage test where the refusal is switched off."""

import pytest

from tests.evidence.controls import CONTROLS, judged


@pytest.mark.parametrize("position", range(len(CONTROLS)), ids=[c.misuse for c in CONTROLS])
def test_misuse_is_refused_and_visible(position: int) -> None:
    """Seeds are fixed; the chance that a right use looks wrong was one in a million each."""
    found = judged(position)
    assert found["refused"]
    assert found["visible"]
    assert found["sound"]
