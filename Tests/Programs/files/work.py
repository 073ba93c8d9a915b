"""json, hashlib, zlib, re, struct, random, collections: one checksum."""
import collections
import hashlib
import json
import random
import re
import struct
import zlib

random.seed(1)
rows = [{"id": i, "name": f"name {i * 7919 % 1000}", "value": random.random()} for i in range(5000)]
text = json.dumps(rows, sort_keys=True, indent=1)
print(len(text), hashlib.sha256(text.encode()).hexdigest())
assert json.loads(text) == rows
for name in ("md5", "sha1", "sha512", "blake2b"):
    print(name, hashlib.new(name, text.encode()).hexdigest()[:32])
packed = zlib.compress(text.encode(), 6)
print(zlib.crc32(text.encode()), zlib.decompress(packed).decode() == text)
print(collections.Counter(re.findall(r"name (\d)", text)).most_common(3))
print(struct.pack("<IdH", 7, 1.5, 3).hex())
with open("out.json", "w") as f:
    f.write(text)
words = sorted(set(open("words.txt").read().split()))
print(len(words), words[:3], hashlib.md5(" ".join(words).encode()).hexdigest())
