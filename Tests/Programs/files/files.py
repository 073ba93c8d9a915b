"""os, shutil, tempfile, pathlib, mmap: files of all kinds."""
import mmap
import os
import pathlib
import shutil
import tempfile

os.makedirs("made/deep/er")
for i in range(50):
    pathlib.Path(f"made/deep/{i}.txt").write_text("x" * i)
shutil.copytree("tree", "copy", symlinks=True)
print(sum(len(files) for _, _, files in os.walk("copy")), sorted(os.listdir("copy")))
with tempfile.TemporaryDirectory(dir=".") as d:
    print(os.path.isdir(d))
with open("binary.bin", "rb") as f:
    m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
    print(len(m), m[:4].hex(), m.find(b"\x00\x00"))
    m.close()
shutil.rmtree("made/deep")
print(os.listdir("made"), os.stat("tree/a/link").st_size, os.readlink("tree/a/dangling"))
try:
    open("none")
except FileNotFoundError as e:
    print(e.errno)
