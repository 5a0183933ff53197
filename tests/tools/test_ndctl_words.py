"""What ndctl 76.1 says before it looks at a device, recorded from the real binary on a machine without any."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from sparsemem.errors import NotModelledError
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.tools import ndctl

RECORDED = json.loads((Path(__file__).parent / "ndctl_without_devices.json").read_text())


class Empty:
    """A machine without libnvdimm."""

    live = True
    page_size = 4096
    kernel = None

    def read(self, path: str) -> str:
        raise SysfsError(2, path)

    def write(self, path: str, text: str) -> None:
        raise SysfsError(2, path)

    def listdir(self, path: str) -> list[str]:
        return []

    def readlink(self, path: str) -> str | None:
        return None

    def realpath(self, path: str) -> str:
        return path

    def exists(self, path: str) -> bool:
        return False

    def busy(self, blockdev: str) -> bool:
        return False

    def pread(self, device: str, offset: int, size: int) -> bytes:
        raise SysfsError(2, device)

    def pwrite(self, device: str, offset: int, data: bytes) -> None:
        raise SysfsError(2, device)

    def label_area_size(self, nmem: str) -> int:
        raise SysfsError(2, nmem)

    def fresh_uuid(self) -> str:
        return "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded["command"])
def test_the_tool_says_what_the_real_one_says(recorded: dict[str, Any]) -> None:
    result = ndctl.main(Empty(), shlex.split(recorded["command"])[1:])
    assert (result.exit_code, result.output) == (recorded["exit_code"], recorded["output"])


def test_the_commands_are_those_of_the_real_tool() -> None:
    listed = next(each["output"] for each in RECORDED if each["command"] == "ndctl --list-cmds")
    assert [name for name in ndctl.COMMANDS if name != "create-nfit"] == listed.split()


@pytest.mark.parametrize("name", [name for name, where in ndctl.COMMANDS.items() if where is None])
def test_what_is_not_implemented_says_so_by_name(name: str) -> None:
    with pytest.raises(NotModelledError, match=f"ndctl {name} is not modelled"):
        ndctl.main(Empty(), [name])


def test_a_release_that_is_too_old_is_not_guessed() -> None:
    with pytest.raises(NotModelledError, match="ndctl 58 is not modelled"):
        ndctl.main(Empty(), ["list"], version=(58,))


def test_commands_come_with_their_release() -> None:
    assert ndctl.main(Empty(), ["clear-errors", "all"], version=(64,)).output == "Unknown command: 'clear-errors'\n"
    assert ndctl.main(Empty(), ["read-infoblock"], version=(67,)).exit_code == 1
    assert "unknown switch `R'" in ndctl.main(Empty(), ["create-namespace", "-R"], version=(67,)).output
