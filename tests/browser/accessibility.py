"""What axe-core finds on a page: the rules of WCAG 2.2, A and AA, and its best practices."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page

AXE: Final = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice")


async def findings(page: Page) -> list[str]:
    """Each rule that is broken, with the first place where it is."""
    if not AXE.is_file():
        pytest.fail("axe-core is missing: scripts/setup --tests", pytrace=False)
    # evaluated from outside: the page's policy lets no script in, and stays as it is
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate(
        "tags => axe.run({ runOnly: tags }).then(({ violations }) => violations.map("
        "({ id, nodes }) => `${id}: ${nodes[0].target} ${nodes[0].failureSummary}`))",
        list(TAGS),
    )
    return [str(each) for each in found]
