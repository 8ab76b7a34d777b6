#!/usr/bin/env python3
"""Opens what the package made, with pyca/cryptography, hashlib and zipfile, and no code of this repository.

Reads JSON from the standard input: the private key, and values by layout. Writes the contents as JSON.
"""
import base64, hashlib, io, json, sys, zipfile

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SPLITTER = b"#KEY_SPLITTER#"


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unwrapped(key, wrapped, mgf=hashes.SHA256, label=None):
    return key.decrypt(wrapped, padding.OAEP(mgf=padding.MGF1(mgf()), algorithm=hashes.SHA256(), label=label))


def registration(key, packet):
    nonce, aad, thumbprint, rest = packet[:12], packet[12:44], packet[44:76], packet[76:]
    wrapped, splitter, text = rest[:256], rest[256:270], rest[270:]
    assert splitter == SPLITTER and len(thumbprint) == 32
    return AESGCM(unwrapped(key, wrapped)).decrypt(nonce, text, aad)


def auth(key, members):
    gcm = AESGCM(unwrapped(key, decoded(members["requestSessionKey"])))
    request, given = decoded(members["request"]), decoded(members["requestHMAC"])
    content = gcm.decrypt(request[-16:], request[:-16], None)
    assert gcm.decrypt(given[-16:], given[:-16], None) == hashlib.sha256(content).hexdigest().upper().encode()
    assert request[-16:] != given[-16:]
    return content


def biometric(key, block):
    one, other = block["timestamp"].encode(), block["transactionId"].encode()
    length = max(len(one), len(other))
    x = bytes(a ^ b for a, b in zip(one.rjust(length, b"\0"), other.rjust(length, b"\0")))
    return AESGCM(unwrapped(key, decoded(block["sessionKey"]))).decrypt(x[-12:], decoded(block["data"]), x[-16:])


def pin(given):
    sealed = decoded(given["sealed"])
    salt, nonce, text = sealed[:32], sealed[32:44], sealed[44:]
    key = hashlib.pbkdf2_hmac("sha512", given["pin"].encode(), salt, given["iterations"], 32)
    return AESGCM(key).decrypt(nonce, text, salt)


def machine(key, sealed, **how):
    wrapped, nonce, aad, text = sealed[:256], sealed[256:268], sealed[268:300], sealed[300:]
    return AESGCM(unwrapped(key, wrapped, **how)).decrypt(nonce, text, aad)


def container(key, machine_key, packet):
    opened = []
    with zipfile.ZipFile(io.BytesIO(registration(key, packet))) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            if not name.endswith(".zip"):
                continue
            sealed = archive.read(name)
            about = json.loads(archive.read(name[:-4] + ".json"))
            assert about["encryptedhash"] == encoded(hashlib.sha256(sealed).digest())
            content = registration(key, sealed)
            machine_key.verify(decoded(about["signature"]), content, padding.PKCS1v15(), hashes.SHA256())
            opened.append({"path": name, "about": about, "content": encoded(content)})
    return opened


given = json.load(sys.stdin)
private_key = serialization.load_pem_private_key(given["private_key"].encode(), None)
machine_key = serialization.load_der_public_key(decoded(given["machine_key"]))
json.dump(
    {
        "auth": encoded(auth(private_key, given["auth"])),
        "biometric": encoded(biometric(private_key, given["biometric"])),
        "pin": encoded(pin(given["pin"])),
        "local": encoded(machine(private_key, decoded(given["local"]))),
        "android": encoded(machine(private_key, decoded(given["android"]), mgf=hashes.SHA1)),
        "tpm": encoded(machine(private_key, decoded(given["tpm"]), label=b"\0")),
        "registration": encoded(registration(private_key, decoded(given["registration"]))),
        "container": container(private_key, machine_key, decoded(given["container"])),
    },
    sys.stdout,
)
