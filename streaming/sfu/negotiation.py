"""What was negotiated, applied to aiortc: its peer connection, its codecs, its DTLS.

aiortc knows few profiles of H.264, two header extensions and one order of SRTP profiles. So it
reads a plain offer of ours (`answer.engine_offer`), and what was really agreed on is put in the
place of what it found. Its private members that are touched here are named in
`tests/sfu/test_aiortc_adapter.py`.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final

from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
    State,
)
from aiortc.rtcrtpparameters import (
    ParametersDict,
    RTCRtcpFeedback,
    RTCRtpCodecParameters,
    RTCRtpHeaderExtensionParameters,
)
from aiortc.rtcrtptransceiver import RTCRtpTransceiver
from OpenSSL import SSL
from OpenSSL.crypto import X509

from streaming.sfu import aiortc_adapter
from streaming.sfu.answer import Local, Source, answer, engine_offer
from streaming.sfu.offer import AnsweredSection, Negotiated
from streaming.sfu.publication import TrackCodec

CIPHERS: Final = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    b"ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
)
"""aiortc's own, and those of peers whose certificate is RSA (GStreamer, older ffmpeg)."""

_DIGESTS: Final = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
"""Fingerprints that can be compared, by their names in SDP (RFC 8122) and in OpenSSL."""


async def open_peer(negotiated: Negotiated) -> RTCPeerConnection:
    """A peer connection that has read an offer; `make_answer` answers it.

    Nothing in an offer that was judged makes this fail.
    """
    pc = aiortc_adapter.new_peer()
    try:
        for section in negotiated.accepted:
            pc.addTransceiver(section.kind, direction=section.direction)
        _prepare_dtls(pc.getTransceivers()[0].receiver.transport)
        await pc.setRemoteDescription(
            RTCSessionDescription(sdp=engine_offer(negotiated), type="offer")
        )
        for section, transceiver in zip(negotiated.accepted, pc.getTransceivers(), strict=True):
            _agree(section, transceiver)
    except BaseException:
        await aiortc_adapter.close_quietly(pc)
        raise
    return pc


def transceiver_of(pc: RTCPeerConnection, negotiated: Negotiated, kind: str) -> RTCRtpTransceiver:
    """The transceiver in which `kind` flows. Raises `KeyError`."""
    mid = str(negotiated.section(kind).index)
    return next(t for t in pc.getTransceivers() if t.mid == mid)


def _agree(section: AnsweredSection, transceiver: RTCRtpTransceiver) -> None:
    """Put what was agreed on in the place of what aiortc found."""
    if section.codec is None:
        return
    transceiver._codecs = _codecs(section, section.codec)
    transceiver._headerExtensions = [
        RTCRtpHeaderExtensionParameters(id=number, uri=uri) for number, uri in section.extensions
    ]


def _codecs(section: AnsweredSection, codec: TrackCodec) -> list[RTCRtpCodecParameters]:
    parameters: ParametersDict = dict(section.parameters or {})
    base = RTCRtpCodecParameters(
        mimeType=f"{section.kind}/{codec.name}",
        clockRate=codec.clock_rate,
        channels=2 if section.kind == "audio" else None,
        payloadType=codec.payload_type,
        rtcpFeedback=[_feedback(text) for text in section.feedback],
        parameters=parameters,
    )
    if codec.rtx_payload_type is None:
        return [base]
    rtx = RTCRtpCodecParameters(
        mimeType=f"{section.kind}/rtx",
        clockRate=codec.clock_rate,
        payloadType=codec.rtx_payload_type,
        parameters={"apt": codec.payload_type},
    )
    return [base, rtx]


def _feedback(text: str) -> RTCRtcpFeedback:
    kind, _, parameter = text.partition(" ")
    return RTCRtcpFeedback(type=kind, parameter=parameter or None)


def _prepare_dtls(dtls: RTCDtlsTransport) -> None:
    """Take peers with any certificate, and prefer the SRTP that costs the least."""
    # 1.4 us a packet with AES-CM, 0.3 with GCM; 256 bits bring nothing here.
    dtls._srtp_profiles = sorted(dtls._srtp_profiles, key=lambda p: p != SRTP_AEAD_AES_128_GCM)
    certificate: Any = dtls._RTCDtlsTransport__local_certificate  # type: ignore[attr-defined]
    usual = certificate._create_ssl_context

    def create(srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context: SSL.Context = usual(srtp_profiles=srtp_profiles)
        context.set_cipher_list(CIPHERS)
        return context

    certificate._create_ssl_context = create
    dtls._validate_peer_identity = functools.partial(  # type: ignore[method-assign]
        _check_fingerprints, dtls
    )


def _check_fingerprints(dtls: RTCDtlsTransport, remote: RTCDtlsParameters) -> None:
    """As aiortc does it: all fingerprints that can be compared fit the peer's certificate.

    But nothing is read of the certificate: half of ffmpeg's have a negative serial number, which
    is an error to whoever parses them.
    """
    shown = None if dtls._ssl is None else dtls._ssl.get_peer_certificate()
    compared = [f for f in remote.fingerprints if f.algorithm.lower() in _DIGESTS]
    if shown is None or not compared or any(not _fits(shown, told) for told in compared):
        dtls._set_state(State.FAILED)


def _fits(shown: X509, told: RTCDtlsFingerprint) -> bool:
    digest = shown.digest(_DIGESTS[told.algorithm.lower()]).decode()
    return digest == told.value.upper()


async def make_answer(pc: RTCPeerConnection, negotiated: Negotiated) -> tuple[str, bytes]:
    """Set the answer; returns its text with all candidates, and the canonical name in it."""
    await pc.setLocalDescription(await pc.createAnswer())
    local = _local(pc, negotiated)
    return answer(negotiated, local), local.cname.encode()


def _local(pc: RTCPeerConnection, negotiated: Negotiated) -> Local:
    """What aiortc has chosen for our side, from its own answer's first section."""
    text = str(pc.localDescription.sdp).replace("\r\n", "\n")
    first = text.split("\nm=")[1]
    sources = {}
    for section in negotiated.accepted:
        if section.direction == "sendonly":
            sender = transceiver_of(pc, negotiated, section.kind).sender
            ssrc, rtx_ssrc = aiortc_adapter.sources_of(sender)
            track = f"{sender._stream_id} {sender._track_id}"
            sources[section.index] = Source(ssrc=ssrc, rtx_ssrc=rtx_ssrc, track=track)
    return Local(
        session=_said(text, r"^o=- (\d+ \d+) "),
        ufrag=_said(first, r"^a=ice-ufrag:(.+)$"),
        password=_said(first, r"^a=ice-pwd:(.+)$"),
        fingerprints=tuple(re.findall(r"^a=fingerprint:(\S+) (\S+)$", first, re.MULTILINE)),
        candidates=tuple(re.findall(r"^a=candidate:(.+)$", first, re.MULTILINE)),
        host=_said(first, r"^c=IN IP[46] (\S+)$"),
        port=int(_said(first, r"^\w+ (\d+) ")),
        cname=_said(first, r"^a=ssrc:\d+ cname:(\S+)$"),
        sources=sources,
    )


def _said(text: str, pattern: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise ValueError(f"aiortc's answer says nothing that fits {pattern}")
    return str(found.group(1))
