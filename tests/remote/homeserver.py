"""A real Synapse, with two accounts and a room they share: one tells, the other reads."""

from __future__ import annotations

import base64
import inspect
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

# Its own environment: what it depends on is nothing that the flows should have to live with.
PYTHON = Path(sys.prefix) / "synapse/bin/python"
_ANSWERS = 240


def ask(method: str, url: str, body: Any, token: str) -> Any:
    """Call a URL as a client does; raises OSError."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - ours
    if token:
        request.add_header("Authorization", "Bearer " + token)
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - http alone
        return json.load(answer)


# The same where the server is.
_ASK = f"""
import json, sys, urllib.request
from typing import Any
{inspect.getsource(ask)}
print(json.dumps(ask(*json.load(sys.stdin))))
"""


@dataclass(frozen=True)
class Homeserver:
    """A running server: its URL, the access tokens of who tells and of who reads, the room, and its database's file."""

    url: str
    prefix: tuple[str, ...]
    token: str = field(default="", repr=False)
    reader: str = field(default="", repr=False)
    room: str = ""
    database: Path = Path()

    def messages(self) -> list[str]:
        """Return the texts in the room as the reader sees them, oldest first."""
        path = f"/_matrix/client/v3/rooms/{quote(self.room)}/messages?dir=f&limit=500"
        chunk = self.call("GET", path, token=self.reader)["chunk"]
        return [event["content"]["body"] for event in chunk if event["type"] == "m.room.message"]

    def call(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """Call the client-server API from where the server is."""
        asked = (method, self.url + path, body, token)
        if not self.prefix:
            try:
                return ask(*asked)
            except OSError as error:
                raise ConnectionError(str(error)) from error
        command = (*self.prefix, sys.executable, "-c", _ASK)
        done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise ConnectionError(done.stderr[-500:])
        return json.loads(done.stdout)


@contextmanager
def running(
    folder: Path, port: int, prefix: tuple[str, ...] = (), more: Mapping[str, Any] | None = None
) -> Iterator[Homeserver]:
    """
    Run a server on a port of 127.0.0.1 until the block ends; `prefix` are words that start a command in another
    network, `more` settings of Synapse.
    """
    command = (*prefix, str(PYTHON), "-m", "synapse.app.homeserver", "-c", str(_configured(folder, port, more or {})))
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    server = Homeserver(f"http://127.0.0.1:{port}", prefix, database=folder / "homeserver.db")
    try:
        _await(server, process, folder)
        yield _peopled(server, (more or {}).get("server_name", "news.test"))
    finally:
        process.kill()
        process.wait(20)


def _configured(folder: Path, port: int, more: Mapping[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    listener = {"port": port, "bind_addresses": ["127.0.0.1"], "type": "http", "resources": [{"names": ["client"]}]}
    quick = {"per_second": 1000, "burst_count": 1000}
    settings: dict[str, Any] = {
        "server_name": "news.test",
        "listeners": [listener],
        "database": {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}},
        "media_store_path": str(folder / "media"),
        "pid_file": str(folder / "pid"),
        "signing_key_path": str(folder / "signing.key"),
        "registration_shared_secret": "of a test",
        "macaroon_secret_key": "of a test",
        "form_secret": "of a test",
        # The fewest that it takes: passwords of a test are worth no work.
        "bcrypt_rounds": 4,
        "enable_registration": True,
        "enable_registration_without_verification": True,
        "rc_registration": quick,
        "rc_message": quick,
        "rc_invites": {"per_room": quick, "per_user": quick},
        # It speaks to nobody else.
        "federation_domain_whitelist": [],
        "trusted_key_servers": [],
        "report_stats": False,
    }
    path = folder / "homeserver.yaml"
    path.write_text(yaml.safe_dump({**settings, **more, "listeners": [listener, *more.get("listeners", [])]}), "utf-8")
    # As `--generate-keys` writes it, which takes as long as a start.
    key = base64.b64encode(os.urandom(32)).decode().rstrip("=")
    Path(settings["signing_key_path"]).write_text(f"ed25519 a_{os.urandom(2).hex()} {key}\n", "utf-8")
    return path


def _await(server: Homeserver, process: subprocess.Popen[bytes], folder: Path) -> None:
    for _ in range(_ANSWERS):
        if process.poll() is not None:
            break
        try:
            server.call("GET", "/_matrix/client/versions")
            return
        except ConnectionError:
            threading.Event().wait(0.25)
    raise AssertionError(f"Synapse does not answer: {(folder / 'output').read_text('utf-8')[-2000:]}")


def _peopled(server: Homeserver, name: str) -> Homeserver:
    teller, reader = (_registered(server, user) for user in ("teller", "reader"))
    room = server.call("POST", "/_matrix/client/v3/createRoom", {"invite": [f"@reader:{name}"]}, teller)["room_id"]
    server.call("POST", f"/_matrix/client/v3/rooms/{quote(room)}/join", {}, reader)
    return replace(server, token=teller, reader=reader, room=room)


def _registered(server: Homeserver, name: str) -> str:
    body = {"username": name, "password": f"long enough for {name}", "auth": {"type": "m.login.dummy"}}
    return str(server.call("POST", "/_matrix/client/v3/register", body)["access_token"])
