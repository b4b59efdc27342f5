"""A second verifier of evidence, from docs/evidence.md and the standard library alone: all but signatures.

usage: verify.py evidence.zip; prints the root and the number of entries, or what is wrong, with status 1
"""

import base64
import hashlib
import json
import sys
import zipfile


def fail(why):
    print(why)
    sys.exit(1)


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(width):
    left = 1
    while left * 2 < width:
        left *= 2
    return left


def entries_of(data):
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        if at + 2 + length > len(data):
            fail("last entry is cut short")
        yield data[at + 2 : at + 2 + length]
        at += 2 + length


def root_of(size, ranges, leaves, proof):
    def shown(low, high):
        return any(start < high and low < end for start, end in ranges)

    def visit(low, high):
        width = high - low
        if not shown(low, high) and width & (width - 1) == 0:
            return next(proof, None) or fail("too few hashes")
        if width == 1:
            return next(leaves, None) or fail("too few entries")
        middle = low + split(width)
        left = visit(low, middle)
        return node_hash(left, visit(middle, high))

    root = visit(0, size)
    if next(proof, None) or next(leaves, None):
        fail("hashes or entries are left over")
    return root


def main(path):
    archive = zipfile.ZipFile(path)
    evidence = json.loads(archive.read("evidence.json"))
    origin, size, root = archive.read("checkpoint").decode().split("\n")[:3]
    if evidence["v"] != "comity.evidence/1":
        fail("another version")
    if evidence["origin"] != origin or evidence["size"] != int(size):
        fail("evidence and checkpoint differ")
    hashes = archive.read("proof.bin")
    entries = list(entries_of(archive.read("entries.bin")))
    computed = root_of(
        int(size),
        evidence["ranges"],
        (leaf_hash(entry) for entry in entries),
        (hashes[at : at + 32] for at in range(0, len(hashes), 32)),
    )
    if computed != base64.b64decode(root):
        fail("entries lead to another root")
    indices = [index for start, end in evidence["ranges"] for index in range(start, end)]
    for item in evidence["disclosures"]:
        record = json.loads(entries[indices.index(item["index"])])
        for disclosure in item["disclosures"]:
            digest = hashlib.sha256(disclosure.encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() not in record["sd"]:
                fail("a disclosure is not of its record")
    print(root, len(entries))


main(sys.argv[1])
