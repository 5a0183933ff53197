"""Every recording of real ndctl and daxctl on real kernels, replayed on the model: see tests/transcripts_nd/README.md.

Compared for each step: exit code, output and kernel log; at the end iomem, sections, memory blocks and zones. What differs is listed
here with the reason, step by step; a listed difference that is gone fails too, so that the list stays true.
"""

from __future__ import annotations

import re

import pytest

from tests.tools.nd_transcripts import RECORDED, Difference, differences

#: (recording, command, what differs): the reason. All are regular expressions.
_SEED = "the number of a seed: its predecessor goes away in parallel"
EXCEPTIONS: tuple[tuple[str, str, str, str], ...] = (
    ("modes@.*", r"dmesg \| wc -l", "stdout", "the log of a whole boot is longer than that of the model"),
    ("listing_empty@.*", "ls /sys/bus", "stdout", "the buses of a whole kernel"),
    ("options@.*", "ndctl inject-error.*", "not modelled", "error injection takes commands of the firmware"),
    ("errors_busy@.*", ".*(&|kill|sh -c).*", "not modelled", "processes in the background are not part of the shell"),
    ("errors_busy@.*", "mount", "stdout", "the file systems of the guest itself"),
    ("write_infoblock@.*", "ndctl write-infoblock -c -o .*", "stdout", "bytes with a random UUID and their checksum"),
    ("enable_order@6.1", "ls /sys/bus/nd/devices", "stdout", _SEED),
    ("enable_order@6.12", "ls /sys/bus/nd/devices", "stdout", _SEED),
    ("unbind@6.12", "for i in .*", "stdout", _SEED),
    ("tool_infoblock@6.12", "ndctl read-infoblock -v all -j", "stdout", _SEED),
    ("daxops_plain_kmem@.*", "readlink .*", "not modelled", "two paths get the usage text of BusyBox"),
    (
        "daxops_plain_kmem@5.10",
        "cd .*/dax0.0/; for .*",
        "stdout",
        "the minor number of a dax device counts the block devices too",
    ),
    ("virtio_pmem.*@.*", "grep .* /proc/iomem", "stdout|exit", "the PCI devices of the guest"),
)


def _reason(recorded: str, found: Difference) -> str | None:
    return next(
        (
            reason
            for where, command, what, reason in EXCEPTIONS
            if re.fullmatch(where, recorded) and re.fullmatch(what, found.what) and re.fullmatch(command, found.command)
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
            assert any(re.fullmatch(what, each.what) and re.fullmatch(command, each.command) for each in found), (
                command,
                reason,
            )
