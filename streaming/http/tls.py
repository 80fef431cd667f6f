"""The server's certificate: read at the start, and again when the operator renews it."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)


class CertificateInvalid(ValueError):
    """Files that hold no certificate and its key; the message says which, and what to do."""


@dataclass(frozen=True)
class CertificateFiles:
    """A certificate with its chain, and its key, both PEM."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """A server's TLS context with them. Raises `CertificateInvalid`."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Read the files (again): connections from now on use them.

        Raises `CertificateInvalid`, and leaves the context as it was.
        """
        for option, path in (("--tls-cert", self.certificate), ("--tls-key", self.key)):
            try:
                path.read_bytes()
            except OSError as error:
                raise CertificateInvalid(
                    f"{option} {path} cannot be read ({error.strerror}): give the PEM file, and "
                    "let this user read it"
                ) from None
        try:
            # first into a context of its own: a failed load would leave half of the pair
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                self.certificate, self.key, password=_no_password
            )
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or str(error)
            raise CertificateInvalid(
                f"--tls-cert {self.certificate} and --tls-key {self.key} do not make a pair "
                f"({reason}): give the certificate with its chain and its own key without a "
                "password, both as PEM"
            ) from None

    def reload(self, context: ssl.SSLContext) -> None:
        """Read renewed files into a running server's context; a mistake is logged and the old
        certificate stays in use."""
        try:
            self.load_into(context)
        except CertificateInvalid as error:
            log.error("the certificate stays as it was: %s", error)  # noqa: TRY400
        else:
            log.warning("read the certificate again from %s", self.certificate)


def _no_password() -> str:
    raise ValueError("the key has a password")
