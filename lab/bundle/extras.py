"""What the lab's bundle holds only where somebody asks for it by name: it takes long, and few need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.bundle.ingredients import GoComponent, ImageFolder, ImageRecipe, ProgramRecipe, Started


@dataclass(frozen=True, slots=True)
class Extra:
    """A part of the application that others do without: its images, and the components that their programs are of."""

    components: tuple[GoComponent, ...]
    images: tuple[ImageRecipe, ...]


# Neither module has a version of its own: Go knows both by commit and time, as their publisher's builds do.
MINIO_TIME = "2026-02-12T20:18:48Z"
MC_TIME = "2025-03-13T08:02:18Z"


def _tag(time: str) -> str:
    """Return what the publisher's builds are called which are no release."""
    return f"DEVELOPMENT.{time.replace(':', '-')}"


_MINIO = "github.com/minio/minio"
_STAMPS = {
    f"{module}/cmd.{variable}": value
    for module, time in ((_MINIO, MINIO_TIME), ("github.com/minio/mc", MC_TIME))
    for variable, value in (("Version", time), ("ReleaseTag", _tag(time)))
}

EXTRAS: Mapping[str, Extra] = {
    "metrics-server": Extra(
        components=(
            GoComponent(
                "metrics-server",
                "sigs.k8s.io/metrics-server",
                {"k8s.io/client-go/pkg/version.gitVersion": "v{version}"},
            ),
        ),
        images=(
            ImageRecipe(
                name="registry.k8s.io/metrics-server/metrics-server",
                tag="v{version}",
                needed="application",
                programs=(ProgramRecipe("metrics-server", "metrics-server", "metrics-server"),),
                started=Started(("/metrics-server",), user="65534"),
            ),
        ),
    ),
    "minio": Extra(
        components=(GoComponent("minio", _MINIO, _STAMPS),),
        images=(
            ImageRecipe(
                name="quay.io/minio/minio",
                tag=_tag(MINIO_TIME),
                needed="application",
                programs=(
                    ProgramRecipe("minio", "minio", "usr/bin/minio"),
                    ProgramRecipe("minio", "mc", "usr/bin/mc"),
                ),
                tools=("busybox",),
                folders=(ImageFolder("data"),),
                started=Started(
                    command=("minio",),
                    environment={
                        "MINIO_ACCESS_KEY_FILE": "access_key",
                        "MINIO_SECRET_KEY_FILE": "secret_key",
                        "MINIO_ROOT_USER_FILE": "access_key",
                        "MINIO_ROOT_PASSWORD_FILE": "secret_key",
                        "MINIO_KMS_SECRET_KEY_FILE": "kms_master_key",
                        "MINIO_CONFIG_ENV_FILE": "config.env",
                        "MC_CONFIG_DIR": "/tmp/.mc",  # noqa: S108 - in a container, as its publisher has it
                    },
                ),
            ),
        ),
    ),
}
