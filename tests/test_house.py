"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
from pathlib import Path

import pytest

import sparsemem
from sparsemem.errors import MissingExtraError

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    m.name for m in pkgutil.walk_packages(sparsemem.__path__, "sparsemem.") if not m.name.endswith("__main__")
)


def _module(name: str) -> object:
    try:
        return importlib.import_module(name)
    except MissingExtraError as error:
        pytest.skip(error.what)


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_exported_and_documented(name: str) -> None:
    module = _module(name)
    assert (module.__doc__ or "").strip(), "a module says what it is"
    exported = getattr(module, "__all__", None)
    if exported is None:
        assert not [n for n, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == name]
        return
    assert len(set(exported)) == len(exported)
    for public in exported:
        value = getattr(module, public)
        if inspect.isclass(value) and value.__module__.startswith("sparsemem"):
            assert value.__doc__, public


@pytest.mark.parametrize("path", sorted((ROOT / "src").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT / "src")))
def test_modules_stay_small(path: Path) -> None:
    """Modules of 80 to 250 lines; above 450 a module is two."""
    assert len(path.read_text().splitlines()) <= 450


#: One-line tests of a flag: their name says it all.
_SPEAK_FOR_THEMSELVES = re.compile(r"(valid|present|online|early)_section|.*_show|zone_intersects|resource_\w+")


def test_functions_of_the_kernel_say_what_they_do() -> None:
    missing = [
        f"{path.name}:{node.name}"
        for path in (ROOT / "src/sparsemem/kernel").rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and not (node.name.startswith("_") and not node.name.startswith("__"))
        and not ast.get_docstring(node)
        and not _SPEAK_FOR_THEMSELVES.fullmatch(node.name)
    ]
    assert not missing


def test_no_version_comparison_outside_spec() -> None:
    for path in (ROOT / "src/sparsemem").rglob("*.py"):
        if "spec" not in path.parts and "explain" not in path.parts:
            assert not re.search(r"\.version\s*[<>]=?|\.series\s*[<>]=?", path.read_text()), path


def _tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    return done.stdout.splitlines() if done.returncode == 0 else []


def test_nothing_large_or_foreign_is_tracked() -> None:
    for name in _tracked():
        path = ROOT / name
        if path.is_file():
            assert path.stat().st_size < 1 << 20, name
            assert not name.endswith((".so", ".o", ".whl", ".deb", ".pyc")), name
