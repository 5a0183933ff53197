"""The record of truth: what a kernel answered, as JSON that a reviewer can read and the test suite replays without QEMU."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from sparsemem.errors import UnreadableError
from sparsemem.lab.masks import Uuids, masked_log, masked_text

if TYPE_CHECKING:
    from sparsemem.lab.guest import GuestAnswer
    from sparsemem.lab.kernels import KernelImage
    from sparsemem.lab.observe import Observation
    from sparsemem.play.scenario import Scenario

__all__ = ["Recorder", "refused_document", "write_transcript"]


class Recorder:
    """Collects the answers of one run. Uuids are numbered in order of appearance: nothing in a transcript differs from run to run."""

    def __init__(self, scenario: Scenario) -> None:
        self._steps: list[dict[str, Any]] = []
        self._end: Observation | None = None
        self._uuids = Uuids("\n".join(text for text, _ in scenario.steps))

    def step(self, command: str, answer: GuestAnswer) -> None:
        """One answer."""
        self._steps.append(
            {
                "command": command,
                "exit_code": answer.exit_code,
                "stdout": masked_text(self._uuids.mask(answer.stdout), command),
                "log": [self._uuids.mask(line) for line in masked_log(answer.log)],
            }
        )

    def end(self, seen: Observation) -> None:
        """What was seen after the last step."""
        self._end = seen

    def document(self, image: KernelImage) -> dict[str, Any]:
        """The transcript."""
        document: dict[str, Any] = {"kernel": image.version, "package": image.package, "steps": self._steps}
        if self._end is None:
            return document
        end = self._end
        document["iomem"] = "".join(f"{line}\n" for line in end.iomem)
        document["blocks"] = [
            {"name": b.name, "state": b.state, "valid_zones": list(b.valid_zones)} for b in end.blocks
        ]
        document["zones"] = [z._asdict() for z in end.zones]
        document["block_size_bytes"] = f"{end.block_size_bytes:x}"
        document["auto_online_blocks"] = end.auto_online_blocks
        if end.sections is not None:
            document["sections"] = [
                {
                    "nr": s.nr,
                    "flags": list(s.flags),
                    "subsection_map": None if s.subsection_map is None else f"{s.subsection_map:#x}",
                }
                for s in end.sections
            ]
        return document


def refused_document(image: KernelImage, words: str) -> dict[str, Any]:
    """The transcript of a machine that QEMU does not start."""
    return {"kernel": image.version, "package": image.package, "refused_by_qemu": f"{words}\n"}


def write_transcript(path: str, document: dict[str, Any]) -> None:
    """One file, stable: keys in a fixed order, nothing that changes from run to run."""
    temporary = f"{path}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, ensure_ascii=True)
            file.write("\n")
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise UnreadableError(f"cannot write it: {error.strerror}", where=path) from None
