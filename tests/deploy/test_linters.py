"""The linters of what is deployed, as scripts/setup --tests brings them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
LINTERS = ROOT / ".programs/linters"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
EXPOSURE_MAX = {
    "paystream-community": 15,
    "paystream-relay": 17,
    "paystream-serve": 19,
    "paystream-signer": 9,
}
"""Tenths of systemd's exposure level, which goes to 10.0; 9.6 is a unit without any protection."""

pytestmark = pytest.mark.deploy


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | environment,
        timeout=120,
    )


def passed(result: subprocess.CompletedProcess[str]) -> str:
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    return said


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The units on a machine where everything that they start is there."""
    root = tmp_path / "root"
    shutil.copytree("/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    for program in ("opt/paystream/bin/paystream", "bin/kill"):
        (root / program).parent.mkdir(parents=True, exist_ok=True)
        (root / program).write_text("#!/bin/sh\n")
        (root / program).chmod(0o755)
    (root / "etc/systemd/system").mkdir(parents=True)
    for unit in UNITS:
        shutil.copy(unit, root / "etc/systemd/system")
    return root


def verified(machine: Path) -> str:
    names = [f"/etc/systemd/system/{unit.name}" for unit in UNITS]
    return passed(run("systemd-analyze", "verify", "--man=no", f"--root={machine}", *names))


def test_systemd_takes_the_units_without_a_word(machine: Path) -> None:
    assert verified(machine) == ""


def test_systemd_would_say_what_is_wrong(machine: Path) -> None:
    unit = machine / "etc/systemd/system/paystream-serve.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "Unknown key" in verified(machine)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_exposes_little(unit: Path) -> None:
    threshold = EXPOSURE_MAX[unit.stem]
    passed(run("systemd-analyze", "security", "--offline=true", f"--threshold={threshold}", unit))


DENY_WRITABLE_CODE = "import ctypes; assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0; "
"""PR_SET_MDWE, Linux 6.3: what MemoryDenyWriteExecute does by a filter."""
WORK = {
    "relay": (
        "import sqlite3, trio; from offchain.relayer import run; "
        "from offchain.keys import dev_key; "
        "assert dev_key('Alice').sign(b'an order')"
    ),
    "signer": (
        "import sqlite3, trio; from offchain.signer.server import run_signer; "
        "from offchain.keys.delegate_keys import DelegateKeys; "
        "from offchain.keys import dev_key; "
        "assert dev_key('Alice').sign(b'an order')"
    ),
    "community": (
        "import sqlite3, ssl; from streaming.http.community_server import CommunityServer; "
        "from offchain.keys import dev_key; key = dev_key('Alice'); "
        "from streaming.community.signatures import check_signed; "
        "check_signed(key.public_key, 'a text', '0x' + key.sign(b'a text').hex()); "
        "from streaming.community.markdown import html_of; assert html_of('**tea**')"
    ),
    "serve": (
        "from aiortc.rtcdtlstransport import RTCCertificate, SRTP_PROFILES; "
        "RTCCertificate.generateCertificate()._create_ssl_context(SRTP_PROFILES)"
    ),
}


@pytest.mark.parametrize("process", sorted(WORK))
def test_code_is_made_at_run_time_only_where_the_unit_allows_it(process: str) -> None:
    passed(run(sys.executable, "-c", WORK[process]))
    try:
        passed(run(sys.executable, "-c", DENY_WRITABLE_CODE))
    except AssertionError:
        pytest.skip("this kernel cannot deny it to a process")
    unit = (DEPLOY / f"systemd/paystream-{process}.service").read_text()
    works = run(sys.executable, "-c", DENY_WRITABLE_CODE + WORK[process]).returncode == 0
    assert works == ("\nMemoryDenyWriteExecute=yes\n" in unit)


def test_the_users_can_be_made() -> None:
    said = passed(run("systemd-sysusers", "--dry-run", DEPLOY / "systemd/paystream.sysusers"))
    for name in ("community", "relay", "serve", "signer"):
        assert f"paystream-{name}" in said


def test_prometheus_takes_the_rules_and_they_ring_when_they_should() -> None:
    promtool, files = LINTERS / "promtool", DEPLOY / "prometheus"
    lint = ("--lint=all", "--lint-fatal")
    passed(run(promtool, "check", "rules", *lint, files / "paystream.rules.yaml"))
    passed(run(promtool, "check", "config", *lint, files / "scrape.yaml"))
    passed(run(promtool, "test", "rules", files / "paystream.rules.test.yaml"))


def test_the_compose_file_keeps_to_its_specification(tmp_path: Path) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    file = DEPLOY / "container/compose.yaml"
    passed(run(*check, file, PYTHONPATH=str(LINTERS)))
    broken = tmp_path / "compose.yaml"
    broken.write_text(file.read_text().replace("read_only: true", "read_only: [1]"))
    assert run(*check, broken, PYTHONPATH=str(LINTERS)).returncode != 0


def test_the_container_file_is_clean(tmp_path: Path) -> None:
    lint = ROOT / "tests/node_modules/.bin/dockerfile-utils"
    file = DEPLOY / "container/Containerfile"
    assert passed(run(lint, "lint", file)) == ""
    broken = tmp_path / "Containerfile"
    broken.write_text(file.read_text().replace("USER ", "USERS "))
    said = run(lint, "lint", broken)
    assert "USERS" in said.stdout + said.stderr
