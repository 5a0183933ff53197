"""Debian packages without installing them: an apt of its own in the cache, with the mirrors and keys of this machine.

Package versions go away with security updates, so nothing is pinned: what is fetched is the newest that the index names. apt
verifies signatures and checksums, and goes on with a download that was interrupted.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.lab.cache import cache_dir, free_space, locked
from sparsemem.lab.errors import GoneError, LabError
from sparsemem.lab.qemu import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Apt", "Candidate", "newest"]

SUITES = ("bullseye", "bookworm", "trixie", "trixie-backports", "sid")
_NO_SECURITY = {"sid", "trixie-backports"}
_FRESH = 12 * 3600
_INDEXES = 500 << 20
_HELPER = "/usr/lib/apt/apt-helper"
_STALL = 90.0


class Candidate(NamedTuple):
    """A package version that the index has."""

    package: str
    version: str


def _run(
    argv: Sequence[str], what: str, env: dict[str, str] | None = None, *, grows: Path | None = None,
    cwd: Path | None = None, visible: bool = False,
) -> str:  # fmt: skip
    """What it prints. It is ended when ``grows`` has not changed its size for a while (apt waits for ever on a full disk)."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            child = subprocess.Popen(  # noqa: S603
                argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=sys.stderr if visible else out, stderr=err,
                start_new_session=True, preexec_fn=die_with_parent,
            )  # fmt: skip
        except FileNotFoundError:
            raise LabError(
                f"{what} needs {argv[0]}, which is not here",
                remedy="run it on Debian or Ubuntu, or add a kernel of your own: sparsemem kernels add IMAGE",
            ) from None
        try:
            stalled = _watch(child, grows)
        finally:
            _end(child)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    if stalled:
        raise LabError(
            f"{what} stood still for {_STALL:.0f} s and was ended",
            remedy="is there room, and a network? Then try again",
        )
    if child.returncode:
        words = [line for line in (texts[1] or texts[0]).splitlines() if line.startswith(("E:", "Err:"))]
        gone = any("404" in word for word in words)
        raise (GoneError if gone else LabError)(
            f"{what} failed", why="; ".join(words[:3]) or f"{argv[0]}: exit {child.returncode}",
            remedy="the mirror has it no more: read the index again with kernels fetch --renew" if gone
            else "try again: what was fetched is kept",
        )  # fmt: skip
    return texts[0]


def _end(child: subprocess.Popen[bytes]) -> None:
    """It and its methods. They are asked first: then they date what they have, so that a mirror lets them go on with it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(2.0)


def _watch(child: subprocess.Popen[bytes], grows: Path | None) -> bool:
    """Wait for it to end. Whether it did not, and stood still."""
    size, since = -1, time.monotonic()
    while True:
        try:
            child.wait(0.2 if grows is None or size >= 0 else 0.01)
        except subprocess.TimeoutExpired:
            now = 0 if grows is None else sum(each.stat().st_blocks for each in _files(grows))
            if now != size:
                size, since = now, time.monotonic()
            elif time.monotonic() - since > _STALL:
                return True
        else:
            return False


def _files(root: Path) -> Iterator[Path]:
    for top, _, names in os.walk(root):
        for name in names:
            path = Path(top, name)
            if path.exists():
                yield path


def newest(candidates: Sequence[Candidate]) -> Candidate | None:
    """The highest by Debian's order of versions (``dpkg --compare-versions``)."""
    best: Candidate | None = None
    for each in candidates:
        if best is None or _higher(each.version, best.version):
            best = each
    return best


def _higher(a: str, b: str) -> bool:
    dpkg = shutil.which("dpkg")
    if dpkg is None:
        raise LabError("no dpkg here", remedy="run it on Debian or Ubuntu")
    return subprocess.run([dpkg, "--compare-versions", a, "gt", b], check=False).returncode == 0  # noqa: S603


class Apt:
    """``apt-get`` on state of its own. ``say`` is told what goes on."""

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self.root = cache_dir() / "apt"
        self.say = say or (lambda text: None)

    def _config(self) -> Path:
        for part in ("lists/partial", "archives/partial", "incoming", "etc"):
            (self.root / part).mkdir(parents=True, exist_ok=True)
        (self.root / "status").touch()
        config = self.root / "apt.conf"
        config.write_text(
            f'Dir::State::lists "{self.root}/lists";\nDir::State::status "{self.root}/status";\n'
            f'Dir::Cache "{self.root}";\nDir::Cache::archives "{self.root}/archives";\n'
            f'Dir::Etc::sourcelist "{self.root}/sources.list";\nDir::Etc::sourceparts "{self.root}/etc";\n'
            f'Dir::Etc::preferencesparts "{self.root}/etc";\nDir::Etc::preferences "{self.root}/preferences";\n'
            'APT::Get::List-Cleanup "false";\nAPT::Install-Recommends "false";\nAPT::Sandbox::User "";\n'
            'Acquire::Retries "3";\nAcquire::Languages "none";\n'
        )
        return config

    def _env(self) -> dict[str, str]:
        return {**os.environ, "APT_CONFIG": str(self._config()), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}

    def _sources(self) -> None:
        """The suites on the mirrors that this machine itself uses."""
        layout = "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
        text = _run(["apt-get", "indextargets", "--format", layout], "finding this machine's Debian mirror")
        main = security = None
        for line in text.splitlines():
            origin, label, uri = [*line.split("|"), "", "", ""][:3]
            if origin == "Debian" and label == "Debian":
                main = main or uri
            elif origin == "Debian" and label == "Debian-Security":
                security = security or uri
        if main is None:
            raise LabError(
                "apt knows no Debian mirror on this machine",
                remedy="run apt-get update first; elsewhere add a kernel of your own: sparsemem kernels add IMAGE",
            )
        keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
        signed = f"[signed-by={keyring}] " if keyring.exists() else ""
        lines = [f"deb {signed}{main} {suite} main" for suite in SUITES]
        if security is not None:
            lines += [f"deb {signed}{security} {suite}-security main" for suite in SUITES if suite not in _NO_SECURITY]
        (self.root / "sources.list").write_text("".join(f"{line}\n" for line in lines))

    def update(self, *, force: bool = False) -> None:
        """Read the package indexes, unless they are younger than half a day. Raises LabError."""
        with locked("apt", self.say):
            self._config()
            stamp = self.root / "updated"
            if not force and stamp.exists() and stamp.stat().st_mtime > time.time() - _FRESH:
                return
            self.say("reading the package indexes")
            free_space(self.root, _INDEXES, "the package indexes")
            self._sources()
            _run(["apt-get", "update", "-q"], "reading the package indexes", self._env(), grows=self.root)
            stamp.touch()

    def search(self, pattern: str) -> list[Candidate]:
        """Every version of every package whose whole name matches the regular expression."""
        names = sorted(
            n for n in _run(["apt-cache", "pkgnames"], "the index", self._env()).split() if re.fullmatch(pattern, n)
        )
        if not names:
            return []
        text = _run(["apt-cache", "madison", *names], "the index", self._env())
        rows = [tuple(part.strip() for part in line.split("|")) for line in text.splitlines()]
        return list(dict.fromkeys(Candidate(row[0], row[1]) for row in rows if len(row) == 3))

    def download(self, candidate: Candidate) -> Path:
        """The .deb, fetched when it is not there. Raises LabError."""
        return self._fetch([f"{candidate.package}={candidate.version}"], candidate.package)[0]

    def download_with_dependencies(self, suite: str, packages: Sequence[str]) -> list[Path]:
        """The packages of a suite with everything that they need, libc included: apt believes that nothing is installed."""
        argv = [f"{package}/{suite}" for package in packages]
        return self._fetch(argv, " ".join(packages), closure=suite)

    def _fetch(self, wanted: Sequence[str], what: str, closure: str | None = None) -> list[Path]:
        with locked("apt", self.say):
            if closure is None:
                text = _run(["apt-get", "download", "--print-uris", *wanted], f"finding {what}", self._env())
                found = [line.split() for line in text.splitlines() if line.startswith("'")]
                if not found or any(len(each) != 4 for each in found):
                    raise LabError(f"apt does not say where {what} is")
                return [self._resumed(url.strip("'"), name, checksum, what) for url, name, _, checksum in found]
            argv = ["apt-get", "install", "-y", "--download-only", "-t", closure, *wanted]
            text = _run([*argv, "--print-uris"], f"finding {what}", self._env())
            names = [line.split()[1] for line in text.splitlines() if line.startswith("'")]
            if any(not (self.root / "archives" / name).exists() for name in names):
                self._visible(argv, what)
            text = _run(
                [*argv, "--print-uris", "-o", f"Dir::Cache::archives={self.root}/none"], f"finding {what}", self._env()
            )
            return [self.root / "archives" / line.split()[1] for line in text.splitlines() if line.startswith("'")]

    def _resumed(self, url: str, name: str, checksum: str, what: str) -> Path:
        """One file: apt-helper goes on with a part that is there, which apt-get download throws away."""
        incoming, final = self.root / "incoming", self.root / "archives" / name
        incoming.mkdir(parents=True, exist_ok=True)
        if not final.exists():
            try:
                self._visible([_HELPER, "download-file", url, name, checksum], what, cwd=incoming)
            finally:
                (incoming / f"{name}.FAILED").unlink(missing_ok=True)  # its checksum is wrong
            (incoming / name).replace(final)
        return final

    def _visible(self, argv: Sequence[str], what: str, cwd: Path | None = None) -> None:
        """Run it so that apt's own progress is seen on a terminal."""
        self.say(f"fetching {what}")
        live = sys.stderr.isatty()
        quiet = [] if live else ["-q"]
        _run([argv[0], *quiet, *argv[1:]], f"fetching {what}", self._env(), grows=self.root, cwd=cwd, visible=live)
