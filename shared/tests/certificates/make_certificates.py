#!/usr/bin/env python3
"""Write certificates.json: certificates of every kind that a recipient check must judge.

Made with pyca/cryptography and the openssl command, so that the project's parser is held against
certificates it did not write. The keys are new at each run: the file is committed, not remade.
No certificate expires for the tests, which say themselves what time it is.

    pip install cryptography && python3 make_certificates.py > certificates.json
"""
import datetime, json, pathlib, subprocess, sys, tempfile
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID, ObjectIdentifier

START = datetime.datetime(2026, 1, 1)
PEM = serialization.Encoding.PEM
certificates = {}


def rsa_key(bits=2048, exponent=65537):
    return rsa.generate_private_key(public_exponent=exponent, key_size=bits)


def name(common_name, text_type=_ASN1Type.UTF8String):
    return x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "IN"),
                      x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test, Org", text_type),
                      x509.NameAttribute(NameOID.COMMON_NAME, common_name, text_type)])


def usage(*names):
    all_names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                 "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{n: n in names for n in all_names})


ENCRYPT = [(x509.BasicConstraints(False, None), True), (usage("key_encipherment"), True)]


def authority(path_length, *usages):
    usages = usages or ("digital_signature", "key_cert_sign", "crl_sign")
    return [(x509.BasicConstraints(True, path_length), True), (usage(*usages), True)]


def issue(title, subject, key, issuer, issuer_key, extensions, days=3650, algorithm=hashes.SHA256()):
    """Adds the certificate under `title` and returns (subject, key), to issue with."""
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
               .serial_number(x509.random_serial_number())
               .not_valid_before(START).not_valid_after(START + datetime.timedelta(days=days)))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    certificates[title] = builder.sign(issuer_key, algorithm).public_bytes(PEM).decode()
    return subject, key


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def key_file(directory, title, key):
    path = pathlib.Path(directory, title + ".key")
    path.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return str(path)


def main():
    leaf_key, module_key = rsa_key(), rsa_key()
    root = issue("root", name("Root"), (root_key := rsa_key()), name("Root"), root_key, authority(2))
    issue("root_reissued", name("Root"), root_key, name("Root"), root_key, authority(2), days=7300)
    issue("root_of_same_name", name("Root"), (other := rsa_key()), name("Root"), other, authority(2))
    module = issue("module", name("Module"), module_key, *root, authority(1))
    for title, extensions in {
        "base": ENCRYPT, "base_without_key_usage": ENCRYPT[:1], "base_signing": [(usage("digital_signature"), True)],
        "base_authority": [(x509.BasicConstraints(True, None), True), (usage("key_cert_sign", "key_encipherment"), True)],
        "base_critical_extension": ENCRYPT + [(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\5\0"), True)],
        "base_other_extension": ENCRYPT + [(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\5\0"), False)],
        # CA:FALSE written out, which DER forbids for a default and some issuers do all the same
        "base_explicit_default": [(x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.19"), bytes.fromhex("3003010100")), True)],
    }.items():
        issue(title, name("Base"), leaf_key, *module, extensions)
    issue("base_forged", name("Base"), leaf_key, name("Module"), other, ENCRYPT)
    issue("control_characters", name("two\nlines\x00\x7f \u00e9"), leaf_key, *module, ENCRYPT)
    issue("base_sha384", name("Base"), leaf_key, *module, ENCRYPT, algorithm=hashes.SHA384())
    issue("base_sha512", name("Base"), leaf_key, *module, ENCRYPT, algorithm=hashes.SHA512())
    issue("base_printable_issuer", name("Base"), leaf_key, name("MODULE", _ASN1Type.PrintableString), module_key, ENCRYPT)

    short = issue("module_short", name("Short"), module_key, *root, authority(1), days=30)
    issue("base_of_short", name("Base"), leaf_key, *short, ENCRYPT)
    issue("short_of_same_name", name("Short"), other, name("Short"), other, authority(1))
    plain = issue("not_authority", name("Plain"), module_key, *root, ENCRYPT[:1])
    issue("base_of_not_authority", name("Base"), leaf_key, *plain, ENCRYPT)
    signer = issue("no_cert_sign", name("Signer"), module_key, *root, authority(1, "digital_signature"))
    issue("base_of_no_cert_sign", name("Base"), leaf_key, *signer, ENCRYPT)
    odd = issue("critical_authority", name("Odd"), module_key, *root, authority(None) + [(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\5\0"), True)])
    issue("base_of_critical_authority", name("Base"), leaf_key, *odd, ENCRYPT)

    tight = issue("tight_root", name("Tight"), (tight_key := rsa_key()), name("Tight"), tight_key, authority(0))
    issue("base_of_tight_root", name("Base"), leaf_key, *tight, ENCRYPT)
    below = issue("module_of_tight_root", name("Below"), module_key, *tight, authority(None))
    issue("base_below_tight_root", name("Base"), leaf_key, *below, ENCRYPT)
    rolled = issue("tight_root_rolled", name("Tight"), module_key, *tight, authority(0))
    issue("base_of_tight_root_rolled", name("Base"), leaf_key, *rolled, ENCRYPT)

    issuer = long_root = issue("long_root", name("Long 0"), root_key, name("Long 0"), root_key, authority(None))
    for depth in range(1, 11):
        issuer = issue(f"long_{depth}", name(f"Long {depth}"), root_key, *issuer, authority(None))
        issue(f"base_of_long_{depth}", name("Base"), leaf_key, *issuer, ENCRYPT)

    for title, key in {"rsa1024": rsa_key(1024), "rsa2056": rsa_key(2056), "rsa3072": rsa_key(3072), "rsa4096": rsa_key(4096),
                       "exponent3": rsa_key(2048, 3), "elliptic": ec.generate_private_key(ec.SECP256R1())}.items():
        issue("self_" + title, name(title), key, name(title), key, ENCRYPT)
    curve = ec.generate_private_key(ec.SECP256R1())
    elliptic = issue("elliptic_root", name("Elliptic"), curve, name("Elliptic"), curve, authority(None))
    issue("base_of_elliptic_root", name("Base"), leaf_key, *elliptic, ENCRYPT)
    weak = issue("rsa1024_root", name("Weak"), (weak_key := rsa_key(1024)), name("Weak"), weak_key, authority(None))
    issue("base_of_rsa1024_root", name("Base"), leaf_key, *weak, ENCRYPT)

    with tempfile.TemporaryDirectory() as directory:
        out, key = str(pathlib.Path(directory, "out.pem")), key_file(directory, "leaf", leaf_key)
        def keep(title):
            certificates[title] = pathlib.Path(out).read_text()
        openssl("req", "-x509", "-new", "-key", key, "-subj", "/C=IN/CN=Negative", "-set_serial", "-4242424242424242424",
                "-days", "3650", "-addext", "keyUsage=critical,keyEncipherment", "-out", out)
        keep("negative_serial")
        request = str(pathlib.Path(directory, "request.pem"))
        openssl("req", "-new", "-key", key, "-subj", "/C=IN/CN=Version 1", "-out", request)
        openssl("x509", "-req", "-in", request, "-signkey", key, "-set_serial", "0", "-days", "3650", "-out", out)
        keep("version_1")
    json.dump(certificates, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
