"""Full, torn and old disks under other nodes and relayers.

Each comment names the failure; `docs/failures-of-others.md` has them all.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import trio

from tests.simulation.oracles import until
from tests.simulation.scenarios.stage import play
from tests.simulation.world import World


# ElementsProject/lightning 2416: "database or disk is full", and the process is gone.
def test_a_full_disk_ends_no_process() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)
        process = w.relayer.number
        w.disk.full = True
        await trio.sleep(40)
        assert "journal" in watching.reasons, watching.reasons
        assert await w.status() is not None
        w.disk.full = False
        await trio.sleep(20)
        assert w.relayer.number == process
        assert not watching.final, watching.denied
        watching.end("left")
        await trio.sleep(10)
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)
        await w.end()

    play(tale)


# ElementsProject/lightning 5380: somebody looks into the database, and a commit that fails for that
# ends the process.
def test_who_looks_into_the_journal_disturbs_no_commit() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        await trio.sleep(12)
        process, commits = w.relayer.number, w.disk.commits
        with closing(sqlite3.connect(w.disk.directory / "journal.sqlite")) as looking:
            looking.execute("BEGIN")
            looking.execute("SELECT * FROM sessions").fetchall()
            await trio.sleep(60)
        assert w.disk.commits > commits + 20, "it was kept from writing"
        assert w.relayer.number == process
        assert "journal" not in watching.reasons
        assert w.charged(watching) >= 60
        await w.end()

    play(tale)


# lightningnetwork/lnd 4477 and 3861: the power fails while the database is written, and nothing can
# open it any more.
def test_power_that_fails_again_and_again_leaves_a_journal_that_opens() -> None:
    async def tale(w: World) -> None:
        viewer = await w.viewer().ready()
        watching = await viewer.watch()
        for commits in (1, 2, 3, 1, 5, 2, 1, 4):
            await trio.sleep(5)
            process = w.relayer.number
            w.disk.crash_at(commits, "torn")
            assert await until(lambda: w.relayer.number > process, 60)  # noqa: B023 (at once)
            await w.relayer.started()
        assert w.relayer.refused_to_start == 0
        await trio.sleep(10)
        assert not watching.final, watching.denied
        watching.end("left")
        await w.end()
        assert w.unpaid_s(watching) < 2, w.unpaid_s(watching)

    play(tale)


# ElementsProject/lightning 3294: the database is from an old backup, and what it says costs money.
def test_a_journal_from_an_old_backup_takes_nothing_back_and_nothing_twice() -> None:
    async def tale(w: World) -> None:
        first, second = await w.viewer("Alice").ready(), await w.viewer("Charlie").ready()
        other = w.serve("B")
        stays, goes = await first.watch(1), await second.watch(2, server=other)
        await trio.sleep(10)
        backup = {path: path.read_bytes() for path in w.disk.files()}
        await trio.sleep(60)
        before = w.charged(stays), w.charged(goes)
        assert min(before) > 50
        w.relayer.keep_down = True
        w.relayer.kill("now")
        await w.relayer.stopped()
        w.crash_server("B")  # so that for one session there is nothing but the backup to go by
        await trio.sleep(3)
        for path in w.disk.directory.glob("journal.sqlite*"):
            if not path.name.endswith(".lock"):
                path.unlink()
        for path, content in backup.items():
            path.write_bytes(content)
            path.chmod(0o600)
        w.relayer.allow()
        await w.relayer.started()
        await trio.sleep(40)
        assert w.judges.open_sessions() == [stays.ref], "what it does not know it cannot close"
        assert w.charged(goes) == before[1]
        assert not stays.final, stays.denied
        assert w.charged(stays) > before[0] + 30
        assert stays.paid_fell == 0
        stays.end("left")
        await trio.sleep(20)
        assert w.unpaid_s(stays) < 2, w.unpaid_s(stays)
        await w.end()

    play(tale, judged=("charged", "ends"))
