"""Recordings of ndctl 71.1, 81 and 85, replayed on the model: see tests/transcripts_nd_versions/README.md.

What differs is listed with the reason, as in test_transcripts_nd.py.
"""

from __future__ import annotations

import re

import pytest

from tests.tools import test_transcripts_nd
from tests.tools.nd_transcripts import OTHER_RELEASES, Difference, differences

#: (recording, command, what differs): the reason.
EXCEPTIONS: tuple[tuple[str, str, str, str], ...] = (
    (
        "tool_options@.*[+]ndctl71",
        "cxl.*",
        "not modelled",
        "there is no cxl before v72; the shell does not say 'not found' for it",
    ),
)


def _reason(recorded: str, found: Difference) -> str | None:
    name = recorded.partition("+")[0]
    for where, command, what, reason in (*EXCEPTIONS, *test_transcripts_nd.EXCEPTIONS):
        applies = re.fullmatch(where, recorded) or re.fullmatch(where, name)
        if applies and re.fullmatch(what, found.what) and re.fullmatch(command, found.command):
            return reason
    return None


@pytest.mark.parametrize("recorded", OTHER_RELEASES)
def test_another_release_answers_as_the_real_one_did(recorded: str) -> None:
    assert [each for each in differences(recorded) if _reason(recorded, each) is None] == []


def test_every_listed_difference_is_there() -> None:
    for where, command, what, reason in EXCEPTIONS:
        names = [each for each in OTHER_RELEASES if re.fullmatch(where, each)]
        assert names, where
        for name in names:
            found = differences(name)
            assert any(re.fullmatch(what, each.what) and re.fullmatch(command, each.command) for each in found), reason


def test_three_releases_were_recorded() -> None:
    assert {each.partition("+ndctl")[2] for each in OTHER_RELEASES} == {"71", "81", "85"}
