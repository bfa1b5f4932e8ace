"""Serve files of a folder, and a bundle's images by the registry's protocol, read only. A program of its own."""

from __future__ import annotations

import argparse
import json
import re
import ssl
import sys
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from model.bundle.bundle import load_bundle

_ASKED = re.compile(r"^/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<what>[^/?]+)(\?.*)?$")
_PIECE = 2**20


class Images:
    """A bundle's images: by name and tag or digest a manifest, by digest a place in an archive."""

    def __init__(self, folder: Path) -> None:
        self.blobs: dict[str, tuple[Path, int, int]] = {}
        self.manifests: dict[tuple[str, str], tuple[str, str]] = {}
        for item in load_bundle(folder).images:
            path = folder / item.file
            with tarfile.open(path) as tar:
                for member in tar:
                    if member.isfile() and member.name.startswith("blobs/sha256/"):
                        place = (path, member.offset_data, member.size)
                        self.blobs[f"sha256:{member.name.rpartition('/')[2]}"] = place
                stream = tar.extractfile("index.json")
                assert stream is not None
                manifest = json.load(stream)["manifests"][0]
            name = item.name.partition("/")[2]
            for what in (item.version, manifest["digest"]):
                self.manifests[name, what] = (manifest["digest"], manifest["mediaType"])


class MirrorHandler(SimpleHTTPRequestHandler):
    """Files, and images where there are any."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any, images: Images | None, **words: Any) -> None:
        self.images = images
        super().__init__(*args, **words)

    def do_GET(self) -> None:
        """Answer with content."""
        if self.images is None:
            super().do_GET()
        else:
            self._image(self.images, body=True)

    def do_HEAD(self) -> None:
        """Answer without."""
        if self.images is None:
            super().do_HEAD()
        else:
            self._image(self.images, body=False)

    def _image(self, images: Images, *, body: bool) -> None:
        if self.path.partition("?")[0] in ("/v2", "/v2/"):
            self._head(200, "application/json", 0, "")
            return
        asked = _ASKED.match(self.path)
        digest, media = "", "application/octet-stream"
        if asked and asked["kind"] == "manifests":
            digest, media = images.manifests.get((asked["name"], asked["what"]), ("", ""))
        elif asked:
            digest = asked["what"]
        if digest not in images.blobs:
            self._head(404, "application/json", 0, "")
            return
        path, start, size = images.blobs[digest]
        self._head(200, media, size, digest)
        if body:
            with path.open("rb") as stream:
                stream.seek(start)
                while size:
                    piece = stream.read(min(size, _PIECE))
                    self.wfile.write(piece)
                    size -= len(piece)

    def _head(self, status: int, media: str, size: int, digest: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(size))
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()


def main(argv: list[str]) -> None:
    """Serve until somebody ends it; every request is a line of its own on standard error."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--files", type=Path, default=Path())
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    arguments = parser.parse_args(argv)
    images = Images(arguments.bundle) if arguments.bundle else None
    server = ThreadingHTTPServer(
        (arguments.address, arguments.port), partial(MirrorHandler, images=images, directory=str(arguments.files))
    )
    server.daemon_threads = True
    if arguments.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.certificate, arguments.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
