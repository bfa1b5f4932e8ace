"""HAProxy and nginx, asked whether they would start with their files."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.haproxy import haproxy_program
from tests.model.rollout.config_files.mounted import place
from tests.model.rollout.config_files.reader import Files
from tests.readers import environment, unpacked


def haproxy(variants: Sequence[Files], folder: Path) -> Iterator[str]:
    """Yield HAProxy's errors and warnings."""
    program = haproxy_program()
    for number, files in enumerate(variants):
        here = folder / str(number)
        place(files, here)
        path = here / "config/haproxy.cfg"
        # Whoever tests may open fewer files than a pod.
        path.write_text(re.sub(r"(?m)^( +)maxconn \d+$", r"\1maxconn 2000", path.read_text()))
        done = subprocess.run([program, "-c", "-f", str(path)], capture_output=True, text=True, timeout=60)
        if done.returncode or "WARNING" in done.stderr:
            yield done.stderr


def nginx(variants: Sequence[Files], folder: Path) -> Iterator[str]:
    """Yield nginx's errors and warnings."""
    program, types = unpacked("usr/sbin/nginx"), unpacked("etc/nginx/mime.types")
    for number, files in enumerate(variants):
        here = folder / str(number)
        place((file for file in files if file.container == "element-web"), here, "/tmp")  # noqa: S108 - the pod's own
        path = here / "config/nginx.conf"
        text = path.read_text().replace("/etc/nginx/mime.types", str(types))
        # It listens while it is asked: on nothing that anybody else may want.
        for count, address in enumerate(re.findall(r"listen ([^;]+);", text)):
            text = text.replace(f"listen {address};", f"listen unix:{here}/{count}.sock;")
        path.write_text(text)
        command = [str(program), "-e", "stderr", "-c", str(path), "-g", "daemon off;", "-t"]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
        if done.returncode or "[warn]" in done.stderr:
            yield done.stderr
