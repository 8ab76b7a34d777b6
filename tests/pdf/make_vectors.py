"""Makes the documents in tests/vectors/pdf, by hand and by qpdf. Run it there to make them again."""

import subprocess
import zlib


def document(objects, root=1, extra="", header=b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"):
    """A document with a cross-reference table."""
    body, offsets = bytearray(header), {}
    for number, text in sorted(objects.items()):
        offsets[number] = len(body)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    start, size = len(body), max(objects) + 1
    body += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        body += b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 00000 f \n"
    body += b"trailer\n<</Root %d 0 R/Size %d%s>>\nstartxref\n%d\n%%%%EOF\n" % (root, size, extra.encode(), start)
    return bytes(body)


def stream(data, entries=b""):
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(data), data)


def content(text):
    return stream(b"BT /F1 24 Tf 72 720 Td (%s) Tj ET" % text)


def page(parent, contents, more=b""):
    return b"<</Type/Page/Parent %d 0 R/Contents %d 0 R%s>>" % (parent, contents, more)


FONT = b"<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"
PAGES = {
    1: b"<</Type/Catalog/Pages 2 0 R>>",
    2: b"<</Type/Pages/Count 4/MediaBox[0 0 595 842]/Resources " + FONT + b"/Kids[3 0 R 4 0 R 5 0 R 6 0 R]>>",
    3: page(2, 7),
    4: page(2, 8, b"/Rotate 90"),
    5: page(2, 9, b"/Rotate 180"),
    6: page(2, 10, b"/Rotate 270"),
    7: content(b"Voucher 1"),
    8: content(b"Turned by 90"),
    9: content(b"Turned by 180"),
    10: content(b"Turned by 270"),
    11: b"<</Title(A voucher)/Author<feff00c9007400610074>>>",
}

# A form and lists of annotations that are objects of their own, and a field that has the first name that is tried.
FORM = dict(PAGES) | {
    1: b"<</Type/Catalog/Pages 2 0 R/AcroForm 12 0 R>>",
    3: page(2, 7, b"/Annots 14 0 R"),
    12: b"<</Fields 13 0 R/DA(/Helv 0 Tf 0 g)>>",
    13: b"[15 0 R]",
    14: b"[15 0 R]",
    15: b"<</Type/Annot/Subtype/Widget/FT/Tx/T(Signature1)/V(text)/Rect[72 600 200 620]/P 3 0 R/F 4>>",
}

CERTIFIED = dict(PAGES) | {
    1: b"<</Type/Catalog/Pages 2 0 R/Perms<</DocMDP 12 0 R>>>>",
    12: b"<</Type/Sig/Reference[<</TransformMethod/DocMDP/TransformParams<</P 1>>>>]>>",
}


def hybrid():
    """A table for old readers, and an object stream that the table's XRefStm leads to."""
    plain = {number: text for number, text in PAGES.items() if number not in (1, 11)}
    members = [(1, PAGES[1]), (11, PAGES[11])]
    index, data = b"", b""
    for number, text in members:
        index += b"%d %d " % (number, len(data))
        data += text + b" "
    packed = stream(zlib.compress(index + data), b"/Type/ObjStm/N 2/First %d/Filter/FlateDecode" % len(index))
    body, offsets = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"), {}
    for number, text in sorted((plain | {12: packed}).items()):
        offsets[number] = len(body)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    where = len(body)
    entries = b"".join(bytes([2, 0, 12, place]) for place in range(2))
    body += b"13 0 obj\n" + stream(entries, b"/Type/XRef/W[1 2 1]/Index[1 1 11 1]/Size 14/Root 1 0 R") + b"\nendobj\n"
    start, table = len(body), bytearray(b"xref\n0 1\n0000000000 65535 f \n")
    offsets[13] = where
    # What is in the object stream has no line.
    for first, count in [(2, 9), (12, 2)]:
        table += b"%d %d\n" % (first, count)
        table += b"".join(b"%010d 00000 n \n" % offsets[number] for number in range(first, first + count))
    body += table
    body += b"trailer\n<</Root 1 0 R/Info 11 0 R/Size 14/XRefStm %d>>\nstartxref\n%d\n%%%%EOF\n" % (where, start)
    return bytes(body)


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def qpdf(name, *options):
    subprocess.run(["qpdf", "--deterministic-id", *options, "plain.pdf", name], check=True)


if __name__ == "__main__":
    write("plain.pdf", document(PAGES, extra="/Info 11 0 R"))
    write("form.pdf", document(FORM, extra="/Info 11 0 R"))
    write("certified.pdf", document(CERTIFIED))
    write("hybrid.pdf", hybrid())
    qpdf("streams.pdf", "--object-streams=generate", "--compress-streams=y")
    qpdf("linearized.pdf", "--linearize", "--object-streams=disable")
    qpdf("linearized-streams.pdf", "--linearize", "--object-streams=generate")
    subprocess.run(
        ["qpdf", "--static-id", "--static-aes-iv", "--encrypt", "", "owner", "256", "--", "plain.pdf", "encrypted.pdf"],
        check=True,
    )
