"""A site is made from answers, given in a file or on a terminal, and is ready to lint; nothing is ever overwritten."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from flows import site
from flows._run.cli import execute
from flows._site.questions import SUCH_AS
from model.check.lint import examine, exit_code
from model.site.answers import Answers
from model.site.load import FILES, load_site
from tests.mutation import REFERENCE

ANSWERS = Path(__file__).parents[1] / "data" / "answers.yaml"
FIVE = Path(__file__).parents[1] / "data" / "five-servers"


def _site(*arguments: object) -> int:
    return execute(site.app, "flows.site", [str(argument) for argument in arguments])


def _init(folder: Path, **changed: Any) -> int:
    given = yaml.safe_load(ANSWERS.read_text("utf-8")) | changed
    given = {key: value for key, value in given.items() if value is not None}
    file = folder.parent / "answers.json"
    file.write_text(json.dumps(given), "utf-8")
    return _site("init", "--answers", file, "--output", folder)


def test_answers_become_a_site_without_errors(tmp_path: Path) -> None:
    assert _site("init", "--answers", ANSWERS, "--output", tmp_path / "site") == 0
    name, flaws = examine(tmp_path / "site")
    assert name == "acme"
    assert exit_code(flaws) == 0
    loaded = load_site(tmp_path / "site")
    assert len(loaded.servers) == 16
    assert loaded.by_name["w-1"].roles == ("worker", "storage")
    assert "app-3" in loaded.by_name
    assert loaded.settings.kubernetes.endpoint.name == "api.acme.example.org"
    assert loaded.settings.servers.administrators == ()


@pytest.mark.parametrize("wanted", [True, False])
def test_web_client_and_administrations_pages_are_as_answered(tmp_path: Path, wanted: bool) -> None:
    assert _init(tmp_path / "site", element_web=None if wanted else False, admin_ui=None if wanted else False) == 0
    features = load_site(tmp_path / "site").settings.features
    assert (features.element_web, features.admin_ui) == (wanted, wanted)


@pytest.mark.parametrize(
    ("users", "said", "on"), [(100, {}, False), (5000, {}, True), (5000, {"autoscaling": False}, False)]
)
def test_load_decides_from_so_many_users_on_unless_somebody_says_otherwise(
    tmp_path: Path, users: int, said: dict[str, bool], on: bool
) -> None:
    # Whether there are servers enough for them is another matter.
    _init(tmp_path / "site", concurrent_users=users, **said)
    assert load_site(tmp_path / "site").settings.features.autoscaling is on


def test_disks_are_declared_where_they_are_said(tmp_path: Path) -> None:
    disks = ["db-1=virtio-data1:200", "db-1=scsi-0QEMU_wal-0:0:50", "db-2=virtio-data1:200"]
    assert _init(tmp_path / "site", database_disks=disks, object_disks=["w-1=nvme-eui.01:500"]) == 0
    loaded = load_site(tmp_path / "site")
    held = {name: [(disk.id, disk.gib, disk.purpose) for disk in loaded.by_name[name].data.disks]
            for name in ("db-1", "db-2", "db-3", "w-1")}  # fmt: skip
    assert held == {
        "db-1": [("virtio-data1", 200, "database"), ("scsi-0QEMU_wal-0:0", 50, "database")],
        "db-2": [("virtio-data1", 200, "database")],
        "db-3": [],
        "w-1": [("nvme-eui.01", 500, "objects")],
    }


@pytest.mark.parametrize(
    "text", ["db-9=virtio-data1:200", "db-1=/dev/sdb:200", "db-1=virtio-data1", "virtio-data1:200"]
)
def test_a_disk_of_nobody_or_of_no_size_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _init(tmp_path / "site", database_disks=[text]) == 1
    assert text in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


def test_a_host_outside_is_in_a_network_of_its_own(tmp_path: Path) -> None:
    assert _init(tmp_path / "site", outside=["198.51.100.7,2001:db8::7", "berlin=192.0.2.7"]) == 0
    assert exit_code(examine(tmp_path / "site")[1]) == 0
    loaded = load_site(tmp_path / "site")
    assert {machine.name: [str(address) for address in machine.own] for machine in loaded.vantages} == {
        "vantage-1": ["198.51.100.7", "2001:db8::7"],
        "berlin": ["192.0.2.7"],
    }
    cidrs = [str(network) for network in loaded.settings.networks["internet"].cidrs]
    assert cidrs == ["198.51.100.7/32", "2001:db8::7/128", "192.0.2.7/32"]


def test_a_server_of_the_site_is_not_outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _init(tmp_path / "site", outside=["w-1=192.0.2.7"]) == 1
    assert "outside: w-1 is a server of the site" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("texts", [["b=192.0.2.7", "b=192.0.2.8"], ["vantage-2=192.0.2.7", "192.0.2.8"]])
def test_two_hosts_outside_of_one_name_are_refused(
    texts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _init(tmp_path / "site", outside=texts) == 1
    assert "outside: two hosts have one name" in capsys.readouterr().err


def test_the_user_of_the_connections_is_an_administrator_and_no_stranger(tmp_path: Path) -> None:
    given = yaml.safe_load(ANSWERS.read_text("utf-8")) | {"ssh_user": "deploy"}
    (tmp_path / "answers.yaml").write_text(yaml.safe_dump(given), "utf-8")
    assert _site("init", "--answers", tmp_path / "answers.yaml", "--output", tmp_path / "site") == 0
    assert load_site(tmp_path / "site").settings.servers.administrators == ("deploy",)


def test_every_part_of_the_site_file_is_explained(tmp_path: Path) -> None:
    _init(tmp_path / "site")
    lines = (tmp_path / "site" / "site.yaml").read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if line and not line.startswith((" ", "#")):
            assert lines[number - 1].startswith("# "), line


def test_files_that_exist_are_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "ports.yaml").write_text("mine\n", "utf-8")
    assert _init(folder) == 1
    assert "ports.yaml" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["ports.yaml"]
    assert (folder / "ports.yaml").read_text("utf-8") == "mine\n"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"domain": None}, "domain"),
        ({"domain": "no domain"}, "domain"),
        ({"concurrent_users": "many"}, "concurrent_users"),
        ({"main_network": ["10.0.1.5/24"]}, "main_network.0"),
        ({"servers": {"control_plane": ["10.0.1"]}}, "10.0.1"),
        ({"servers": {"worker": ["10.0.1.21"]}}, "servers.control_plane"),
        ({"servers": {"boss": ["10.0.1.21"], "worker": ["10.0.1.22"]}}, "servers"),
        ({"li_network": None}, "li_network"),
        ({"turn_addresses": None}, "turn_addresses"),
        ({"email": None}, "email"),
        ({"certificates": "organisation"}, "private_key"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_answers_that_do_not_fit_are_named_and_nothing_is_written(
    changed: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _init(tmp_path / "site", **changed) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "answers.json" in error
    assert not (tmp_path / "site").exists()


def test_everything_that_is_missing_is_told_in_one_round_with_what_makes_it_needless(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text("name: short\nconcurrent_users: many\n", "utf-8")
    assert _site("init", "--answers", file, "--output", tmp_path / "site") == 1
    message = capsys.readouterr().err
    for name in ("domain", "main_network", "management", "ingress_addresses", "dns", "ntp", "servers.worker"):
        assert f"answers.yaml: {name}: is missing; write a value for it" in message
    assert "concurrent_users: is no whole number" in message
    for name, switch in (
        ("turn_addresses", "turn: false"),
        ("livekit_addresses", "livekit: false"),
        ("li_network", "li: false"),
        ("li_dns", "li: false"),
        ("servers.li", "li: false"),
        ("api_address", "api_provider: organisation"),
        ("email", "certificates: internal-ca"),
    ):
        assert f"{name}: is missing; write a value for it, or `{switch}`" in message
    assert "schema answers" in message


def test_a_role_nobody_knows_is_told_beside_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _init(tmp_path / "site", servers={"boss": ["10.0.1.21"]}, li_dns=None) == 1
    message = capsys.readouterr().err
    assert "no role boss" in message
    assert "li_dns: is missing" in message
    assert "servers.worker: is missing" in message


def test_addresses_where_names_belong_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _init(tmp_path / "site", ingress_servers=["10.0.1.21"]) == 1
    message = capsys.readouterr().err
    assert "ingress_servers.0: is an address (found '10.0.1.21'); host names, not addresses" in message


def test_the_sample_in_the_help_makes_a_site_without_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _site("init", "--help") == 0
    shown = capsys.readouterr().out
    sample = shown[shown.index("    domain:") : shown.index("  Example:")]
    file = tmp_path / "answers.yaml"
    file.write_text(textwrap.dedent(sample), "utf-8")
    assert _site("init", "--answers", file, "--output", tmp_path / "site") == 0, capsys.readouterr()


def test_questions_about_addresses_and_networks_give_an_example() -> None:
    about = {
        name
        for name, field in Answers.model_fields.items()
        if re.search(r"IPv[46]|'Name|Domain", str(field.annotation))
    }
    assert {"main_network", "dns", "api_address"} <= about
    assert about <= set(SUCH_AS)


def test_a_site_that_lint_refuses_is_written_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _init(tmp_path / "site", li_network=["10.0.1.128/25"], li_gateway=["10.0.1.129"]) == 1
    assert "network-overlap" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == sorted(FILES)


def test_another_ssh_port_is_opened_too(tmp_path: Path) -> None:
    assert _init(tmp_path / "site", ssh_port=2222) == 0
    rows = {row.name: row for row in load_site(tmp_path / "site").rows}
    assert rows["ssh"].intervals == rows["ssh-li"].intervals == ((2222, 2222),)


def test_dual_stack_answers_make_a_dual_stack_site(tmp_path: Path) -> None:
    given = yaml.safe_load(ANSWERS.read_text("utf-8"))
    servers = {
        role: [f"{text},fd00:{text.rpartition('.')[0][-1]}::{text.rpartition('.')[2]}" for text in texts]
        for role, texts in given["servers"].items()
    }
    networks = {
        "main_network": ["10.0.1.0/24", "fd00:1::/64"],
        "li_network": ["10.0.2.0/24", "fd00:2::/64"],
        "pod_network": ["10.244.0.0/16", "fd44::/56"],
        "service_network": ["10.96.0.0/12", "fd96::/112"],
        "management": ["10.0.9.0/24", "fd00:9::/64"],
    }
    assert _init(tmp_path / "site", servers=servers, **networks) == 0
    assert not [item for item in examine(tmp_path / "site")[1] if item.check in ("family-missing", "cidr-families")]


def test_without_calls_and_li_less_is_asked_for(tmp_path: Path) -> None:
    servers = {"control_plane": ["10.0.1.11", "10.0.1.12", "10.0.1.13"], "monitoring": ["10.0.1.61"]}
    servers |= {"worker": servers["control_plane"], "database": servers["control_plane"]}
    servers |= {"storage": [*servers["control_plane"], "10.0.1.14"]}
    without = dict.fromkeys(("turn_addresses", "livekit_addresses", "li_network", "li_gateway", "li_dns"))
    assert _init(tmp_path / "site", turn=False, livekit=False, li=False, servers=servers, **without) == 0
    loaded = load_site(tmp_path / "site")
    assert set(loaded.settings.networks) == {"main"}
    assert set(loaded.settings.external) == {"ingress"}


def test_a_small_site_says_so_and_another_one_says_nothing(tmp_path: Path) -> None:
    planes = ["10.0.1.11", "10.0.1.12", "10.0.1.13"]
    servers = dict.fromkeys(("control_plane", "worker", "database"), planes)
    servers |= {"storage": [*planes, "10.0.1.14"], "monitoring": ["10.0.1.15"]}
    without = dict.fromkeys(("turn_addresses", "livekit_addresses", "li_network", "li_gateway", "li_dns"))
    five: dict[str, Any] = {"turn": False, "livekit": False, "li": False, "servers": servers, **without}
    assert _init(tmp_path / "small", size="small", **five) == 0
    assert load_site(tmp_path / "small").settings.size == "small"
    assert _init(tmp_path / "lab", size="lab", **five) == 0
    assert (tmp_path / "lab" / "site.yaml").read_text("utf-8") == (tmp_path / "small" / "site.yaml").read_text("utf-8")
    assert _init(tmp_path / "auto", **five) == 0
    assert "\nsize:" not in (tmp_path / "auto" / "site.yaml").read_text("utf-8")
    assert _init(tmp_path / "tiny", size="tiny", **five) == 1


def test_without_a_terminal_and_answers_it_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flows.site", "init", "--output", str(tmp_path / "site")]
    done = subprocess.run(
        command, cwd=REFERENCE.parent, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "--answers" in done.stderr
    assert not (tmp_path / "site").exists()


def test_a_person_is_asked_again_until_an_answer_fits(tmp_path: Path) -> None:
    typed = {
        "short name": ["pty"],
        "Primary domain": ["", "nonsense", "pty.example.net"],
        "Expected number": ["lots", "100"],
        "CIDRs of the servers": ["10.0.1.7/24", "10.0.1.0/24"],
        "Networks from which": ["10.0.9.0/24"],
        "External addresses of the ingress": ["203.0.113.10"],
        "Servers behind them": ["10.0.1.21", ""],
        "TURN server?": ["perhaps", "no"],
        "LiveKit?": ["n"],
        "Name servers": ["10.0.1.2"],
        "Time servers": ["10.0.1.2"],
        "A free address": ["10.0.1.10"],
        "Where certificates": ["internal-ca"],
        "Lawful intercept?": ["no"],
        "control_plane servers": ["10.0.1.11 10.0.1.12 10.0.1.13"],
        "worker servers": ["", "ten", "10.0.1.11 10.0.1.12 10.0.1.13"],
        "database servers": ["10.0.1.11 10.0.1.12 10.0.1.13"],
        "storage servers": ["10.0.1.11 10.0.1.12 10.0.1.13 10.0.1.14"],
        "monitoring servers": ["10.0.1.61"],
    }
    code, shown = _converse(["init", "--output", str(tmp_path / "site")], typed)
    assert code == 0, shown
    assert "the network itself: 10.0.1.0/24" in shown
    assert shown.count("is required") == 2
    assert "'10.0.1.21' is an address; host names, not addresses" in shown
    assert "'perhaps' is neither yes nor no" in shown
    assert "'ten'" in shown
    assert "Input should" not in shown
    assert load_site(tmp_path / "site").name == "pty"


def _converse(arguments: list[str], typed: dict[str, list[str]]) -> tuple[int, str]:
    """Run the flow on a terminal; answer each question that has an answer left, press Enter at every other one."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "flows.site", *arguments]
    process = subprocess.Popen(command, cwd=REFERENCE.parent, stdin=slave, stdout=slave, stderr=slave, close_fds=True)
    os.close(slave)
    shown, line = "", ""
    while True:
        try:
            text = os.read(master, 4096).decode()
        except OSError:
            break
        if not text:
            break
        shown += text
        line = shown.rsplit("\n", 1)[-1]
        if line.endswith(": "):
            left = next((answers for words, answers in typed.items() if words in line), [])
            os.write(master, (left.pop(0) if left else "").encode() + b"\n")
    os.close(master)
    return process.wait(timeout=30), shown


def test_show_tells_hosts_and_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert _site("show", "--inventory", FIVE) == 0
    out = capsys.readouterr().out
    assert "5 servers" in out
    assert "n-4   worker, storage" in out.replace("                            ", "")
    assert _site("show", "--inventory", FIVE, "--json", "-") == 0
    seen = json.loads(capsys.readouterr().out)
    assert seen["hosts"]["n-4"]["rules"] == 36
    assert seen["rows"]["active"] < seen["rows"]["declared"]


@pytest.mark.parametrize("name", [*FILES, "answers"])
def test_schemas_accept_what_is_committed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _site("schema", name) == 0
    schema = json.loads(capsys.readouterr().out)
    file = ANSWERS if name == "answers" else REFERENCE / name
    # JSON knows no dates: as an editor does, take what YAML reads as one for its text.
    data = json.loads(json.dumps(yaml.safe_load(file.read_text("utf-8")), default=str))
    jsonschema.validate(data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([], schema)


def test_schema_of_an_unknown_file_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert _site("schema", "router") == 1
    assert "answers" in capsys.readouterr().err


def test_init_ends_with_what_lint_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _init(tmp_path / "good", push_notifications=False, antivirus=False) == 0
    assert "written, and lint finds" in capsys.readouterr().out.splitlines()[-1]
    _init(tmp_path / "bad", li_network=["10.0.1.128/25"], li_gateway=["10.0.1.129"])
    _, found = examine(tmp_path / "bad")
    errors = sum(finding.severity == "error" for finding in found)
    assert errors
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"lint finds {errors} error" in last
    assert "correct what is named above" in last


def test_a_request_of_a_site_with_errors_is_refused_with_each_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "site"
    shutil.copytree(FIVE, folder)
    settings = yaml.safe_load((folder / "site.yaml").read_text("utf-8"))
    settings["external"] = {}
    settings["size"] = "auto"
    (folder / "site.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    assert _site("request", "--inventory", folder, "--output", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "lint finds" in error
    assert "[external-target]" in error
    assert not (tmp_path / "out").exists()


def test_request_is_written_as_page_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _site("request", "--inventory", FIVE, "--output", tmp_path / "out") == 0
    lines = list(csv.DictReader((tmp_path / "out" / "firewall-request.csv").read_text("utf-8").splitlines()))
    https = next(line for line in lines if line["row"] == "https")
    assert (https["destination"], https["translated_to"], https["ports"]) == ("203.0.113.10", "192.168.10.11", "443")
    capsys.readouterr()
    assert _site("request", "--inventory", FIVE) == 0
    assert capsys.readouterr().out == (tmp_path / "out" / "firewall-request.md").read_text("utf-8")


def test_every_answer_has_a_question() -> None:
    assert all(field.description for name, field in Answers.model_fields.items())
