"""Many delegate keys, each of which takes a tenth of a second to open."""

from __future__ import annotations

from unittest import mock

import trio

from offchain.keys import keystore
from offchain.relayer.delegates import KeystoreKeyring
from tests.simulation.scenarios.stage import play
from tests.simulation.world import World

VIEWERS = 200
"""Their keys take 22 s, and their gap is 15 s; 2,000 keys take 223 s, and the usual one is 120."""


def no_stretching(password: bytes, _salt: bytes, **_: object) -> bytes:
    """Stand in for scrypt, whose time is simulated."""
    return password.ljust(32, b"0")[:32]


# It once was so: a restart opens every delegate's key, one after the other, longer than the gap.
def test_a_restart_with_many_keys_is_back_before_sessions_lapse() -> None:
    async def tale(w: World) -> None:
        keyring = KeystoreKeyring(w.disk.directory / "keys", "secret")
        await keyring.check()
        w.relayer.keyring = keyring
        await w.crash()
        viewers = [await w.viewer(f"Viewer{n}").ready(gap_ms=15_000) for n in range(VIEWERS)]
        for viewer in viewers:
            assert await viewer.join() is not None, viewer.problems
        await trio.sleep(20)
        # a process that starts anew has opened no key yet
        keyring = KeystoreKeyring(w.disk.directory / "keys", "secret")
        await keyring.check()
        w.relayer.keyring = keyring
        await w.crash()
        await trio.sleep(60)
        ended = [each.denied for each in w.watchings if each.final]
        lapsed = sum(
            grant.next_index > 1 for viewer in viewers for grant in viewer.grants().values()
        )
        assert (len(ended), lapsed) == (0, 0), "some were denied, or lapsed"

    with mock.patch.object(keystore, "scrypt", no_stretching):
        play(tale, judged=("charged",))
