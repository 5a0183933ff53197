"""Every recording of real ndctl and daxctl on real kernels, replayed on the model: see tests/transcripts_nd/README.md.

Compared for each step: exit code, output and kernel log; at the end iomem, sections, memory blocks and zones. What differs is listed
here with the reason, step by step; a listed difference that is gone fails too, so that the list stays true.
"""

from __future__ import annotations

import re

import pytest

from tests.tools.nd_transcripts import RECORDED, Difference, differences

#: (recording, command, what differs): the reason. All are regular expressions.
EXCEPTIONS: tuple[tuple[str, str, str, str], ...] = (
    ("modes@.*", r"dmesg \| wc -l", "stdout", "the log of a whole boot is longer than that of the model"),
    ("options@.*", "ndctl inject-error.*", "not modelled", "error injection takes commands of the firmware"),
    ("errors_busy@.*", ".*(&|kill|sh -c).*", "not modelled", "processes in the background are not part of the shell"),
    ("errors_busy@.*", "mount", "stdout", "the file systems of the guest itself"),
    (
        "enable_order@6.1",
        "ls /sys/bus/nd/devices",
        "stdout",
        "the number of a seed: its predecessor goes away in parallel",
    ),
    (
        "enable_order@6.12",
        "ls /sys/bus/nd/devices",
        "stdout",
        "the number of a seed: its predecessor goes away in parallel",
    ),
    ("write_infoblock@.*", "ndctl write-infoblock -c -o .*", "stdout", "bytes with a random UUID and their checksum"),
    (
        "sysfs@5.10",
        "ls /sys/bus/nd/devices/(region0|namespace0.0)",
        "stdout",
        "the directory power, with nothing modelled in it",
    ),
)


def _reason(recorded: str, found: Difference) -> str | None:
    return next(
        (
            reason
            for where, command, what, reason in EXCEPTIONS
            if re.fullmatch(where, recorded) and what == found.what and re.fullmatch(command, found.command)
        ),
        None,
    )


@pytest.mark.parametrize("recorded", RECORDED)
def test_the_model_answers_as_the_tools_and_the_kernel_did(recorded: str) -> None:
    found = list(differences(recorded))
    unexplained = [each for each in found if _reason(recorded, each) is None]
    assert not unexplained
    for where, command, what, reason in EXCEPTIONS:
        if re.fullmatch(where, recorded):
            assert any(each.what == what and re.fullmatch(command, each.command) for each in found), (command, reason)
