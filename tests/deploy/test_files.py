"""What is deployed names only what exists: options, variables, metrics, runbook entries."""

from __future__ import annotations

import asyncio
import configparser
import grp
import itertools
import json
import pwd
import re
import shlex
import tomllib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock
from typer.main import get_command

from offchain.cli import app
from offchain.cli.command import options_of
from offchain.cli.wallets import CREDENTIAL
from offchain.config import option_values
from offchain.keys.lockdown import LOCKED_BYTES_MIN
from offchain.relayer import readiness
from offchain.relayer.metrics import Answers
from offchain.signer import journal
from offchain.signer import settings as signer_settings
from offchain.signer.policy import Policy
from streaming.http.config import ServeConfig
from streaming.http.metrics import Meters
from streaming.sfu.sockets import REJECTED
from tests.http.rig import http_rig
from tests.relayer.rig import rig

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MEASURED = re.compile(r"\bpaystream_(?:relay|serve)_[a-z0-9_]*[a-z0-9]")
NAMING = ("prometheus/paystream.rules.yaml", "prometheus/paystream.rules.test.yaml",
          "grafana/paystream.json", "runbook.md", "README.md")  # fmt: skip


def command(name: str) -> Any:
    root: Any = get_command(app)
    return root.commands.get(name)


def variables() -> set[str]:
    found: set[str] = set()
    for name in ("signer", "relay", "serve"):
        for parameter in command(name).params:
            found |= {str(parameter.envvar)}
    return found


def unit(path: Path) -> configparser.ConfigParser:
    # the last of several lines of one name is enough here
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser


# --- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_a_command_with_options_that_it_has(path: Path) -> None:
    program, name, *arguments = shlex.split(unit(path)["Service"]["ExecStart"])
    assert program == "/opt/paystream/bin/paystream"
    only = "community" if "--only" in arguments else name
    assert path.stem == f"paystream-{only}"
    known = command(name)
    options = {option for parameter in known.params for option in parameter.opts}
    given = {argument for argument in arguments if argument.startswith("--")}
    assert given
    assert given <= options


@pytest.mark.parametrize("name", ["relay", "signer"])
def test_a_unit_with_keys_may_lock_its_memory(name: str) -> None:
    """Below `LOCKED_BYTES_MIN` nothing is locked."""
    limit = unit(DEPLOY / f"systemd/paystream-{name}.service")["Service"]["LimitMEMLOCK"]
    assert limit == "infinity" or int(limit) >= LOCKED_BYTES_MIN


def test_each_process_is_a_user_of_its_own() -> None:
    users = [unit(path)["Service"]["User"] for path in UNITS]
    assert len(set(users)) == len(UNITS) == 4
    made = (DEPLOY / "systemd/paystream.sysusers").read_text()
    assert all(re.search(rf"^u {user} ", made, re.MULTILINE) for user in users)
    server = unit(DEPLOY / "systemd/paystream-serve.service")["Service"]["User"]
    relayer = unit(DEPLOY / "systemd/paystream-relay.service")["Service"]
    assert f"--server-user {server}" in relayer["ExecStart"]
    assert server in relayer["SupplementaryGroups"].split()


def run_dir(name: str, option: str) -> str:
    """Give a path of a unit's command line, with systemd's directory in it."""
    service = unit(DEPLOY / f"systemd/paystream-{name}.service")["Service"]
    arguments = shlex.split(service["ExecStart"])
    path = arguments[arguments.index(option) + 1]
    return path.replace("${RUNTIME_DIRECTORY}", f"/run/{service.get('RuntimeDirectory')}")


def test_the_keys_are_with_the_signer_alone() -> None:
    relayer = unit(DEPLOY / "systemd/paystream-relay.service")
    assert "LoadCredential" not in relayer["Service"]
    assert "password" not in relayer["Service"]["ExecStart"]
    for relation in ("Wants", "After"):
        assert "paystream-signer.service" in relayer["Unit"][relation].split()
    signer = unit(DEPLOY / "systemd/paystream-signer.service")["Service"]
    assert (signer["PrivateNetwork"], signer["RestrictAddressFamilies"]) == ("yes", "AF_UNIX")
    assert run_dir("relay", "--signer") == run_dir("signer", "--signer")
    assert run_dir("serve", "--socket") == run_dir("relay", "--socket")
    for name, others in (("serve", ("relay", "signer")), ("relay", ("signer",))):
        hidden = unit(DEPLOY / f"systemd/paystream-{name}.service")["Service"]["InaccessiblePaths"]
        assert {f"-/var/lib/paystream-{other}" for other in others} <= set(hidden.split())


def test_a_password_comes_under_the_name_that_is_taken_from_every_systemd() -> None:
    """Only of that one is the mode allowed that systemd 254 and later give (0440, and an ACL)."""
    given = [unit(path)["Service"].get("LoadCredential", "") for path in UNITS]
    assert {each.partition(":")[0] for each in given if each} == {CREDENTIAL}
    assert not any("CREDENTIALS_DIRECTORY" in path.read_text() for path in UNITS)


def test_the_policy_lets_the_relayer_s_user_ask_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The names are of the units' users, which the machine of a test has not."""
    signer = unit(DEPLOY / "systemd/paystream-signer.service")["Service"]
    relayer = unit(DEPLOY / "systemd/paystream-relay.service")["Service"]
    ids = {relayer["User"]: 10_001}
    monkeypatch.setattr(pwd, "getpwnam", lambda name: SimpleNamespace(pw_uid=ids[name]))
    monkeypatch.setattr(grp, "getgrnam", lambda name: SimpleNamespace(gr_gid=ids[name]))
    settings = signer_settings.read_settings(DEPLOY / "policy.toml")
    assert (settings.users, settings.group) == (frozenset({10_001}), 10_001)
    assert relayer["Group"] in signer["SupplementaryGroups"].split(), "or the socket stays its own"
    assert "--policy /etc/paystream/policy.toml" in signer["ExecStart"]
    assert "deploy/policy.toml" in (DEPLOY / "README.md").read_text()


def test_the_policy_is_no_weaker_than_none() -> None:
    text = (DEPLOY / "policy.toml").read_text()
    given, without = msgspec.convert(tomllib.loads(text), type=signer_settings._File), Policy()
    assert (given.adopt, given.head_start_ms) == (False, without.head_start_ms)
    assert given.gap_ms_max <= without.gap_ms_max
    assert given.sessions_max <= without.sessions_max
    bounds = zip(
        msgspec.structs.astuple(given.bounds), msgspec.structs.astuple(without.bounds), strict=True
    )
    assert all(tighter <= default for tighter, default in bounds)
    assert given.bounds.rate_per_second_max < without.bounds.rate_per_second_max
    commented = tomllib.loads(re.sub(r"^# (genesis_hash|streams) =", r"\1 =", text, flags=re.M))
    assert {"genesis_hash", "streams"} <= commented.keys()
    msgspec.convert(commented, type=signer_settings._File)


def test_who_asks_its_peers_user_has_no_private_table_of_users() -> None:
    # SO_PEERCRED names nobody whom the table lacks, and a socket cannot be given to such a group
    for name in ("relay", "signer"):
        assert "PrivateUsers" not in unit(DEPLOY / f"systemd/paystream-{name}.service")["Service"]


def test_the_processes_can_measure_themselves() -> None:
    # prometheus-client reads /proc/stat; without it these metrics are missing
    rules = (DEPLOY / "prometheus/paystream.rules.yaml").read_text()
    for name in set(re.findall(r"paystream_(relay|serve)_process_", rules)):
        assert "ProcSubset" not in unit(DEPLOY / f"systemd/paystream-{name}.service")["Service"]


def test_the_signer_can_tell_one_boot_from_another() -> None:
    # its clock stands still over a restart where it cannot, and honest seconds are refused
    assert journal._BOOT_ID.is_relative_to("/proc/sys")
    assert "ProcSubset" not in unit(DEPLOY / "systemd/paystream-signer.service")["Service"]


def test_the_example_of_the_settings_is_taken_by_both_commands() -> None:
    path = DEPLOY / "paystream.toml"
    document = tomllib.loads(path.read_text())
    known = options_of(get_command(app))
    relay = option_values(document, known, ("relay",), path)
    serve = option_values(document, known, ("serve",), path)
    assert relay["log_format"] == serve["log_format"] == "json"
    commented = re.findall(r"^# ([a-z-]+) = ", path.read_text(), re.MULTILINE)
    assert {"batch-account", "ice-host"} == set(commented)
    for name in commented:
        assert f"PAYSTREAM_{name.replace('-', '_').upper()}" in variables()


def test_the_community_s_unit_has_its_settings_and_nothing_of_media_or_money() -> None:
    path = DEPLOY / "community.toml"
    document = tomllib.loads(path.read_text())
    serve = option_values(document, options_of(get_command(app)), ("serve",), path)
    service = unit(DEPLOY / "systemd/paystream-community.service")["Service"]
    assert shlex.split(service["ExecStart"])[1:] == ["serve", "--only", "community"]
    assert service["Environment"].endswith("/etc/paystream/community.toml")
    folder = f"/var/lib/{service['StateDirectory']}"
    config = ServeConfig(
        socket=Path("unused"),
        only="community",
        origin=serve["origin"],
        media_origin=serve["media_origin"],
        community_database=Path(serve["community_database"]),
    )
    config.check()
    assert str(config.community_database).startswith(folder)
    for settings in (path, DEPLOY / "paystream.toml"):
        assert "password" not in settings.read_text()
    text = (DEPLOY / "systemd/paystream-community.service").read_text()
    for hidden in ("/var/lib/paystream-relay", "/run/paystream-relay", "/run/paystream-signer"):
        assert f"-{hidden}" in text
    assert "AF_NETLINK" not in text
    assert not re.search(r"^(Wants|After)=.*paystream-relay", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["paystream.env", "container/compose.yaml"])
def test_each_variable_is_one_of_an_option(name: str) -> None:
    named = set(re.findall(r"\bPAYSTREAM_[A-Z_]+", (DEPLOY / name).read_text()))
    assert len(named) > 3
    assert named <= variables()


def test_the_containers_options_are_those_of_the_commands() -> None:
    text = (DEPLOY / "container/compose.yaml").read_text()
    found = re.findall(r"- (signer|relay|serve)\n((?:      - .*\n)+)", text)
    assert [name for name, _ in found] == ["signer", "relay", "serve"]
    for name, block in found:
        options = {option for parameter in command(name).params for option in parameter.opts}
        given = set(re.findall(r"- (--[a-z-]+)", block))
        assert len(given) > 2
        assert given <= options, name


def test_the_containers_share_what_the_units_share() -> None:
    """The signer has no network, and alone has a password; each has its own user and volumes."""
    text = (DEPLOY / "container/compose.yaml").read_text()
    services = dict(re.findall(r"^  (signer|relay|serve):\n((?:    .*\n|\n)+)", text, re.MULTILINE))
    users = [re.findall(r'^    user: "(\d+):\1"$', block, re.M) for block in services.values()]
    assert sorted(users) == [["10001"], ["10002"], ["10003"]]
    assert [name for name, block in services.items() if "network_mode: none" in block] == ["signer"]
    assert [name for name, block in services.items() if "secrets:" in block] == ["signer"]
    assert "signer-run:/run/paystream-signer:ro" in services["relay"]
    assert "signer" not in services["serve"]
    assert "signer-state" not in services["relay"]
    image = (DEPLOY / "container/Containerfile").read_text()
    for number, name in ((10001, "relay"), (10002, "serve"), (10003, "signer")):
        assert re.search(rf"useradd .*--uid {number} .*paystream-{name} ", image)


def test_no_secret_is_in_a_setting() -> None:
    for path in (DEPLOY / "paystream.env", DEPLOY / "paystream.toml"):
        text = path.read_text().replace('tls-key = "/', "")
        assert not re.search(r"^[^#]*(password|secret|token|key)\s*=", text, re.I | re.M)


# --- metrics ---------------------------------------------------------------------------------


def samples(text: bytes) -> dict[str, dict[str, set[str]]]:
    """Give each sample's name with its labels, and each label's values."""
    names: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(text.decode()):
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        for suffix in suffixes.get(family.type, [""]):
            names.setdefault(family.name + suffix, {})
        for sample in family.samples:
            for label, value in sample.labels.items():
                names.setdefault(sample.name, {}).setdefault(label, set()).add(value)
    return names


async def measured(tmp_path: Path) -> dict[str, dict[str, set[str]]]:
    async with rig(tmp_path) as r:
        answers = Answers(r.relayer.core, lambda: True)
        assert r.relayer.core.on_admission is not None
        r.relayer.core.on_admission("admitted", 0.1)
        r.relayer.core.count("orders_sent_tick")
        return samples(answers.of("GET /metrics HTTP/1.1")[2])


async def test_rules_board_and_runbook_name_only_what_is_measured(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    known = {*await measured(tmp_path), *await served()}
    assert len(known) > 50
    for name in NAMING:
        named = set(MEASURED.findall((DEPLOY / name).read_text()))
        assert named <= known, name
    for name in NAMING[:3]:
        assert len(set(MEASURED.findall((DEPLOY / name).read_text()))) > 6, name
    guide = set(MEASURED.findall((ROOT / "docs/relayer-operator.md").read_text()))
    families = {name.removesuffix("_bucket") for name in known}
    assert len(guide) > 8
    assert guide <= known | families


async def served() -> dict[str, dict[str, set[str]]]:
    async def main() -> dict[str, dict[str, set[str]]]:
        async with http_rig() as r:
            server = r.server
            meters = Meters(server.engine, server.connections, server.door, server.link)
            return samples(meters.text())

    found: dict[str, dict[str, set[str]]] = await trio.to_thread.run_sync(
        lambda: asyncio.run(main())
    )
    return found


async def test_the_rules_are_tried_with_series_as_they_are_scraped(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A label that the code does not give, or a bucket that it has not, would test nothing."""
    known = await measured(tmp_path) | await served()
    known["paystream_serve_datagrams_turned_away_total"]["kind"] |= set(REJECTED)
    jobs = set(re.findall(r"job_name: (\S+)", (DEPLOY / "prometheus/scrape.yaml").read_text()))
    tried = (DEPLOY / "prometheus/paystream.rules.test.yaml").read_text()
    series = re.findall(r"- \{series: '(\w+)\{(.*?)\}'", tried)
    assert len(series) > 50 < tried.count("{series: ") == len(series)
    for name, text in series:
        labels = dict(re.findall(r'(\w+)="([^"]*)"', text))
        assert labels.pop("job") in jobs, name
        assert labels.pop("instance"), name
        labels.pop("chain", None)  # of a relayer that follows several
        if name == "up":
            continue
        assert labels.keys() == known[name].keys(), name
        for label in labels.keys() - {"outcome"}:
            assert labels[label] in known[name][label], (name, label)


def test_what_is_scraped_is_what_is_opened() -> None:
    scraped = (DEPLOY / "prometheus/scrape.yaml").read_text()
    targets = re.findall(
        r'job_name: paystream-(\w+)\n.*\n +- targets: \["127.0.0.1:(\d+)"\]', scraped
    )
    settings = tomllib.loads((DEPLOY / "paystream.toml").read_text())
    opened = {name: str(settings[name]["metrics-port"]) for name in ("relay", "serve")}
    assert dict(targets) == opened
    containers = re.findall(
        r"--metrics-port=(\d+)", (DEPLOY / "container/compose.yaml").read_text()
    )
    assert containers == list(opened.values())


def test_each_alert_rings_in_a_test_of_the_rules() -> None:
    rules = (DEPLOY / "prometheus/paystream.rules.yaml").read_text()
    tried = (DEPLOY / "prometheus/paystream.rules.test.yaml").read_text()
    ring = r"- alertname: (\w+)\n +eval_time: \S+\n +exp_alerts:\n +- exp_labels:"
    assert set(re.findall(ring, tried)) == set(re.findall(r"- alert: (\w+)", rules))
    silent = set(re.findall(r"- alertname: (\w+)\n +eval_time: \S+\n +exp_alerts: \[\]", tried))
    waits = set(re.findall(r"- alert: (\w+)\n +expr: >-\n .*\n +for: ", rules))
    assert silent >= waits


def test_a_drain_that_was_asked_for_pages_nobody() -> None:
    rules = (DEPLOY / "prometheus/paystream.rules.yaml").read_text()
    pages = re.findall(r"expr: >-\n +(.*)\n(?: +for: \S+\n)? +labels: \{severity: page\}", rules)
    assert len(pages) > 5
    about_checks = [expression for expression in pages if "paystream_relay_check" in expression]
    assert about_checks == ['paystream_relay_check{check!="drain"} == 0']
    assert "drain" in readiness.CHECKS


def test_outcomes_that_ring_are_ones_that_admission_has() -> None:
    rules = (DEPLOY / "prometheus/paystream.rules.yaml").read_text()
    (outcomes,) = re.findall(r'outcome=~"([a-z|-]+)"', rules)
    source = "".join(path.read_text() for path in (ROOT / "offchain/relayer").glob("*.py"))
    for outcome in outcomes.split("|"):
        assert f'"{outcome}"' in source, outcome


def test_each_alert_has_its_entry_in_the_runbook_and_each_entry_its_alert() -> None:
    rules = (DEPLOY / "prometheus/paystream.rules.yaml").read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    links = re.findall(r"runbook: deploy/runbook\.md#(\w+)", rules)
    entries = re.findall(r"^### (\w+)\n\n\*\*Means:\*\* .+ \*\*Do:\*\* ", (DEPLOY / "runbook.md")
                         .read_text(), re.MULTILINE)  # fmt: skip
    assert len(alerts) > 15
    assert links == [alert.lower() for alert in alerts]
    assert entries == alerts
    assert Counter(alerts).most_common(1)[0][1] == 1


def test_the_board_is_laid_out_and_described() -> None:
    board = json.loads((DEPLOY / "grafana/paystream.json").read_text())
    panels = board["panels"]
    assert [panel["title"] for panel in panels if panel["type"] == "row"] == [
        "Is it alive?",
        "Does it earn?",
        "Is it behind?",
        "Is it safe?",
    ]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        if panel["type"] != "row":
            assert panel["description"].endswith(".")
            assert panel["datasource"]["uid"] == "${source}"
            assert all(MEASURED.search(target["expr"]) for target in panel["targets"])
    for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
