"""Object storage: copies on different hosts, disks that are not overfilled, narrow access."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from model.errors import SiteError
from model.rollout.values import minio, seaweedfs
from tests.model.rollout.stacks import SITES, changed, files, found, site, stack

LARGE = changed(size="auto", concurrent_users=20_000)


def test_two_copies_lie_on_different_hosts_and_metadata_on_none_of_them_alone() -> None:
    given = seaweedfs.values(site())
    assert (given["masters"], given["volume_servers"], given["gateways"]) == (3, 4, 3)
    assert given["replication"] == "010"
    volume = next(m for m in found("seaweedfs-volumes", "StatefulSet") if m["metadata"]["name"] == "seaweedfs-volume")
    assert "-rack=$(NODE_NAME)" in volume["spec"]["template"]["spec"]["containers"][0]["args"]
    assert 'hostname = "postgresql-rw.matrix.svc"' in files("seaweedfs")["filer.toml"]
    (database,) = found("seaweedfs", "Database")
    assert database["spec"]["databaseReclaimPolicy"] == "retain"


def test_the_databases_owner_is_there_before_it_and_gateways_make_its_table_one_after_the_other() -> None:
    (role,) = found("postgresql", "DatabaseRole")
    (database,) = found("seaweedfs", "Database")
    assert database["spec"]["owner"] == role["spec"]["name"]
    assert role["spec"]["connectionLimit"] == seaweedfs.GATEWAYS * seaweedfs.CONNECTIONS
    made = tomllib.loads(files("seaweedfs")["filer.toml"])["postgres2"]["createTable"]
    assert made.index("pg_advisory_xact_lock") < made.index('CREATE TABLE IF NOT EXISTS "%s"')
    assert made.count("%") == 1


def test_without_it_postgresql_has_no_role_for_it() -> None:
    assert found("postgresql", "Cluster", SITES["minio"]())
    assert found("postgresql", "DatabaseRole", SITES["minio"]()) == []


def test_the_volumes_of_a_disk_do_not_hold_more_than_it() -> None:
    for known in (site(), site(drives=2), site(LARGE)):
        given = seaweedfs.values(known)
        limit, number, drives = given["volume_limit_mib"], given["volumes_per_drive"], given["drives"]
        assert isinstance(limit, int)
        assert isinstance(number, int)
        assert isinstance(drives, tuple)
        assert limit * number <= drives[0] * 1024


def test_synapse_may_use_its_bucket_and_nothing_else() -> None:
    text = re.sub(r"@@secret:[^@]*@@", "key", files("seaweedfs")["s3.json"])
    synapse = next(identity for identity in json.loads(text)["identities"] if identity["name"] == "synapse")
    assert all(action.endswith(":synapse-media") for action in synapse["actions"])


def test_credentials_are_there_in_both_forms() -> None:
    for name in ("small", "minio"):
        secret = stack(name).find("Secret", "matrix", "s3-credentials")
        assert secret is not None
        assert set(secret["stringData"]) == {"access-key", "secret-key", "CONSOLE_ACCESS_KEY", "CONSOLE_SECRET_KEY"}


def test_nothing_is_told_to_the_world_about_the_storage() -> None:
    master = next(m for m in found("seaweedfs-volumes", "StatefulSet") if m["metadata"]["name"] == "seaweedfs-master")
    assert "-telemetry=false" in master["spec"]["template"]["spec"]["containers"][0]["args"]


def test_minio_has_four_servers_of_two_drives_and_four_of_eight_may_be_lost() -> None:
    given = minio.values(site(changed(object_storage={"provider": "minio"}), drives=2))
    assert (given["servers"], len(given["drives"]), given["parity"]) == (4, 2, "EC:4")  # type: ignore[arg-type]


def test_minio_without_its_drives_is_refused_by_name() -> None:
    with pytest.raises(SiteError, match="MinIO needs 4 storage servers with 2 disks for objects each"):
        minio.values(site(drives=1))


# Knows the users that it was told of, and with `attach` their policy.
_MC = """#!/bin/sh
echo "$*" >> "PATH/said"
case "$*" in
*"user add"*) cat > "PATH/added" ;;
*"policy attach"*) : > "PATH/attached" ;;
*"user info"*) [ ! -e "PATH/attached" ] || echo "PolicyName: synapse" ;;
esac
"""
# Of what the scripts of other images use, the official image of MinIO has only what is in coreutils.
_COREUTILS = ("cat", "cp", "sleep")


def test_the_bucket_is_made_with_nothing_but_a_shell_and_coreutils(tmp_path: Path) -> None:
    part = next(part for part in stack("minio").components if part.name == "minio")
    script = part.files["bucket.sh"]
    for name in ("bin", "secrets", "tmp/mc", "scripts"):
        (tmp_path / name).mkdir(parents=True)
        script = script.replace(f" /{name}", f" {tmp_path}/{name}")
    for program in _COREUTILS:
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    mc = tmp_path / "bin/mc"
    mc.write_text(_MC.replace("PATH", str(tmp_path)))
    mc.chmod(0o755)
    (tmp_path / "secrets/mc.json").write_text("{}")
    (tmp_path / "secrets/user").write_text("synapse-key\nsynapse-word\n")
    done = subprocess.run(
        ["/bin/sh"],
        input=script,
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "added").read_text() == "synapse-key\nsynapse-word\n"
    said = (tmp_path / "said").read_text()
    assert "mb --ignore-existing site/synapse-media" in said
    assert "policy attach site synapse --user synapse-key\n" in said
