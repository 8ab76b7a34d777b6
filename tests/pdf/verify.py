"""Verifies signed PDFs by pyHanko: a request a line, an answer a line."""

import json
import sys

from asn1crypto import pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext


def certificates(path):
    with open(path, "rb") as file:
        return [x509.Certificate.load(der) for _, _, der in pem.unarmor(file.read(), multiple=True)]


def report(signature, context):
    status = validate_pdf_signature(signature, context, key_usage_settings=KeyUsageConstraints({"digital_signature"}))
    attributes = {attribute["type"].native: attribute["values"] for attribute in signature.signer_info["signed_attrs"]}
    return {
        "field": signature.field_name,
        "intact": status.intact,
        "valid": status.valid,
        "trusted": status.trusted,
        "sound": status.bottom_line,
        "coverage": status.coverage.name,
        "digest": status.md_algorithm,
        "mechanism": status.pkcs7_signature_mechanism,
        "attributes": sorted(attributes),
        "certificates": len(signature.signed_data["certificates"]),
        "filter": signature.sig_object["/SubFilter"],
        "reason": signature.sig_object["/Reason"],
        "name": signature.sig_object["/Name"],
        "date": signature.sig_object["/M"],
    }


def verify(request):
    with open(request["path"], "rb") as file:
        reader = PdfFileReader(file, strict=True)
        if "password" in request:
            opened = reader.decrypt(request["password"].encode()).status.name
            if opened != "USER":
                return {"failure": f"the password opens it as {opened}"}
        context = ValidationContext(trust_roots=certificates(request["roots"]), allow_fetching=False)
        return {
            "pages": int(reader.root["/Pages"]["/Count"]),
            "signatures": [report(signature, context) for signature in reader.embedded_signatures],
        }


for line in sys.stdin:
    try:
        answer = verify(json.loads(line))
    except Exception as error:  # whatever is wrong is the answer
        answer = {"failure": repr(error)}
    print(json.dumps(answer), flush=True)
