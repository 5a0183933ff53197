"""One browser for all of these tests. Without Chromium they are skipped, and say so; SPARSEMEM_BROWSER=required makes that a failure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import Browser, program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.browser.chromium import Page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = program()
    if path is None:
        said = "no Chromium: apt-get install --no-install-recommends chromium (or name one in SPARSEMEM_CHROMIUM)"
        if os.environ.get("SPARSEMEM_BROWSER") == "required":
            pytest.fail(said)
        pytest.skip(said)
    running = Browser(path)
    yield running
    running.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens a page given as text; after the test it must have asked for nothing and complained of nothing."""
    pages: list[tuple[str, Page]] = []

    def open_page(text: str, fragment: str = "", **how: object) -> Page:
        path = tmp_path / f"page{len(pages)}.html"
        path.write_text(text, encoding="utf-8")
        page = browser.page(path.as_uri() + fragment, **how)  # type: ignore[arg-type]
        pages.append((path.as_uri(), page))
        return page

    yield open_page
    for url, page in pages:
        assert not page.complaints
        assert {each.partition("#")[0] for each in page.requests} == {url}
        page.run("localStorage.clear()")
        page.close()
