"""Memory blocks as plain files: the real chmem and lsmem on them (in a mount namespace of their own), and the model's on the same.

``python -m tests.tools.plain_memory`` records what the real ones say into ``chmem.json``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsemem.machine.kernfs import readdir_order
from sparsemem.machine.sysfs_error import SysfsError

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORDED = Path(__file__).parent / "chmem.json"
MEMORY = "/sys/devices/system/memory"
RELEASE = "2.38.1"
REFUSES = "\0" * 16
"""The state of a block that can not be written (a link to /dev/full: it reads as zeros, and a write is -ENOSPC)."""

Blocks = dict[int, tuple[str, str, int]]
"""number -> state, valid_zones, node (-1: no link)"""

BOARDS: dict[str, tuple[int, Blocks]] = {
    "plain": (
        128 << 20,
        {
            0: ("online", "None", 0), 1: ("online", "DMA32", 0), 2: ("offline", "DMA32 Movable", 0), 3: ("online", "Movable", 0),
            10: ("online", "Normal", 0), 11: ("offline", "Normal Movable", 0), 12: ("offline", "Movable Normal", 0),
            13: ("online", "Movable", 1), 14: ("online", "Movable", 1), 100: ("going-offline", "Normal", 1),
        },
    ),
    "kernel zones only": (2 << 30, {0: ("online", "DMA32", 0), 2: ("offline", "Normal", 0), 3: ("offline", "Normal", 0)}),
    "without block 0": (128 << 20, {8: ("online", "Normal", 0), 9: ("offline", "Normal Movable", 0)}),
    "some refuse": (
        128 << 20,
        {
            0: ("online", "DMA32", 0), 1: (REFUSES, "Normal Movable", 0), 2: ("offline", "Normal Movable", 0),
            3: (REFUSES, "Movable", 0), 4: ("online", "Movable", 0),
        },
    ),
}  # fmt: skip

CASES = tuple((Path(__file__).parent / "chmem_cases.txt").read_text().splitlines())
"""A board and the command."""


class PlainTree:
    """The model's side: files that remember what was written over their first bytes."""

    live = True
    page_size = 4096
    kernel = None

    def __init__(self, block_size: int, blocks: Blocks) -> None:
        self.files = {f"{MEMORY}/block_size_bytes": f"{block_size:x}\n"}
        self.nodes = {number: node for number, (_, _, node) in blocks.items()}
        for number, (state, zones, _) in blocks.items():
            self.files[f"{MEMORY}/memory{number}/state"] = state if state == REFUSES else f"{state}\n"
            self.files[f"{MEMORY}/memory{number}/valid_zones"] = f"{zones}\n"
            self.files[f"{MEMORY}/memory{number}/removable"] = "1\n"

    def read(self, path: str) -> str:
        if path not in self.files:
            raise SysfsError(2, path)
        return self.files[path]

    def write(self, path: str, text: str) -> None:
        if self.read(path) == REFUSES:
            raise SysfsError(28, path)
        self.files[path] = text + self.files[path][len(text) :]

    def listdir(self, path: str) -> list[str]:
        names = {each[len(path) + 1 :].split("/")[0] for each in self.files if each.startswith(f"{path}/")}
        name = path.rpartition("/")[2]
        if name.startswith("memory") and name[6:].isdigit() and self.nodes[int(name[6:])] >= 0:
            names.add(f"node{self.nodes[int(name[6:])]}")
        return readdir_order(sorted(names))

    def exists(self, path: str) -> bool:
        return path in self.files or any(each.startswith(f"{path}/") for each in self.files)


def write_out(block_size: int, blocks: Blocks, into: Path) -> None:
    """The same as real files below ``into``."""
    tree = PlainTree(block_size, blocks)
    for path, text in tree.files.items():
        file = into / path.removeprefix(f"{MEMORY}/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if text == REFUSES:
            file.symlink_to("/dev/full")
        else:
            file.write_text(text)
    for number, node in tree.nodes.items():
        if node >= 0:
            (into / f"memory{number}" / f"node{node}").mkdir()


def states(into: Path) -> dict[str, str]:
    """Block -> what its state file holds."""
    return {
        file.parent.name: REFUSES if file.is_symlink() else file.read_text()
        for file in sorted(into.glob("memory*/state"))
    }


def can_run() -> bool:
    """The recorded release is installed here, and may have a mount namespace."""
    if not (shutil.which("chmem") and shutil.which("unshare")):
        return False
    said = subprocess.run(["chmem", "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S607
    with tempfile.TemporaryDirectory() as directory:
        script = f'mount --bind "$0" {MEMORY}'
        argv = ["unshare", "-rm", "sh", "-c", script, directory]
        bound = subprocess.run(argv, capture_output=True, check=False)
    return RELEASE in said and bound.returncode == 0


def really(board: tuple[int, Blocks], argv: Sequence[str]) -> dict[str, Any]:
    """What the real tool says, and the states afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        into = Path(directory)
        write_out(*board, into)
        script = f'mount --bind "$0" {MEMORY} || exit 99; exec "$@"'
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", script, directory, *argv],  # noqa: S607
            capture_output=True, text=True, check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        )  # fmt: skip
        assert done.returncode != 99, done.stderr
        return {"stdout": done.stdout, "stderr": done.stderr, "exit_code": done.returncode, "states": states(into)}


def modelled(board: tuple[int, Blocks], argv: Sequence[str]) -> dict[str, Any]:
    """The same of the model."""
    from sparsemem.tools import chmem, lsmem
    from sparsemem.tools.result import Console

    tree = PlainTree(*board)
    tool = chmem if argv[0] == "chmem" else lsmem
    result = tool.main(tree, argv[1:], Console(tty=False))  # type: ignore[arg-type]  # what these two use of a tree
    after = {path.split("/")[-2]: text for path, text in tree.files.items() if path.endswith("/state")}
    return {
        "stdout": result.stdout,
        "stderr": result.stderr,
        "exit_code": result.exit_code,
        "states": dict(sorted(after.items())),
    }


if __name__ == "__main__":
    assert can_run(), f"this needs util-linux {RELEASE} and unshare"
    answers = {case: really(BOARDS[case.split(": ")[0]], case.split(": ")[1].split()) for case in CASES}
    for case, answer in answers.items():  # only what was written need be kept
        board = BOARDS[case.split(": ")[0]][1]
        answer["states"] = {
            name: text
            for name, text in answer["states"].items()
            if text != (s if (s := board[int(name[6:])][0]) == REFUSES else s + "\n")
        }
    RECORDED.write_text(json.dumps({"util_linux": RELEASE, "answers": answers}, indent=1) + "\n")
