"""Objects that lie in the site's object storage, read and written from a pod's network by a program of this machine."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from minio import Minio

from model.checkout import ROOT
from model.site.load import load_site
from tasks.secrets.store import open_store
from tests.matrix.matrix_lab import MatrixLab
from tests.matrix.pod_processes import processes_of

_KIB = 64
_SECONDS = 120.0


def put(matrix: MatrixLab, prefix: str, count: int) -> list[str]:
    """Store so many objects below a prefix, each once; return what was refused."""
    return _from_a_media_pod(matrix, "put", prefix, count)


def unlike(matrix: MatrixLab, prefix: str, count: int) -> list[str]:
    """Read those objects, each once; return what did not come back, and what came back as something else."""
    return _from_a_media_pod(matrix, "read", prefix, count)


def _from_a_media_pod(matrix: MatrixLab, act: str, prefix: str, count: int) -> list[str]:
    site = load_site(matrix.lab.inventory)
    store = open_store(site)
    access, key = (store.value("s3-synapse", word).decode() for word in ("access_key", "secret_key"))
    service = json.loads(matrix.kubectl("-n", "matrix", "get", "service", "s3", "-o", "json"))
    said = {
        "act": act,
        "endpoint": f"{service['spec']['clusterIP']}:{service['spec']['ports'][0]['port']}",
        "access_key": access,
        "secret_key": key,
        "region": site.settings.object_storage.region,
        "bucket": site.settings.object_storage.bucket,
        "names": [f"{prefix}/{number}" for number in range(count)],
    }
    # A pod that the storage admits.
    media = matrix.objects("pods", "-n", "matrix", "-l", "app.kubernetes.io/name=synapse-media")
    done = subprocess.run(
        ("nsenter", f"--net=/proc/{processes_of(media)[0]}/ns/net", sys.executable, "-m", __name__),
        cwd=ROOT,
        input=json.dumps(said),
        capture_output=True,
        text=True,
        timeout=_SECONDS + count,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    complaints: list[str] = json.loads(done.stdout)
    return complaints


def _complaints(said: dict[str, Any]) -> Iterator[str]:
    client = Minio(
        endpoint=said["endpoint"],
        access_key=said["access_key"],
        secret_key=said["secret_key"],
        region=said["region"],
        secure=False,
    )
    for name in said["names"]:
        content = hashlib.shake_256(name.encode()).digest(_KIB * 1024)
        try:
            if said["act"] == "put":
                client.put_object(said["bucket"], name, io.BytesIO(content), len(content))
                continue
            answer = client.get_object(said["bucket"], name)
            found = answer.read()
            answer.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, this object was not had
            yield f"{name}: {type(error).__name__}: {error}"
            continue
        if hashlib.sha256(found).digest() != hashlib.sha256(content).digest():
            yield f"{name}: {len(found)} other bytes"


if __name__ == "__main__":
    print(json.dumps(list(_complaints(json.load(sys.stdin)))))
