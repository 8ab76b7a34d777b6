# Verifies what the server signs, and signs for it, with the Python libraries jwcrypto, joserfc and pycose.
#
# Reads a JSON list of cases, and writes a JSON list of answers: `true` for a signature that fits, a token for one that
# was asked for, or the text of an error.
#
# verify: library, algorithm, key (public, PEM), token (base64url of a COSE_Sign1 for pycose), payload (base64)
# sign:   library, algorithm, key (private, PEM), header, payload (base64), detached
import base64
import json
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from jwcrypto import jwk, jws
from pycose import algorithms, headers
from pycose.keys import EC2Key
from pycose.keys import OKPKey as CoseOkpKey
from pycose.keys import RSAKey as CoseRsaKey
from pycose.messages import Sign1Message


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Jwcrypto:
    @staticmethod
    def verify(case, payload):
        token = jws.JWS()
        token.allowed_algs = [case["algorithm"]]
        token.deserialize(case["token"])
        is_detached = case["token"].split(".")[1] == ""
        key = jwk.JWK.from_pem(case["key"].encode())
        token.verify(key, detached_payload=payload if is_detached else None)
        return token.is_valid and (is_detached or token.payload == payload)

    @staticmethod
    def sign(case, payload):
        header = {"alg": case["algorithm"], **case["header"]}
        token = jws.JWS(payload)
        token.allowed_algs = [case["algorithm"]]
        token.add_signature(jwk.JWK.from_pem(case["key"].encode()), protected=json.dumps(header))
        if case["detached"]:
            token.detach_payload()
        return token.serialize(compact=True)


class Joserfc:
    class Registry(joserfc_jws.JWSRegistry):
        # Room for certificates.
        max_header_length = 64 * 1024

    @staticmethod
    def key(case):
        kind = {"R": RSAKey, "P": RSAKey, "E": ECKey}[case["algorithm"][0]]
        return (OKPKey if case["algorithm"] == "EdDSA" else kind).import_key(case["key"])

    @staticmethod
    def verify(case, payload):
        is_detached = case["token"].split(".")[1] == ""
        registry = Joserfc.Registry(algorithms=[case["algorithm"]])
        detached = payload if is_detached else None
        key = Joserfc.key(case)
        token = joserfc_jws.deserialize_compact(case["token"], key, registry=registry, payload=detached)
        return token.payload == payload

    @staticmethod
    def sign(case, payload):
        header = {"alg": case["algorithm"], **case["header"]}
        registry = Joserfc.Registry(algorithms=[case["algorithm"]])
        token = joserfc_jws.serialize_compact(header, payload, Joserfc.key(case), registry=registry)
        if case["detached"] and token.split(".")[1]:
            token = joserfc_jws.detach_compact_content(token)
        return token


class Pycose:
    ALGORITHMS = {
        "EdDSA": algorithms.EdDSA,
        "ES256": algorithms.Es256,
        "ES384": algorithms.Es384,
        "PS256": algorithms.Ps256,
        "PS384": algorithms.Ps384,
        "PS512": algorithms.Ps512,
        "RS256": algorithms.RsaPkcs1Sha256,
        "RS384": algorithms.RsaPkcs1Sha384,
        "RS512": algorithms.RsaPkcs1Sha512,
    }

    @staticmethod
    def key(pem):
        pem = pem.encode()
        is_private = b"PRIVATE" in pem
        key = (
            serialization.load_pem_private_key(pem, None) if is_private else serialization.load_pem_public_key(pem)
        )
        public = key.public_key() if is_private else key
        number = lambda value, bits: value.to_bytes((bits + 7) // 8, "big")
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            values = {"n": number(numbers.n, public.key_size), "e": number(numbers.e, 24)}
            if is_private:
                private = key.private_numbers()
                for name, value in [("d", private.d), ("p", private.p), ("q", private.q)]:
                    values[name] = number(value, public.key_size)
                for name, value in [("dp", private.dmp1), ("dq", private.dmq1), ("qinv", private.iqmp)]:
                    values[name] = number(value, public.key_size)
            return CoseRsaKey(**values)
        if isinstance(public, ec.EllipticCurvePublicKey):
            numbers, size = public.public_numbers(), public.key_size
            curve = {256: "P_256", 384: "P_384"}[size]
            d = number(key.private_numbers().private_value, size) if is_private else b""
            return EC2Key(crv=curve, x=number(numbers.x, size), y=number(numbers.y, size), d=d)
        raw = serialization.Encoding.Raw
        x = public.public_bytes(raw, serialization.PublicFormat.Raw)
        d = key.private_bytes(raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()) if is_private else b""
        return CoseOkpKey(crv="ED25519", x=x, d=d)

    @staticmethod
    def verify(case, payload):
        message = Sign1Message.decode(decode(case["token"]))
        message.key = Pycose.key(case["key"])
        if message.get_attr(headers.Algorithm) is not Pycose.ALGORITHMS[case["algorithm"]]:
            return False
        return message.verify_signature() and message.payload == payload

    @staticmethod
    def sign(case, payload):
        protected = {headers.Algorithm: Pycose.ALGORITHMS[case["algorithm"]]}
        message = Sign1Message(phdr=protected, uhdr={}, payload=payload)
        message.key = Pycose.key(case["key"])
        return encode(message.encode())


LIBRARIES = {"jwcrypto": Jwcrypto, "joserfc": Joserfc, "pycose": Pycose}


def answer(case):
    try:
        return getattr(LIBRARIES[case["library"]], case["call"])(case, base64.b64decode(case["payload"]))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
