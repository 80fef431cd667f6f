"""HTTPS: the certificate that was given, renewed while the server runs, and refused with words."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from streaming.http.config import ServeConfig, ServeConfigInvalid
from streaming.http.tls import CertificateFiles, CertificateInvalid
from tests.http.rig import HttpRig, http_rig


def write_pair(folder: Path, name: str, password: bytes | None = None) -> CertificateFiles:
    """A certificate for 127.0.0.1 that is signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    files = CertificateFiles(folder / f"{name}.pem", folder / f"{name}.key")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        encryption = serialization.BestAvailableEncryption(password)
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    )
    return files


async def name_served(r: HttpRig) -> str:
    """The name in the certificate that a new connection is shown."""
    trust_all = ssl.create_default_context()
    trust_all.check_hostname, trust_all.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", r.listening.port, ssl=trust_all)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    names = x509.load_der_x509_certificate(shown).subject
    return str(names.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def test_https_with_a_certificate_that_is_renewed_while_it_runs(tmp_path: Path) -> None:
    files = write_pair(tmp_path, "first")

    async def main() -> None:
        async with http_rig(tls=files) as r:
            assert r.url.startswith("https://")
            status, _, body = await r.ask("GET", "/healthz", ssl=False)
            assert (status, body["status"]) == (200, "ok")
            assert await name_served(r) == "first"
            renewed = write_pair(tmp_path, "second")
            files.certificate.write_bytes(renewed.certificate.read_bytes())
            assert r.listening.context is not None
            files.reload(r.listening.context)  # the key is still the old one's
            assert await name_served(r) == "first"
            files.key.write_bytes(renewed.key.read_bytes())
            files.reload(r.listening.context)
            assert await name_served(r) == "second"

    asyncio.run(main())


def test_plain_http_on_a_tls_port_is_hung_up_on(tmp_path: Path) -> None:
    files = write_pair(tmp_path, "one")

    async def main() -> None:
        async with http_rig(tls=files) as r:
            reader, writer = await asyncio.open_connection("127.0.0.1", r.listening.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert b"HTTP/1.1 200" not in await asyncio.wait_for(reader.read(), 5)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    asyncio.run(main())


def test_files_that_do_not_fit_are_named_with_what_to_do(tmp_path: Path) -> None:
    good, other = write_pair(tmp_path, "good"), write_pair(tmp_path, "other")
    locked = write_pair(tmp_path, "locked", b"secret")
    (tmp_path / "text").write_text("hello")
    cases = [
        (CertificateFiles(tmp_path / "none", good.key), "--tls-cert"),
        (CertificateFiles(good.certificate, tmp_path / "none"), "--tls-key"),
        (CertificateFiles(good.certificate, other.key), "its own key"),
        (CertificateFiles(tmp_path / "text", good.key), "PEM"),
        (CertificateFiles(locked.certificate, locked.key), "without a password"),
    ]
    for files, says in cases:
        with pytest.raises(CertificateInvalid, match=says):
            files.context()
    config = ServeConfig(socket=tmp_path / "s", tls=cases[0][0])
    with pytest.raises(ServeConfigInvalid, match="--tls-cert"):
        config.check()


def test_tokens_over_plain_http_only_where_nobody_listens_in(tmp_path: Path) -> None:
    files = write_pair(tmp_path, "one")
    for host in ("127.0.0.1", "::1", "localhost"):
        ServeConfig(socket=tmp_path / "s", listen_host=host).check()
    for host in ("0.0.0.0", "::", "192.0.2.1", "live.example"):
        with pytest.raises(ServeConfigInvalid, match="--plain-http"):
            ServeConfig(socket=tmp_path / "s", listen_host=host).check()
        ServeConfig(socket=tmp_path / "s", listen_host=host, plain_http=True).check()
        ServeConfig(socket=tmp_path / "s", listen_host=host, tls=files).check()
