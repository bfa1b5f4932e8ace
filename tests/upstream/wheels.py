"""Wheels, an index of them, and an image that they are put on: tiny, and read as real ones are."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping, Sequence

from tests.upstream.web import CONFIG, LAYER, MANIFEST, Web, sha256

INTO = "usr/local/lib/python3.13/site-packages"
PURE = "py3-none-any"


def wheel(
    name: str,
    version: str,
    files: Mapping[str, str] | None = None,
    *,
    needs: Sequence[str] = (),
    tag: str = PURE,
    link: str = "",
    python: str = ">=3.9",
) -> bytes:
    """Return a wheel; `link` is the name of a symbolic link in it."""
    info = f"{name}-{version}.dist-info"
    lines = [f"Name: {name}", f"Version: {version}", f"Requires-Python: {python}"]
    lines += [f"Requires-Dist: {need}" for need in needs]
    pure = "true" if tag == PURE else "false"
    contents = {f"{name}/__init__.py": f"NAME = {name!r}\n", **(files or {})}
    contents |= {f"{info}/METADATA": "\n".join(["Metadata-Version: 2.1", *lines, ""])}
    contents |= {f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: {pure}\nTag: {tag}\n", f"{info}/RECORD": ""}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in contents.items():
            archive.writestr(zipfile.ZipInfo(path), text)
        if link:
            entry = zipfile.ZipInfo(link)
            entry.external_attr = 0o120777 << 16
            archive.writestr(entry, "/etc/passwd")
    return packed.getvalue()


def publish(web: Web, name: str, version: str, data: bytes, *, tag: str = PURE, said: str | None = None) -> str:
    """Serve a wheel and its page in the index, which says the sha256 `said`; return the line of a lock file."""
    file = f"{name.replace('-', '_')}-{version}-{tag}.whl"
    web.put(f"/files/{file}", data)
    digest = sha256(data) if said is None else said
    page = f'<a href="../../files/other-1.0.tar.gz">other</a><a href="../../files/{file}#sha256={digest}">{file}</a>'
    web.put(f"/simple/{name}/", page.encode(), "text/html")
    return f"{name}=={version} \\\n    --hash=sha256:{sha256(data)}\n"


def layer(paths: Sequence[str]) -> bytes:
    """Return a compressed layer with these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in paths:
            tar.addfile(tarfile.TarInfo(f"./{path}"))
    return gzip.compress(packed.getvalue(), mtime=0)


def installed(*packages: str) -> list[str]:
    """Return the files by which an image has packages, each named as `name-version`."""
    return [f"{INTO}/{package}.dist-info/METADATA" for package in packages]


def base_image(web: Web, name: str, tag: str, layers: Sequence[bytes]) -> str:
    """Serve an image of amd64; return its manifest's digest."""
    diffs = [f"sha256:{sha256(gzip.decompress(data))}" for data in layers]
    config: dict[str, object] = {"os": "linux", "architecture": "amd64"}
    config |= {"config": {"User": "991", "Entrypoint": ["/start.py"]}}
    config |= {"rootfs": {"type": "layers", "diff_ids": diffs}, "history": [{"created_by": "theirs"} for _ in layers]}
    parts = [(CONFIG, json.dumps(config).encode()), *((LAYER, data) for data in layers)]
    for _, data in parts:
        web.put(f"/v2/{name}/blobs/sha256:{sha256(data)}", data)
    named = [{"mediaType": media, "digest": f"sha256:{sha256(data)}", "size": len(data)} for media, data in parts]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": named[0], "layers": named[1:]}
    return web.manifest(name, tag, json.dumps(manifest).encode(), MANIFEST)
