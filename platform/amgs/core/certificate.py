"""The certificate that a site in a local network makes for itself.

Browsers hand a camera only to pages that came over HTTPS. No authority signs certificates for
addresses such as 192.168.1.20, so the machine signs its own, and people compare its fingerprint.
"""

from __future__ import annotations

import datetime
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = datetime.timedelta(days=365)  # phones refuse certificates of more than 825 days
RENEW = datetime.timedelta(days=30)
SIOCGIFADDR = 0x8915  # Linux: the IPv4 address of a network interface
HERE = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, both files of ``folder``."""

    folder: Path
    names: tuple[str, ...]
    """Names and addresses it holds for."""
    fingerprint: str
    """SHA-256 of the certificate as browsers show it: pairs of hexadecimal digits."""
    until: datetime.datetime

    @property
    def path(self) -> Path:
        """The certificate's file."""
        return self.folder / "certificate.pem"

    def outside(self) -> list[str]:
        """Return what other machines may call this one, addresses first."""
        others = [name for name in self.names if name not in HERE]
        return sorted(others, key=lambda name: not _is_address(name))


def certificate_of_this_machine(folder: Path) -> Certificate:
    """Return the certificate kept in ``folder``, or a new one.

    A kept one is used again while it holds for every present name and address of this machine and
    for at least 30 more days: people have told their phones to trust it.
    """
    wanted = names_of_this_machine()
    kept = _read(folder)
    if kept is not None:
        late = datetime.datetime.now(datetime.UTC) + RENEW
        if set(wanted) <= set(kept.names) and kept.until > late:
            return kept
        # A laptop comes back to networks it knows: what it held for before stays.
        wanted = tuple(dict.fromkeys([*wanted, *kept.names]))
    _write(folder, wanted)
    made = _read(folder)
    if made is None:
        raise OSError(f"The certificate in {folder} cannot be read.")
    return made


def names_of_this_machine() -> tuple[str, ...]:
    """Return the names and the IPv4 addresses under which machines nearby reach this one."""
    name = socket.gethostname().lower()
    found = [*HERE]
    if name and not _is_address(name):
        found += [name] if "." in name else [name, f"{name}.local"]
    found += _addresses()
    return tuple(dict.fromkeys(found))


def _addresses() -> list[str]:
    """Return the IPv4 address of every network interface."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, interface in socket.if_nameindex():
            asked = struct.pack("256s", interface.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, asked)
            except OSError:
                continue  # without an address
            found.append(socket.inet_ntoa(answer[20:24]))
    return found


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _read(folder: Path) -> Certificate | None:
    """Return what lies in ``folder``; None where nothing usable does."""
    try:
        found = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), None)
        held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return None
    if found.public_key() != key.public_key():
        return None
    names = [
        *held.get_values_for_type(x509.DNSName),
        *(str(address) for address in held.get_values_for_type(x509.IPAddress)),
    ]
    return Certificate(
        folder=folder,
        names=tuple(names),
        fingerprint=found.fingerprint(hashes.SHA256()).hex(":").upper(),
        until=found.not_valid_after_utc,
    )


def _write(folder: Path, names: Sequence[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "aMGS in this network")])
    held: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(name)) if _is_address(name) else x509.DNSName(name)
        for name in names
    ]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # a phone's clock may be behind
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(held), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    draft = folder / "key.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(secret)
    draft.replace(folder / "key.pem")
    (folder / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
