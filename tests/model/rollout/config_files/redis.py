"""Redis and its Sentinels, started by their own scripts on loopback and asked as the scripts ask them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from tests.model.rollout.config_files.mounted import place
from tests.model.rollout.config_files.reader import Files
from tests.readers import environment, listens, unpacked
from tests.remote.conftest import free_port

_SECONDS = 20
_POD = re.compile(r"\bredis(-sentinel)?-\d\.redis(-sentinel)?\.matrix\.svc\.cluster\.local")


def redis(variants: Sequence[Files], folder: Path) -> Iterator[str]:
    """Yield what is wrong with the files of servers and Sentinels: who does not start, and which question fails."""
    unpacked("usr/bin/redis-server")
    for number, files in enumerate(variants):
        yield from _group(files, folder / str(number))


def _group(files: Files, folder: Path) -> Iterator[str]:
    server = free_port()
    sentinel = next(port for port in iter(free_port, None) if port != server)
    moved = tuple(replace(file, text=_moved(file.text, server, sentinel)) for file in files)
    for container in ("redis", "sentinel"):
        mine = (file for file in moved if file.container == container)
        place(mine, folder / container, "/data", "/conf")
    master = ["OK", "# Replication", "role:master"]
    with _started(folder / "redis", "start-server.sh", "redis-0") as process:
        if not listens(process, server):
            yield _log(folder / "redis")
            return
        for container in ("redis", "sentinel"):
            if (said := _ask(folder / container, server, "ask-role"))[:3] != master:
                yield f"ask-role of {container}: {said}"
                return
        for identity in sorted((folder / "sentinel/scripts").glob("id-*")):
            yield from _sentinel(folder, identity.name.removeprefix("id-"), server, sentinel)


def _sentinel(folder: Path, pod: str, server: int, port: int) -> Iterator[str]:
    """Yield what is wrong with one Sentinel, which knows nothing of a group yet."""
    (folder / "sentinel/data/sentinel.conf").unlink(missing_ok=True)
    with _started(folder / "sentinel", "start-sentinel.sh", pod) as process:
        if not listens(process, port):
            yield f"{pod}: {_log(folder / 'sentinel')}"
            return
        for container in ("redis", "sentinel"):
            if (said := _ask(folder / container, port, "ask-sentinel")) != ["OK", "localhost", str(server)]:
                yield f"ask-sentinel of {container}, asked of {pod}: {said}"
        # There is no replica to hand over to: it says so of a question that it understood.
        said = _ask(folder / "redis", port, "hand-over")
        if said[:1] != ["OK"] or not "".join(said[1:]).startswith("NOGOODSLAVE"):
            yield f"hand-over, asked of {pod}: {said}"


def _moved(text: str, server: int, sentinel: int) -> str:
    """Return a file for a group on this machine's loopback."""
    ports = {"6379": str(server), "26379": str(sentinel)}
    text = re.sub(r"\b2?6379\b", lambda found: ports[found[0]], _POD.sub("localhost", text))
    # The first server waits three seconds for others that might be there.
    text = text.replace("number * 20 + 3))", "number * 20))")
    return text.replace("bind * -::*", "bind 127.0.0.1 -::1")


@contextmanager
def _started(folder: Path, script: str, pod: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a pod's script until the block ends, with everything that it starts."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", str(folder / "scripts" / script)],
            env={**environment(), "POD_NAME": pod},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_SECONDS)


def _ask(folder: Path, port: int, file: str) -> list[str]:
    """Return the lines of what is answered to a file of commands."""
    command = [str(unpacked("usr/bin/redis-cli")), "-h", "localhost", "-p", str(port)]
    text = (folder / "secrets" / file).read_text()
    done = subprocess.run(
        command, input=text, env=environment(), capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    return done.stdout.replace("\r", "").splitlines()


def _log(folder: Path) -> str:
    return (folder / "log").read_text()[-2000:]
