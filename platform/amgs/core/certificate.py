"""The certificate that a site in a local network makes for itself.

Browsers hand a camera only to pages that came over HTTPS. No authority signs certificates for
addresses such as 192.168.1.20, so the machine has an authority of its own. A phone that trusts it
gets the whole app; one that only passes over the warning gets the camera, but browsers give no
offline shell to a page whose certificate they do not trust.
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
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = datetime.timedelta(days=365)  # phones refuse certificates of more than 825 days
AUTHORITY_VALID = datetime.timedelta(days=5 * 365)
RENEW = datetime.timedelta(days=30)
SIOCGIFADDR = 0x8915  # Linux: the IPv4 address of a network interface
KEYS = {"certificate": "key.pem", "authority": "authority.key"}
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8")
PRIVATE += ("::1/128",)
HERE = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Certificate:
    """The certificate of this machine with its key, and the authority that signed it."""

    folder: Path
    names: tuple[str, ...]
    """Names and addresses it holds for."""
    fingerprint: str
    """SHA-256 of the certificate as browsers show it: pairs of hexadecimal digits."""
    until: datetime.datetime

    @property
    def authority(self) -> Path:
        """The file that a phone is told to trust."""
        return self.folder / "authority.pem"

    def outside(self) -> list[str]:
        """Return what other machines may call this one, addresses first."""
        others = [name for name in self.names if name not in HERE]
        return sorted(others, key=lambda name: not _is_address(name))


def certificate_of_this_machine(folder: Path) -> Certificate:
    """Return the certificate kept in ``folder``, or a new one.

    A kept one is used again while it holds for every present name and address of this machine and
    for at least 30 more days. A new one is signed by the authority kept there, so that a phone
    that trusts it goes on to; only an address that the authority may not sign for makes a new
    authority.
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


def _load(folder: Path, name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """Return a certificate of ``folder`` and its key; None where nothing usable lies there."""
    try:
        found = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / KEYS[name]).read_bytes(), None)
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or found.public_key() != key.public_key():
        return None
    return found, key


def _read(folder: Path) -> Certificate | None:
    """Return what lies in ``folder``; None where nothing usable does."""
    own, authority = _load(folder, "certificate"), _load(folder, "authority")
    if own is None or authority is None:
        return None
    found = own[0]
    try:
        found.verify_directly_issued_by(authority[0])
        held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
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


def _general(name: str) -> x509.GeneralName:
    if _is_address(name):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


def _may_sign(authority: x509.Certificate, names: Sequence[str]) -> bool:
    """Whether an authority is valid for long enough and allowed all these names."""
    if authority.not_valid_after_utc < datetime.datetime.now(datetime.UTC) + VALID:
        return False
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    permitted = limits.permitted_subtrees or []
    networks = [each.value for each in permitted if isinstance(each, x509.IPAddress)]
    hosts = [each.value for each in permitted if isinstance(each, x509.DNSName)]

    def allowed(name: str) -> bool:
        if _is_address(name):
            return any(ipaddress.ip_address(name) in network for network in networks)
        return any(name == host or name.endswith(f".{host}") for host in hosts)

    return all(allowed(name) for name in names)


def _sign(
    names: tuple[x509.Name, x509.Name],
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    valid: datetime.timedelta,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    """Return a certificate for (subject, issuer) with its extensions, each critical or not."""
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # a phone's clock may be behind
        .not_valid_after(now + valid)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False
        )
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(by, hashes.SHA256())


def _authority(
    folder: Path, names: Sequence[str]
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return the authority of this folder, made anew where it may not sign for these names.

    It may sign for private networks and for this machine's own names only: whoever stole its key
    could not speak in the name of other sites to a phone that trusts it.
    """
    kept = _load(folder, "authority")
    if kept is not None and _may_sign(kept[0], names):
        return kept
    key = ec.generate_private_key(ec.SECP256R1())
    title = f"aMGS on {socket.gethostname()}"[:64]
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    addresses = [ipaddress.ip_address(name) for name in names if _is_address(name)]
    networks = [ipaddress.ip_network(each) for each in PRIVATE]
    networks += [
        ipaddress.ip_network(address)
        for address in addresses
        if not any(address in network for network in networks)
    ]
    limits: list[x509.GeneralName] = [x509.IPAddress(network) for network in networks]
    limits += [x509.DNSName(name) for name in names if not _is_address(name)]
    usage = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "crl_sign"),
            *("data_encipherment", "key_agreement", "encipher_only", "decipher_only"),
        ),
        False,
    )
    made = _sign(
        (who, who),
        key,
        key,
        AUTHORITY_VALID,
        [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (x509.KeyUsage(key_cert_sign=True, **usage), True),
            (x509.NameConstraints(permitted_subtrees=limits, excluded_subtrees=None), True),
        ],
    )
    _keep(folder, "authority", made, key)
    return made, key


def _write(folder: Path, names: Sequence[str]) -> None:
    authority, by = _authority(folder, names)
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "aMGS in this network")])
    made = _sign(
        (who, authority.subject),
        key,
        by,
        VALID,
        [
            (x509.SubjectAlternativeName([_general(name) for name in names]), False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        ],
    )
    _keep(folder, "certificate", made, key)


def _keep(folder: Path, name: str, made: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    draft = folder / "key.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(secret)
    draft.replace(folder / KEYS[name])
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
