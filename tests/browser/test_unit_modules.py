"""The pages' modules without a browser: their syntax, and the unit tests in `unit/`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODULES = sorted((HERE.parents[1] / "streaming" / "pages" / "static").rglob("*.js"))

pytestmark = pytest.mark.browser


@pytest.fixture
def node_js() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.fail("Node.js is missing: apt-get install nodejs", pytrace=False)
    return found


def test_every_module_parses(node_js: str) -> None:
    assert MODULES
    for module in MODULES:
        command = [node_js, "--check", "--input-type=module", "-"]
        subprocess.run(command, input=module.read_text(), text=True, check=True)


def test_the_unit_tests_of_the_modules_pass(node_js: str) -> None:
    command = [node_js, "--test", str(HERE / "unit")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_leaves_the_page_s_policy() -> None:
    forbidden = ("innerHTML", "outerHTML", "eval(", "new Function", "document.write", ".style.")
    for path in [*MODULES, *MODULES[0].parents[1].glob("*.html")]:
        text = path.read_text()
        assert [word for word in forbidden if word in text] == [], path.name
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", ""), path.name
        assert "https://" not in text, path.name
