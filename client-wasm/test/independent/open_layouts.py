#!/usr/bin/env python3
"""Opens what the package made, with pyca/cryptography, hashlib and zipfile, and no code of this repository.

Reads JSON from the standard input: keys, and values by layout. Writes the contents as JSON.
"""
import base64, hashlib, io, json, sys, zipfile

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SPLITTER = b"#KEY_SPLITTER#"
# What is not bytes in base64url.
TEXTS = {"biometric.timestamp", "biometric.transactionId", "pin.pin", "pin.iterations"}


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unwrapped(key, wrapped, mgf=hashes.SHA256, label=None):
    return key.decrypt(wrapped, padding.OAEP(mgf=padding.MGF1(mgf()), algorithm=hashes.SHA256(), label=label))


def registration(key, packet):
    return salted(key, packet[44:], packet[:12], packet[12:44])


def salted(key, packet, nonce, aad):
    wrapped, splitter, text = packet[32:288], packet[288:302], packet[302:]
    assert splitter == SPLITTER
    return AESGCM(unwrapped(key, wrapped)).decrypt(nonce, text, aad)


def appended(key, packet, aad):
    return salted(key, packet[:-16], packet[-16:], aad)


def self_contained(key, packet):
    header, before, block, text = packet[:6], packet[6:308], packet[308:340], packet[340:]
    assert header == b"VER_R2"
    return salted(key, before + text, block[:12], block)


def auth(key, request, given, wrapped):
    gcm = AESGCM(unwrapped(key, wrapped))
    content = gcm.decrypt(request[-16:], request[:-16], None)
    assert gcm.decrypt(given[-16:], given[:-16], None) == hashlib.sha256(content).hexdigest().upper().encode()
    assert request[-16:] != given[-16:]
    return content


def biometric(key, given):
    one, other = given["biometric.timestamp"].encode(), given["biometric.transactionId"].encode()
    length = max(len(one), len(other))
    x = bytes(a ^ b for a, b in zip(one.rjust(length, b"\0"), other.rjust(length, b"\0")))
    return AESGCM(unwrapped(key, given["biometric.sessionKey"])).decrypt(x[-12:], given["biometric.data"], x[-16:])


def pin(sealed, text_of_pin, iterations):
    salt, nonce, text = sealed[:32], sealed[32:44], sealed[44:]
    key = hashlib.pbkdf2_hmac("sha512", text_of_pin.encode(), salt, iterations, 32)
    return AESGCM(key).decrypt(nonce, text, salt)


def machine(key, sealed, **how):
    wrapped, nonce, aad, text = sealed[:256], sealed[256:268], sealed[268:300], sealed[300:]
    return AESGCM(unwrapped(key, wrapped, **how)).decrypt(nonce, text, aad)


def container(key, machine_key, packet):
    opened = {}
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
            opened[name] = encoded(content)
            opened[f"{name}.about"] = encoded(archive.read(name[:-4] + ".json"))
    return opened


given = {name: value if name in TEXTS else decoded(value) for name, value in json.load(sys.stdin).items()}
private_key = serialization.load_der_private_key(given["private_key"], None)
machine_key = serialization.load_der_public_key(given["machine_key"])
contents = {
    "packet": self_contained(private_key, given["packet"]),
    "appended": appended(private_key, given["appended.packet"], given["appended.aad"]),
    "salted": salted(private_key, given["salted.packet"], given["salted.salt"], given["salted.aad"]),
    "registration": registration(private_key, given["registration"]),
    "auth": auth(private_key, given["auth.request"], given["auth.requestHMAC"], given["auth.requestSessionKey"]),
    "biometric": biometric(private_key, given),
    "pin": pin(given["pin.sealed"], given["pin.pin"], int(given["pin.iterations"])),
    "local": machine(private_key, given["local"]),
    "android": machine(private_key, given["android"], mgf=hashes.SHA1),
    "tpm": machine(private_key, given["tpm"], label=b"\0"),
}
opened = {name: encoded(content) for name, content in contents.items()}
json.dump(opened | container(private_key, machine_key, given["container"]), sys.stdout)
