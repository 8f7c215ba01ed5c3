"""Over https a connection goes to the address that was judged, and the certificate must still be the name's."""

import datetime as dt
import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core.config import Settings
from app.events.sender import Attempt, sender
from app.events.signing import new_secret
from tests.support.receiver import Received, Server, handler


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate of a name, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{uuid.uuid4().hex}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@contextmanager
def secure_receiver(pem: Path, came: list[Received]) -> Iterator[int]:
    """A receiver behind TLS on 127.0.0.1; its port."""

    def answer(received: Received) -> tuple[int, dict[str, str], bytes]:
        came.append(received)
        return 204, {}, b""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = Server(("127.0.0.1", 0), handler(answer))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def here(host: str, port: int) -> list[str]:
    """Whatever the name, this machine."""
    return ["127.0.0.1"]


@pytest.mark.parametrize(("name", "status"), [("shop.example", 204), ("other.example", None)])
async def test_the_certificate_is_the_names(settings: Settings, tmp_path: Path, name: str, status: int | None) -> None:
    pem = certificate(tmp_path, name)
    came: list[Received] = []
    trusting = ssl.create_default_context(cafile=str(pem))
    with secure_receiver(pem, came) as port:
        async with sender(settings, here, trusting) as sending:
            attempt: Attempt = await sending.send(f"https://shop.example:{port}/hooks", [new_secret()], "evt_1", b"{}")
    assert attempt.status_code == status, attempt.error
    assert len(came) == (1 if status else 0)
    if status:
        assert came[0].headers["host"] == f"shop.example:{port}"
    else:
        assert "certificate" in (attempt.error or "").lower()


async def test_a_certificate_that_nobody_vouches_for_is_refused(settings: Settings, tmp_path: Path) -> None:
    came: list[Received] = []
    with secure_receiver(certificate(tmp_path, "shop.example"), came) as port:
        async with sender(settings, here) as sending:
            attempt = await sending.send(f"https://shop.example:{port}/", [new_secret()], "evt_1", b"{}")
    assert (attempt.status_code, came) == (None, [])
    assert "certificate" in (attempt.error or "").lower()
