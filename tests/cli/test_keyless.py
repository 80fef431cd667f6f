"""The process that parses media has no key in its memory, and the same process before it had."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from offchain.cli import keyless
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.keyless import VARIABLE, SignedIn
from offchain.keys import Keystore
from offchain.keys.keystore import key_from_phrase

ROOT = Path(__file__).parent.parent.parent
PHRASE = "bottom drive obey lake curtain smoke basket hold race lonely fit walk//parsing"
KEY = key_from_phrase(PHRASE)
PASSWORD = "correct horse battery staple"
STAND_IN = """
import json, os, sys
import offchain.cli.media as media
import streaming.cli

media.obtain_token = lambda *given: "psw_" + "1" * 20
media.ask = lambda *given, **more: {{
    "stream": 1, "missing": [], "payable": True, "delegate": "0x" + "11" * 32}}
{control}

async def parse_media(config):
    print(json.dumps({{"token": config.token, "account": config.signer.account,
                       "keys": "offchain.keys.keystore" in sys.modules}}), flush=True)
    sys.stdin.readline()

streaming.cli.run_watch = streaming.cli.run_publish = parse_media
"""
CONTROL = "media.begin_without_key = lambda signed_in: None"


def memory_of(pid: int) -> bytes:
    """Read what a process may write to: its heap and stacks."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if match is None:
                continue
            start, end = int(match[1], 16), int(match[2], 16)
            try:
                memory.seek(start)
                found.append(memory.read(end - start))
            except OSError:
                continue
    return b"".join(found)


@pytest.mark.parametrize("command", ["watch", "publish"])
@pytest.mark.parametrize("begins_anew", [True, False])
def test_no_key_is_in_the_memory_that_parses_media(
    tmp_path: Path, command: str, begins_anew: bool
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        STAND_IN.format(control="" if begins_anew else CONTROL)
    )
    Keystore(tmp_path / "keys").store(KEY, "wallet", PASSWORD)
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    variables = {
        "PYTHONPATH": f"{tmp_path}:{ROOT}",
        "PAYSTREAM_STATE_DIR": str(tmp_path),
        "PAYSTREAM_PASSWORD_FILE": str(tmp_path / "password"),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "offchain.cli", command, "--stream", "1", "--key", "wallet"],
        env=os.environ | variables,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        told = json.loads(line)
        assert (told["token"], told["account"]) == ("psw_" + "1" * 20, KEY.address)
        assert told["keys"] is not begins_anew
        memory = memory_of(process.pid)
        assert KEY.address.encode() in memory  # it is that process's
        secret = bytes(KEY.pair.private_key)
        assert (secret[:32] in memory) is not begins_anew
        assert not (begins_anew and PASSWORD.encode() in memory)
        process.kill()


def test_what_comes_through_the_pipe_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keyless.signed_in() is None
    reader, writer = os.pipe()
    os.write(writer, b'{"account":"5Alice","token":"psw_1"}')
    os.close(writer)
    monkeypatch.setenv(VARIABLE, str(reader))
    left = keyless.signed_in()
    assert left == SignedIn(account="5Alice", token="psw_1")
    assert "psw_1" not in repr(left)
    assert keyless.signed_in() is None
    with pytest.raises(Failure, match="sign in"):
        left.sign(b"anything")


@pytest.mark.parametrize("value", ["x", "9999", "-1"])
def test_a_variable_that_somebody_set_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(Failure, match=VARIABLE) as raised:
        keyless.signed_in()
    assert raised.value.exit_code == Exit.USAGE
