"""Writes the hostile document of the name that it is given: what hangs, exhausts or breaks who reads it carelessly."""

import sys
import zlib

from make_vectors import PAGES, document, page, stream


def with_object(number, text):
    return document(PAGES | {number: text})


def bomb():
    """An object stream that grows a millionfold, to 8 GiB."""
    inner = zlib.compressobj(9)
    packed = b"".join(inner.compress(bytes(1 << 20)) for _ in range(8 << 10)) + inner.flush()
    packed = stream(zlib.compress(packed, 9), b"/Type/ObjStm/N 1/First 8/Filter[/FlateDecode/FlateDecode]")
    body = bytearray(b"%PDF-1.5\n")
    at = len(body)
    body += b"3 0 obj\n" + packed + b"\nendobj\n"
    start = len(body)
    entries = bytes([0, 0, 0, 0, 2, 0, 3, 0, 2, 0, 3, 1, 1, at >> 8, at & 255, 0])
    body += b"4 0 obj\n" + stream(entries, b"/Type/XRef/W[1 2 1]/Size 4/Root 1 0 R") + b"\nendobj\n"
    return bytes(body) + b"startxref\n%d\n%%%%EOF\n" % start


def many_pages():
    """A page tree in which each node has its successor ten thousand times."""
    nodes = {
        number: b"<</Type/Pages/Count 10000/Kids[" + b"%d 0 R " % (number + 1) * 10000 + b"]>>" for number in range(2, 40)
    }
    return document({1: PAGES[1]} | nodes | {40: page(2, 41), 41: stream(b"")})


HOSTILE = {
    "bomb": bomb,
    "many-pages": many_pages,
    "arrays": lambda: with_object(1, b"<</Type/Catalog/Pages 2 0 R/A " + b"[" * 200000 + b"]" * 200000 + b">>"),
    "dictionaries": lambda: with_object(3, page(2, 7, b"/A " + b"<</A" * 200000 + b">>" * 200000)),
    "strings": lambda: with_object(3, page(2, 7, b"/A " + b"(" * 200000 + b")" * 200000)),
    "open": lambda: with_object(3, page(2, 7, b"/A " + b"<</A[" * 100000)),
    "length": lambda: with_object(7, b"<</Length 7 0 R>>stream\n\nendstream"),
    "long-length": lambda: with_object(7, b"<</Length 2147483647>>stream\n\nendstream"),
    "own-parent": lambda: with_object(2, b"<</Type/Pages/Count 1/Kids[2 0 R 2 0 R]>>"),
    "own-field": lambda: document(
        PAGES
        | {1: b"<</Type/Catalog/Pages 2 0 R/AcroForm 12 0 R>>", 12: b"<</Fields 13 0 R/Kids 12 0 R>>", 13: b"[13 0 R 12 0 R]"}
    ),
    "prev": lambda: document(PAGES, extra="/Prev 1000"),
    "size": lambda: document(PAGES).replace(b"xref\n0 12", b"xref\n0 4294967295"),
    "numbers": lambda: document(PAGES).replace(b"/Size 12", b"/Size 2147483647"),
    "cut": lambda: document(PAGES)[:700],
    "binary": lambda: b"%PDF-1.7\n" + bytes(range(256)) * 4096 + b"\nstartxref\n9\n%%EOF\n",
    "own-prev": lambda: document(PAGES, extra="/Prev %d" % document(PAGES).rindex(b"xref\n0")),
}

if __name__ == "__main__":
    sys.stdout.buffer.write(HOSTILE[sys.argv[1]]())
