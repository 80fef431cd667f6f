"""`node`, `serve` and `relay`: what stops them from starting, and what they are started with."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from offchain.cli import app
from offchain.cli.exits import Exit
from offchain.cli.failure import Failure
from offchain.cli.node import _rpc_port, find_node
from offchain.cli.ports import parse_listen
from offchain.keys import Keystore, lockdown
from offchain.keys.lockdown import Lockdown
from offchain.keys.signer import dev_key
from streaming.cli import Limits
from streaming.community.database import opening


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PAYSTREAM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    # it is for good, and this process is not theirs
    monkeypatch.setattr(lockdown, "lock_down", lambda: Lockdown(
        dumpable=True, memory_locked=False, missing=("the swap",)))  # fmt: skip
    password = tmp_path / "password"
    password.write_text("secret")
    password.chmod(0o600)
    monkeypatch.setenv("PAYSTREAM_PASSWORD_FILE", str(password))


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def refused(result: Result, code: Exit, *words: str) -> None:
    assert result.exit_code == code, result.output
    assert len(result.stderr.splitlines()) == 1
    for word in ("Error: ", *words):
        assert word in result.stderr


def test_a_port_in_use_is_named_with_the_option(taken_port: int) -> None:
    listen = f"127.0.0.1:{taken_port}"
    refused(run("serve", "--listen", listen), Exit.MACHINE, listen, "in use", "--listen")
    for command in (["relay"], ["serve", "--listen", "127.0.0.1:0"]):
        metrics = [*command, "--metrics-port", str(taken_port)]
        refused(run(*metrics), Exit.MACHINE, listen, "--metrics-port")


def test_where_the_community_s_tables_cannot_be(tmp_path: Path) -> None:
    serve = ["serve", "--listen", "127.0.0.1:0"]
    file = tmp_path / "url"
    file.write_text("postgresql://me:hunter2@127.0.0.1:1/x")
    file.chmod(0o644)
    refused(run(*serve, "--community-url-file", str(file)), Exit.USAGE, "chmod 600")
    file.chmod(0o600)
    away = run(*serve, "--community-url-file", str(file))
    refused(away, Exit.MACHINE, "cannot be reached", "check that it runs")
    assert "hunter2" not in away.output
    held = opening.opened(tmp_path / "c.sqlite")
    taken = run(*serve, "--community-database", str(tmp_path / "c.sqlite"))
    refused(taken, Exit.MACHINE, "in use by another process")
    held.close()


def test_an_address_of_another_machine() -> None:
    elsewhere = ["serve", "--listen", "203.0.113.9:8080", "--plain-http"]
    refused(run(*elsewhere), Exit.MACHINE, "203.0.113.9:8080")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--listen", "0.0.0.0:0"], ["plain HTTP", "--tls-cert", "127.0.0.1", "--plain-http"]),
        (["--listen", "[::]:0"], ["plain HTTP", "--tls-cert"]),
        (["--listen", "live.example:0"], ["plain HTTP", "--tls-cert"]),
        (["--tls-cert", "cert.pem"], ["--tls-key"]),
        (["--tls-key", "key.pem"], ["--tls-cert"]),
        (["--tls-cert", "/no/cert", "--tls-key", "/no/key"], ["--tls-cert /no/cert", "read"]),
        (["--cors-origin", "live.example"], ["scheme", "write https://live.example"]),
        (["--cors-origin", "https://a.example/page"], ["no path", "write https://a.example"]),
        (["--cors-origin", "null"], ["scheme"]),
        (["--origin", "https://a.example/page"], ["--origin", "write https://a.example"]),
        (["--trusted-proxy", "proxy.example"], ["--trusted-proxy", "10.0.0.0/8"]),
    ],
)
def test_what_cannot_be_served_with_is_said_at_the_start(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: list[str]
) -> None:
    async def run_serve(config: Any) -> None:
        pytest.fail(f"it was started with {config}")

    monkeypatch.setattr("streaming.cli.run_serve", run_serve)
    result = run("serve", *arguments)
    refused(result, Exit.USAGE, *words)
    assert "Traceback" not in result.output


@pytest.mark.parametrize("text", ["", "8080", "host:", "host:99999", "a:b:c", "[::1]"])
def test_a_listen_that_cannot_be_read(text: str) -> None:
    with pytest.raises(Failure) as raised:
        parse_listen(text)
    assert "HOST:PORT" in raised.value.message


def test_listen_addresses() -> None:
    assert parse_listen("127.0.0.1:0") == ("127.0.0.1", 0)
    assert parse_listen("[::1]:8080") == ("::1", 8080)
    assert parse_listen("example.org:80") == ("example.org", 80)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["relay", "--cadence-ms", "100"], "--cadence-ms"),
        (["relay", "--credit-seconds", "15"], "credit-seconds"),
        (["relay", "--cadence-ms", "60000"], "give 70 to 600"),
        (["relay", "--metrics-port", "70000"], "--metrics-port"),
        (["serve", "--metrics-port", "70000"], "--metrics-port"),
        (["serve", "--connections-max", "0"], "--connections-max"),
        (["serve", "--joins-per-minute", "-1"], "--joins-per-minute"),
        (["serve", "--request-timeout", "soon"], "--request-timeout"),
        (["serve", "--log-level", "loud"], "--log-level"),
        (["relay", "--log-format", "xml"], "--log-format"),
        (["serve", "--listen", "127.0.0.1:0", "--udp-ports", "40000"], "--udp-ports"),
        (["serve", "--listen", "127.0.0.1:0", "--udp-ports", "2-1"], "--udp-ports"),
        (["serve", "--listen", "127.0.0.1:0", "--udp-ports", "0-9"], "--udp-ports"),
        (["serve", "--listen", "127.0.0.1:0", "--udp-ports", "65530-65536"], "--udp-ports"),
        (["serve", "--listen", "127.0.0.1:0", "--ice-host", "192.0.2.256"], "--ice-host"),
        (["doctor", "--udp-ports", "x-y"], "--udp-ports"),
    ],
)
def test_a_value_out_of_range(arguments: list[str], word: str) -> None:
    refused(run(*arguments), Exit.USAGE, word)


def test_serve_passes_on_what_it_was_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Any] = []

    async def run_serve(config: Any) -> None:
        seen.append(config)
        config.on_ready("http://127.0.0.1:1234", config.metrics_port)

    monkeypatch.setattr("streaming.cli.run_serve", run_serve)
    monkeypatch.setenv("PAYSTREAM_ICE_HOST", "192.0.2.1 192.0.2.2")
    monkeypatch.setenv("PAYSTREAM_UDP_PORTS", "40000-40999")
    result = run(
        *("serve", "--listen", "0.0.0.0:0", "--plain-http", "--origin", "https://live.example"),
        *("--cors-origin", "*", "--trusted-proxy", "192.0.2.0/24", "--requests-per-second", "7"),
        *("--joins-per-minute", "8", "--half-open-per-address", "9", "--half-open-per-stream", "0"),
        *("--http-connections-per-address", "11", "--pauses-per-second", "12"),
        *("--nacks-per-second", "14"),
        *("--request-timeout", "13", "--metrics-port", "0"),
    )
    assert result.exit_code == 0, result.output
    ready = {"event": "ready", "url": "http://127.0.0.1:1234", "metrics_port": 0}
    assert json.loads(result.stdout) == ready
    (config,) = seen
    assert config.ice_hosts == ("192.0.2.1", "192.0.2.2")
    assert config.udp_ports == (40_000, 40_999)
    assert config.origin == "https://live.example"
    assert (config.plain_http, config.tls) == (True, None)
    assert (config.cors_origins, config.trusted_proxies) == (("*",), ("192.0.2.0/24",))
    assert config.limits == Limits(
        requests_per_second=7,
        joins_per_minute=8,
        half_open_per_address=9,
        half_open_per_stream=0,
        http_connections_per_address=11,
        pauses_per_second=12,
        nacks_per_second=14,
        request_timeout_s=13,
    )
    assert config.socket == tmp_path / "state" / "relay.sock"


def test_relay_passes_on_what_it_was_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[Any] = []

    async def run_relayer(config: Any) -> None:
        seen.append(config)

    monkeypatch.setattr("offchain.relayer.run.run_relayer", run_relayer)
    assert run("relay", "--chain", "ws://there:1", "--cadence-ms", "7000").exit_code == 0
    (config,) = seen
    assert (config.chain_urls, config.cadence_ms) == (("ws://there:1",), 7000)
    several = ("--chain", "ws://one:1", "--chain", "wss://user:secret@two/secret")
    assert run("relay", *several, "--chain-wait", "0").exit_code == 0
    assert seen[1].chain_urls == several[1::2]
    assert seen[1].chain_wait_s == 0
    assert "secret" not in repr(seen[1])
    two = ("--chain", "asia=ws://three:1", *several)
    assert run("relay", *two).exit_code == 0
    assert seen.pop(2).chains == {"": several[1::2], "asia": ("ws://three:1",)}
    refused(run("relay", "--chain", "asia=ws://three:1"), Exit.USAGE, "without /chains/NAME")
    assert run("relay").exit_code == 0
    assert seen[2].chain_urls == ("ws://127.0.0.1:9944",)
    assert config.keystore_dir == tmp_path / "state" / "delegates"
    assert config.password_again() == "secret"
    assert "secret" not in repr(config)


def test_the_journals_url_comes_from_a_file_or_a_variable_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[Any] = []

    async def run_relayer(config: Any) -> None:
        started.append(config)

    monkeypatch.setattr("offchain.relayer.run.run_relayer", run_relayer)
    url, file = "postgresql://relay:s3cret@db/journal", tmp_path / "url"
    file.write_text(url)
    file.chmod(0o644)
    refused(run("relay", "--journal-url-file", str(file)), Exit.USAGE, "chmod 600")
    file.chmod(0o600)
    assert run("relay", "--journal-url-file", str(file)).exit_code == 0
    monkeypatch.setenv("PAYSTREAM_JOURNAL_URL", url)
    result = run("relay")
    assert [config.journal_place() for config in started] == [url, url]
    assert "s3cret" not in result.output + repr(started)


def test_with_a_signer_the_relayer_needs_no_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Any] = []

    async def run_relayer(config: Any) -> None:
        seen.append(config)

    monkeypatch.setattr("offchain.relayer.run.run_relayer", run_relayer)
    monkeypatch.delenv("PAYSTREAM_PASSWORD_FILE")
    refused(run("relay"), Exit.KEYS, "--password-file")
    assert run("relay", "--signer", str(tmp_path / "signer.sock")).exit_code == 0
    (config,) = seen
    assert (config.signer, config.password) == (tmp_path / "signer.sock", "")


def test_the_signer_passes_on_what_it_was_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Any] = []

    async def run_signer(config: Any) -> None:
        seen.append(config)

    monkeypatch.setattr("offchain.signer.server.run_signer", run_signer)
    policy = tmp_path / "policy.toml"
    policy.write_text("sessions_max = 3\n")
    policy.chmod(0o644)
    assert run("signer", "--policy", str(policy)).exit_code == 0
    (config,) = seen
    assert config.keys_dir == tmp_path / "state" / "delegates"
    assert config.socket == tmp_path / "state" / "signer.sock"
    assert config.settings.policy.sessions_max == 3
    assert config.password_again() == "secret"
    assert "secret" not in repr(config)
    policy.write_text("session_max = 3\n")
    refused(run("signer", "--policy", str(policy)), Exit.USAGE, str(policy), "session_max")


def test_a_batch_account_is_opened_before_the_relayer_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Any] = []

    async def run_relayer(config: Any) -> None:
        seen.append(config)

    monkeypatch.setattr("offchain.relayer.run.run_relayer", run_relayer)
    refused(run("relay", "--batch-account", "nobody"), Exit.KEYS, "nobody")
    assert not seen
    assert run("relay", "--batch-account", "//Ferdie").exit_code == 0
    other = tmp_path / "other"
    other.write_text("another")
    other.chmod(0o600)
    Keystore(tmp_path / "state" / "keys").new("operator", "another")
    refused(run("relay", "--batch-account", "operator"), Exit.KEYS, "password")
    own = ("--batch-account", "operator", "--batch-password-file", str(other))
    assert run("relay", *own).exit_code == 0
    config = seen[0]
    assert config.batch_signer.address == dev_key("Ferdie").address


def test_a_damaged_batch_key_stops_no_relayer_and_is_in_the_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Any] = []

    async def run_relayer(config: Any) -> None:
        seen.append(config)

    monkeypatch.setattr("offchain.relayer.run.run_relayer", run_relayer)
    keys = tmp_path / "state" / "keys"
    Keystore(keys).new("operator", "secret")
    (keys / "operator.json").write_text("nothing")
    result = run("relay", "--batch-account", "operator")
    assert result.exit_code == 0, result.output
    (config,) = seen
    assert config.batch_signer is None
    for word in ("batch-key-unusable", str(keys / "operator.json"), "backup", "free lane"):
        assert word in caplog.text


def test_a_missing_node_says_how_to_build_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("offchain.cli.node._folders", lambda: [tmp_path])
    monkeypatch.setattr(os, "execv", lambda path, given: pytest.fail(f"{path} was started"))
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(run("node"), Exit.MACHINE, "scripts/setup --chain-only", "--node")
    refused(run("node", "--node", "/nope"), Exit.MACHINE, "/nope", "scripts/setup")


def test_the_node_that_setup_built_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def program(folder: Path, used_at: int = 0) -> Path:
        folder.mkdir(parents=True)
        path = folder / "paystream-node"
        path.write_text("#!/bin/sh\n")
        path.chmod(0o700)
        os.utime(folder, (used_at, used_at))
        return path

    nodes = tmp_path / "cache/paystream/nodes"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CARGO_TARGET_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("offchain.cli.node.__file__", str(tmp_path / "clone/offchain/cli/node.py"))
    with pytest.raises(Failure):
        find_node(None)

    program(nodes / "old", 1)
    used_last = program(nodes / "new", 2)
    program(nodes / ".new.half", 3)
    assert find_node(None) == used_last

    by_cargo = program(tmp_path / "target/release")
    assert find_node(None) == by_cargo

    link = tmp_path / "clone/.node"
    link.parent.mkdir()
    link.symlink_to(nodes / "old")
    assert find_node(None) == nodes / "old/paystream-node"
    link.unlink()
    link.symlink_to(nodes / "gone")
    assert find_node(None) == by_cargo


def test_the_node_takes_this_process_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "paystream-node"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    calls: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(os, "execv", lambda path, given: calls.append((str(path), given)))
    monkeypatch.setenv("PAYSTREAM_NODE", str(program))
    assert run("node", "--", "--dev", "--rpc-port", "0").exit_code == 0
    assert calls == [(str(program), [str(program), "--dev", "--rpc-port", "0"])]
    monkeypatch.setattr("offchain.cli.node.is_port_free", lambda host, port: True)
    started = run("node", "--json")
    assert json.loads(started.stdout)["arguments"] == ["--dev"]


def test_a_node_whose_port_is_taken_does_not_start(
    monkeypatch: pytest.MonkeyPatch, taken_port: int
) -> None:
    monkeypatch.setenv("PAYSTREAM_NODE", sys.executable)
    refused(
        run("node", "--", "--dev", f"--rpc-port={taken_port}"),
        Exit.MACHINE,
        str(taken_port),
        f"--rpc-port {taken_port + 1}",
    )


def test_the_rpc_port_is_found_in_the_node_arguments() -> None:
    assert _rpc_port(["--dev"]) == 9944
    assert _rpc_port(["--rpc-port", "1"]) == 1
    assert _rpc_port(["--rpc-port=2"]) == 2
    assert _rpc_port(["--rpc-port"]) == 0


def test_the_community_alone_takes_no_option_of_media(tmp_path: Path) -> None:
    alone = ["serve", "--only", "community", "--community-database", str(tmp_path / "c.sqlite")]
    alone += ["--media-origin", "https://live.example", "--listen", "127.0.0.1:0"]
    for option, value in (("--udp-ports", "4000-4001"), ("--socket", "x"), ("--ice-host", "::1")):
        refused(run(*alone, option, value), Exit.USAGE, option, "--only media")
    refused(run("serve", "--only", "chat"), Exit.USAGE, "--only", "media or community")
    refused(run(*alone[:3]), Exit.USAGE, "--community-database")


def test_what_a_settings_file_says_of_media_may_be_another_process_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    async def run_serve(config: Any) -> None:
        told.append(config)

    monkeypatch.setattr("streaming.cli.run_serve", run_serve)
    monkeypatch.setenv("PAYSTREAM_UDP_PORTS", "40000-41999")
    alone = ["serve", "--only", "community", "--community-database", str(tmp_path / "c.sqlite")]
    result = run(*alone, "--media-origin", "https://live.example", "--listen", "127.0.0.1:0")
    assert result.exit_code == 0, result.output
    assert (told[0].only, told[0].media_origin) == ("community", "https://live.example")
