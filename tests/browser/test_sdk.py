"""The JavaScript SDK as a package: its types, what npm would pack, and the example of its page."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from offchain.keys.signer import dev_key
from streaming.community.database import opening
from tests.community.people import Person, describe
from tests.http.rig import http_rig

ROOT = Path(__file__).parents[2]
SDK = ROOT / "streaming/pages/static/sdk"
TSC = ROOT / "tests/node_modules/.bin/tsc"
TYPES = ROOT / "tests/browser/sdk/tsconfig.json"
README = (SDK / "README.md").read_text()

pytestmark = pytest.mark.browser


@pytest.fixture
def node_js() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.fail("Node.js is missing: apt-get install nodejs", pytrace=False)
    return found


def checked(project: Path) -> subprocess.CompletedProcess[str]:
    command = [TSC, "-p", project]  # it names files as they are seen from where it runs
    return subprocess.run(command, cwd=project.parent, capture_output=True, text=True, check=False)


def test_the_types_hold() -> None:
    found = checked(TYPES)
    assert found.returncode == 0, found.stdout


def test_a_wrong_type_would_be_found(tmp_path: Path) -> None:
    shutil.copytree(SDK, tmp_path / "sdk")
    settings = json.loads(TYPES.read_text()) | {"include": ["sdk/*.js"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))
    wrong = 'import { Client } from "./index.js";\nvoid new Client().terms("one", "psw_x");\n'
    (tmp_path / "sdk/wrong.js").write_text(wrong)
    found = checked(tmp_path / "tsconfig.json")
    assert found.returncode != 0
    errors = re.findall(r"^(\S+)\(.*error TS", found.stdout, re.MULTILINE)
    assert errors == ["sdk/wrong.js"]


def test_npm_would_pack_the_modules_their_description_and_nothing_else() -> None:
    command = ["npm", "pack", "--dry-run", "--json", "--offline"]
    done = subprocess.run(command, cwd=SDK, capture_output=True, text=True, check=True)
    [packed] = json.loads(done.stdout)
    files = {file["path"] for file in packed["files"]}
    assert files == {path.name for path in SDK.iterdir()}
    assert {"index.js", "package.json", "README.md"} < files
    assert all(name.endswith((".js", ".json", ".md")) for name in files)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (packed["name"], packed["version"]) == ("@paystream/sdk", version)


def test_the_package_needs_no_module_from_outside() -> None:
    for module in SDK.glob("*.js"):
        named = re.findall(r'(?:from|import\() ?"([^"]+)"', module.read_text())
        assert all((SDK / name).is_file() and name.startswith("./") for name in named), module.name


def test_the_example_of_the_page_runs_against_a_server(tmp_path: Path, node_js: str) -> None:
    example = re.findall(r"```js\n(.*?)```", README, re.DOTALL)[0]
    package = tmp_path / "node_modules/@paystream"
    package.mkdir(parents=True)
    (package / "sdk").symlink_to(SDK)
    (tmp_path / "example.mjs").write_text(example)

    async def main() -> str:
        async with http_rig(tables=opening.opened(tmp_path / "c.sqlite")) as rig:
            alice = Person(rig, dev_key("Alice"))
            await describe(alice, 1, {"title": "Tea"})
            running = await asyncio.create_subprocess_exec(
                node_js, tmp_path / "example.mjs", rig.url, stdout=asyncio.subprocess.PIPE
            )
            said, _ = await running.communicate()
            assert running.returncode == 0
            return said.decode()

    assert re.match(r"1: [0-9.e-]+ \S+ a second, live, \d+ watching\n", asyncio.run(main()))


def test_the_page_names_what_there_is() -> None:
    exported = set(re.findall(r"\b\w+\b", "".join(
        re.findall(r"export \{([^}]*)\}", (SDK / "index.js").read_text())
    )))  # fmt: skip
    for example in re.findall(r"import \{([^}]*)\} from", README):
        assert set(re.findall(r"\w+", example)) <= exported
    methods = {
        name
        for module in ("client.js", "community.js")
        for name in re.findall(r"^  (?:async )?(\w+)\(", (SDK / module).read_text(), re.MULTILINE)
    }
    for kind in ("Client", "Community"):
        row = re.search(rf"^\| `{kind}` \| (.*) \|$", README, re.MULTILINE)
        assert row is not None
        assert set(re.findall(r"`(\w+)`", row[1])) <= methods
