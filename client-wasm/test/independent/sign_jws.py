#!/usr/bin/env python3
"""Certificates of signers, and signatures of theirs (RFC 7515), made with pyca/cryptography and no code of this repository.

Writes JSON: `root` and `other_root` as PEM, and `signers` by name, each with its `certificate` and signatures by form.
"""
import base64, datetime, json, sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
PAYLOAD = b'{"name":"Zo\xc3\xab","id":1}'


def b64u(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, authority=False, days=(-1, 30), encipherment=False):
    usage = {field: False for field in ("content_commitment", "data_encipherment", "key_agreement", "crl_sign", "encipher_only", "decipher_only")}
    return (
        x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + datetime.timedelta(days=days[0])).not_valid_after(NOW + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(authority, None), True)
        .add_extension(x509.KeyUsage(digital_signature=not authority and not encipherment, key_encipherment=encipherment, key_cert_sign=authority, **usage), True)
        .sign(issuer_key, hashes.SHA256())
    )


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def signature(algorithm, key, message):
    if algorithm == "RS256":
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    if algorithm == "PS256":
        return key.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    if algorithm == "ES256":
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        length = (key.curve.key_size + 7) // 8
        return r.to_bytes(length, "big") + s.to_bytes(length, "big")
    return key.sign(message)


def jws(algorithm, key, x5c, detached=False, encode=True, **others):
    header = {"alg": algorithm} | ({"x5c": x5c} if x5c else {}) | others
    if not encode:
        header |= {"b64": False, "crit": ["b64"]}
    head = b64u(json.dumps(header).encode())
    body = b64u(PAYLOAD) if encode else ""
    signed = head.encode() + b"." + (body.encode() if encode else PAYLOAD)
    return f"{head}.{'' if detached else body}.{b64u(signature(algorithm, key, signed))}"


def forms(algorithm, key, cert, issuers):
    der = [c.public_bytes(serialization.Encoding.DER) for c in (cert, *issuers)]
    plain = [base64.b64encode(one).decode() for one in der]
    text = [base64.b64encode(pem(c).encode()).decode() for c in (cert, *issuers)]
    return {
        "whole": jws(algorithm, key, plain),
        "detached": jws(algorithm, key, plain, detached=True),
        "raw": jws(algorithm, key, plain, detached=True, encode=False),
        "pem": jws(algorithm, key, text),
        "lines": jws(algorithm, key, ["\n".join(one[i:i + 76] for i in range(0, len(one), 76)) for one in text]),
        "url": jws(algorithm, key, [b64u(one) for one in der]),
        "bare": jws(algorithm, key, None, kid="1"),
        "leaf": jws(algorithm, key, plain[:1]),
        "critical": jws(algorithm, key, plain, crit=["exp"], exp=1),
        "not_critical": jws(algorithm, key, plain, b64=False),
    }


root_key, other_key, module_key = (rsa.generate_private_key(65537, 2048) for _ in range(3))
root, other = certificate("Root", root_key, "Root", root_key, True), certificate("Root", other_key, "Root", other_key, True)
module = certificate("Module", module_key, "Root", root_key, True)
keys = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()), "EdDSA": ed25519.Ed25519PrivateKey.generate()}
keys["PS256"] = keys["RS256"]
signers = {}
for algorithm, key in keys.items():
    cert = certificate(algorithm, key, "Module", module_key)
    signers[algorithm] = {"certificate": pem(cert)} | forms(algorithm, key, cert, [module])
for title, how in {"expired": {"days": (-9, -1)}, "encrypting": {"encipherment": True}}.items():
    cert = certificate(title, keys["RS256"], "Module", module_key, **how)
    signers[title] = {"certificate": pem(cert)} | forms("RS256", keys["RS256"], cert, [module])
p384 = ec.generate_private_key(ec.SECP384R1())
cert = certificate("p384", p384, "Module", module_key)
signers["p384"] = {"certificate": pem(cert), "whole": jws("ES256", p384, [base64.b64encode(c.public_bytes(serialization.Encoding.DER)).decode() for c in (cert, module)])}
json.dump({"payload": b64u(PAYLOAD), "root": pem(root), "other_root": pem(other), "module": pem(module), "signers": signers}, sys.stdout)
