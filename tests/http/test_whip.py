"""Publishing over HTTP: what is taken, and what each mistake is answered with."""

from __future__ import annotations

import asyncio
import logging

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from streaming.http.whip import PUBLICATIONS
from streaming.session_state import Problem, StreamRef
from tests.http.fake_relayer import PUBLISH_TOKEN
from tests.http.rig import PUBLISHING, SDP, HttpRig, http_rig

POST = {**PUBLISHING, **SDP}


async def offer(*kinds: str, direction: str = "sendonly") -> str:
    """A real offer with these media."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind in kinds:
        pc.addTransceiver(kind, direction=direction)
    await pc.setLocalDescription(await pc.createOffer())
    sdp = str(pc.localDescription.sdp)
    await pc.close()
    return sdp


def test_a_publication_has_an_address_and_ends_there() -> None:
    async def main() -> None:
        async with http_rig() as r:
            status, headers, body = await r.ask("POST", "/whip/1", headers=POST, data="v=0")
            assert (status, body) == (201, b"v=0\r\nanswer")
            assert headers["Content-Type"].startswith("application/sdp")
            resource = headers["Location"]
            assert resource.startswith("/whip/1/")
            assert await r.refused("DELETE", "/whip/2/" + resource.rsplit("/", 1)[1]) == (
                404,
                "publication-not-found",
            )
            assert (await r.ask("DELETE", resource))[0] == 200
            assert r.engine.publications[0].closed
            assert (await r.refused("DELETE", resource))[0] == 404

    asyncio.run(main())


async def publish(r: HttpRig) -> str:
    status, headers, _ = await r.ask("POST", "/whip/1", headers=POST, data="v=0")
    assert status == 201
    return str(headers["Location"])


def test_the_live_publishers_address_stays_good_until_another_replaces_it() -> None:
    async def main() -> None:
        async with http_rig() as r:
            first = await publish(r)
            r.engine.publications[0].phase = "live"
            second = await publish(r)  # and never connects
            assert (await r.ask("DELETE", second))[0] == 200
            third = await publish(r)
            assert (await r.ask("OPTIONS", first))[0] == 204
            r.engine.publications[2].phase = "live"
            r.engine.publications[0].phase = "closed"  # as the engine does it
            assert await r.refused("DELETE", first) == (404, "publication-not-found")
            assert (await r.ask("DELETE", third))[0] == 200
            assert await r.refused("DELETE", third) == (404, "publication-not-found")

    asyncio.run(main())


def test_the_first_can_be_deleted_after_a_second_post_that_never_connected() -> None:
    async def main() -> None:
        async with http_rig() as r:
            first = await publish(r)
            r.engine.publications[0].phase = "live"
            await publish(r)
            assert (await r.ask("DELETE", first))[0] == 200
            assert r.engine.publications[0].closed

    asyncio.run(main())


def test_half_open_publications_of_a_stream_give_way_to_the_newest() -> None:
    async def main() -> None:
        async with http_rig() as r:
            addresses = [await publish(r) for _ in range(5)]
            assert [one.phase for one in r.engine.publications] == ["closed"] * 3 + [
                "connecting"
            ] * 2
            codes = [(await r.ask("DELETE", address))[0] for address in addresses]
            assert codes == [404, 404, 404, 200, 200]

    asyncio.run(main())


def test_an_offer_that_cannot_be_used_pushes_nobody_out() -> None:
    async def main() -> None:
        async with http_rig() as r:
            for _ in range(2):
                await publish(r)
            for _ in range(3):
                status, _, _ = await r.ask("POST", "/whip/1", headers=POST, data=b"\xff")
                assert status == 400
            assert [one.phase for one in r.engine.publications] == ["connecting"] * 2

    asyncio.run(main())


def test_addresses_of_publications_that_vanished_go() -> None:
    async def main() -> None:
        async with http_rig() as r:
            address = await publish(r)
            r.engine.publications[0].phase = "closed"
            assert (await r.refused("DELETE", address))[0] == 404
            assert len(r.server.application()[PUBLICATIONS]) == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("bearer {}", 201),
        ("BEARER {}", 201),
        ("Bearer  {}", 201),
        ("{}", 401),
        ("Basic {}", 401),
        ("Bearer", 401),
        ("Bearer {}é", 401),
        ("Bearer " + "a" * 4000, 401),
    ],
)
def test_how_a_token_may_be_sent(value: str, status: int) -> None:
    async def main() -> None:
        async with http_rig() as r:
            headers = {**SDP, "Authorization": value.format(PUBLISH_TOKEN)}
            got, answered, _ = await r.ask("POST", "/whip/1", headers=headers, data="v=0")
            assert got == status
            if got == 401:
                assert str(answered["WWW-Authenticate"]).startswith("Bearer")

    asyncio.run(main())


def test_what_rfc_9725_says_about_other_methods() -> None:
    async def main() -> None:
        async with http_rig() as r:
            status, headers, _ = await r.ask("OPTIONS", "/whip/1")
            assert (status, headers["Accept-Post"]) == (204, "application/sdp")
            for path in ("/whip/1/x", "/whep/1/x"):
                status, headers, _ = await r.ask("OPTIONS", path)
                assert (status, "DELETE" in headers["Allow"]) == (204, True)
            status, headers, body = await r.ask("PATCH", "/whip/1/x", data="a")
            assert (status, headers["Allow"], body["code"]) == (405, "DELETE", "no-trickle")
            for method in ("GET", "HEAD", "PUT"):
                for path in ("/whip/1", "/whip/1/x", "/whep/1"):
                    status, headers, _ = await r.ask(method, path)
                    assert (status, "OPTIONS" in headers["Allow"]) == (405, True), (method, path)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("headers", "data", "expected"),
    [
        (SDP, "v=0", (401, "token-missing")),
        ({**SDP, "Authorization": "Basic x"}, "v=0", (401, "token-missing")),
        ({**SDP, "Authorization": "Bearer a b"}, "v=0", (401, "token-missing")),
        ({**SDP, "Authorization": "Bearer nonsense"}, "v=0", (401, "token-invalid")),
        (PUBLISHING, b"v=0", (415, "content-type")),
        ({**PUBLISHING, "Content-Type": "application/json"}, b"{}", (415, "content-type")),
        (POST, "v=0\r\n" + "a=x\r\n" * 200_000, (413, "too-large")),
        (POST, b"\xff\xfe\x00", (400, "sdp-invalid")),
        (POST, "", (400, "sdp-empty")),
        (POST, "hello", (400, "sdp-invalid")),
        (POST, "v=0\r\nm=nonsense", (400, "sdp-invalid")),
        (POST, "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", (422, "no-media")),
    ],
)
def test_each_mistake_is_named(
    headers: dict[str, str], data: str | bytes, expected: tuple[int, str]
) -> None:
    async def main() -> None:
        async with http_rig(real_engine=True) as r:
            assert await r.refused("POST", "/whip/1", headers=headers, data=data) == expected
            assert await r.refused("POST", "/whip/one", headers=headers, data="v=0") == (
                404,
                "stream-not-found",
            )

    asyncio.run(main())


def test_a_body_without_a_length_is_bounded_too() -> None:
    async def main() -> None:
        async def chunks():  # type: ignore[no-untyped-def]
            for _ in range(64):
                yield b"a=x\r\n" * 3000

        async with http_rig(real_engine=True) as r:
            assert await r.refused("POST", "/whip/1", headers=POST, data=chunks()) == (
                413,
                "too-large",
            )

    asyncio.run(main())


@pytest.mark.parametrize(
    ("kinds", "direction", "path", "expected"),
    [
        (("audio",), "sendonly", "/whip/1", (422, "no-video")),
        (("video",), "recvonly", "/whip/1", (422, "no-media")),
        (("video", "video"), "sendonly", "/whip/1", (422, "too-many-sections")),
    ],
)
def test_offers_that_cannot_be_used(
    kinds: tuple[str, ...], direction: str, path: str, expected: tuple[int, str]
) -> None:
    async def main() -> None:
        async with http_rig(real_engine=True) as r:
            data = await offer(*kinds, direction=direction)
            assert await r.refused("POST", path, headers=POST, data=data) == expected

    asyncio.run(main())


def test_codecs_bundles_and_credentials_that_do_not_fit() -> None:
    async def main() -> None:
        async with http_rig(real_engine=True) as r:
            good = await offer("video", "audio")
            cases = {
                (422, "codec-unsupported"): good.replace("VP8", "AV1").replace("H264", "H265"),
                (422, "bundle-required"): good.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"),
                (400, "sdp-invalid"): good.replace("a=ice-ufrag", "a=ice-smurf"),
            }
            for expected, data in cases.items():
                assert await r.refused("POST", "/whip/1", headers=POST, data=data) == expected

    asyncio.run(main())


def test_sound_alone_has_to_be_asked_for() -> None:
    async def main() -> None:
        async with http_rig(real_engine=True) as r:
            data = await offer("audio")
            status, _, answer = await r.ask(
                "POST", "/whip/1?sound_alone=1", headers=POST, data=data
            )
            assert status == 201
            assert b"opus/48000/2" in answer
            assert b"PCMU" not in answer

    asyncio.run(main())


def test_the_answer_offers_loopback_and_the_configured_addresses_only() -> None:
    async def main() -> None:
        async with http_rig(real_engine=True, ice_hosts=("203.0.113.9",)) as r:
            data = await offer("video", "audio")
            status, _, answer = await r.ask("POST", "/whip/1", headers=POST, data=data)
            assert status == 201
            lines = [line for line in answer.decode().split("\r\n") if "a=candidate" in line]
            assert {line.split(" ")[4] for line in lines} == {"127.0.0.1", "203.0.113.9"}
            assert "a=end-of-candidates" in answer.decode()

    asyncio.run(main())


@pytest.mark.parametrize(
    "problem",
    [
        Problem(status=401, code="token-expired", detail="sign in again"),
        Problem(status=403, code="wrong-purpose", detail="this is a watch token"),
        Problem(status=410, code="stream-ended", detail="publish another"),
    ],
)
def test_what_the_relayer_refuses_is_passed_on(problem: Problem) -> None:
    async def main() -> None:
        async with http_rig() as r:
            r.relayer.answers["publish"] = lambda _p: problem
            assert await r.refused("POST", "/whip/1", headers=POST, data="v=0") == (
                problem.status,
                problem.code,
            )
            assert r.engine.publications == []

    asyncio.run(main())


def test_without_a_relayer_it_is_a_503_with_a_time_to_come_back() -> None:
    async def main() -> None:
        async with http_rig() as r:
            await r.relayer.stop()
            status, headers, body = await r.ask("POST", "/whip/1", headers=POST, data="v=0")
            assert (status, body["code"], headers["Retry-After"]) == (
                503,
                "relayer-unavailable",
                "1",
            )

    asyncio.run(main())


def test_tokens_reach_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        async with http_rig(real_engine=True) as r:
            headers = {**SDP, "Authorization": "Bearer psp_secret_0123456789"}
            data = await offer("video")
            await r.ask("POST", "/whip/1", headers=headers, data=data)
            await r.ask("POST", "/whip/1", headers=headers, data="nonsense")
            r.relayer.answers["publish"] = lambda _p: 1 / 0
            await r.ask("POST", "/whep/1", headers=headers, data=data)

    asyncio.run(main())
    assert "psp_secret" not in caplog.text


def test_a_revoked_publisher_is_ended() -> None:
    async def main() -> None:
        async with http_rig() as r:
            r.relayer.publishers_denied = {"1": "stream-ended", "9": "stream-ended", "x": "?"}
            for _ in range(200):
                if r.engine.unpublished:
                    break
                await asyncio.sleep(0.01)
            assert set(r.engine.unpublished) == {StreamRef(1)}

    asyncio.run(main())
