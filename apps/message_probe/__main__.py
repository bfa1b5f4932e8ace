"""A message from one user to another, tried by a person: `python -m apps.message_probe --help`."""

from __future__ import annotations

import argparse
import json
import ssl
import sys
from dataclasses import asdict
from urllib.parse import urlsplit

from apps.message_probe.administration import Administration
from apps.message_probe.probe import Findings, Wishes, converse, repeat
from apps.message_probe.wire import Origin, dial_to

_EPILOG = """
The registration shared secret is read from standard input, never from the arguments:
  python -m apps.message_probe https://matrix.example.test --admin http://127.0.0.1:8008 < secret
Exit codes: 0 everything arrived, 2 something did not, 3 the probe could not be carried out.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the probe and print what it saw as JSON."""
    words = _parser().parse_args(argv)
    secret = sys.stdin.buffer.read().strip()
    if not secret:
        sys.stderr.write("no registration shared secret on standard input\n")
        return 3
    public = origin(words.url, words.address, words.ca)
    administration = Administration(origin(words.admin or words.url, None, words.ca), secret)
    if words.every:
        findings = repeat(public, administration, words.every, words.seconds)
    else:
        findings = converse(public, administration, Wishes(encrypted=not words.plain, media=not words.no_media))
    print(json.dumps(_shown(findings), indent=2))
    lost = bool(findings.series and findings.series.lost_acknowledged)
    return 2 if findings.failures or lost else 3 if findings.left else 0


def origin(url: str, address: str | None = None, ca: str | None = None) -> Origin:
    """Return the server of a URL; `address` is connected to instead of what the name resolves to."""
    parts = urlsplit(url)
    encrypted = parts.scheme == "https"
    name, port = parts.hostname or "", parts.port or (443 if encrypted else 80)
    tls = ssl.create_default_context(cafile=ca) if encrypted else None
    return Origin(name=name, port=port, dial=dial_to(address or name, port), tls=tls)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m apps.message_probe",
        description="Have two users of a Matrix homeserver talk, and say what arrived and how fast.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", help="the public URL, such as https://matrix.example.test")
    parser.add_argument("--admin", help="URL of the admin API, where it is not on the public name")
    parser.add_argument("--address", help="connect to this address; name and certificate stay those of the URL")
    parser.add_argument("--ca", help="PEM file of the authority that the certificate is judged by")
    parser.add_argument("--plain", action="store_true", help="no encrypted message")
    parser.add_argument("--no-media", action="store_true", help="no upload")
    parser.add_argument("--every", type=float, default=0.0, help="a series: a message every so many seconds")
    parser.add_argument("--for", type=float, default=60.0, dest="seconds", help="how long the series lasts")
    return parser


def _shown(findings: Findings) -> dict[str, object]:
    shown: dict[str, object] = {
        "failures": findings.failures,
        "left": findings.left,
        "sync_servers": findings.sync_servers,
        "steps": [asdict(step) for step in findings.steps],
    }
    if findings.series:
        shown["series"] = findings.series.figures
        shown["errors"] = dict(findings.series.errors)
        shown["lost"] = findings.series.lost
    return shown


if __name__ == "__main__":
    sys.exit(main())
