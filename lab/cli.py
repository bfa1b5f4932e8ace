"""The lab's command line: `python -m lab COMMAND`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from lab import controller, faults, lifecycle, plan, power, sabotage, status
from lab.errors import LabError
from lab.instance import Instance, selected
from lab.outside import command_line as outside
from lab.recipe import SUITES
from model.errors import FleetError

Command = Callable[[Instance, argparse.Namespace], None]

_ABOUT = "Disposable real Debian hosts on this machine, in networks that no packet can leave."
_EXAMPLE = """example:
  .venv/bin/python -m lab up --profile small
  .venv/bin/python -m lab run -- .venv/bin/python -m flows.firewall
  .venv/bin/python -m lab break drop-in --at db-1 --from w-1 --port 5432/tcp
  .venv/bin/python -m lab mend
  .venv/bin/python -m lab down

MATRIX_FLEET_LAB selects one of several labs side by side, by one to four letters and digits; docs/lab.md tells more.
"""


class _Parser(argparse.ArgumentParser):
    """Ends with 1 on wrong arguments, as every other command of the project does."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"lab: {message}; `{self.prog} --help` tells more\n")


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 not possible, 130 interrupted."""
    arguments = _parser().parse_args(_apart(argv))
    os.umask(0o022)
    try:
        instance = selected()
        if arguments.changes:
            controller.leave(instance)
        arguments.command(instance, arguments)
    except (LabError, FleetError) as error:
        say(f"lab: {error}")
        return 1
    except KeyboardInterrupt:
        say("lab: interrupted; `python -m lab up` completes it, `python -m lab down` clears it away")
        return 130
    return 0


def _apart(argv: Sequence[str]) -> tuple[str, ...]:
    """Keep kubectl's own flags from being read as the lab's, a lone `--help` apart."""
    if argv[:1] in (["kubectl"], ("kubectl",)) and tuple(argv[1:]) not in (("-h",), ("--help",)):
        return ("kubectl", "--", *argv[1:])
    return tuple(argv)


def say(line: str) -> None:
    """Tell a person what goes on; standard output is for what scripts read."""
    print(line, file=sys.stderr, flush=True)


def _up(instance: Instance, arguments: argparse.Namespace) -> None:
    lifecycle.up(instance, plan.fresh(arguments.profile, arguments.bare, arguments.suite), say)


def _down(instance: Instance, _: argparse.Namespace) -> None:
    if not lifecycle.down(instance, say):
        say("no lab was up; there was nothing to take away")
    elif instance.inventory.is_dir():
        say(f"the lab is down; its site and reports stay in {instance.inventory}")
    else:
        say("the lab is down")


def _inventory(instance: Instance, _: argparse.Namespace) -> None:
    if not instance.inventory.is_dir():
        raise LabError("no lab has emitted a site yet: `python -m lab up`")
    print(instance.inventory)


def _run(instance: Instance, arguments: argparse.Namespace) -> None:
    words = _words(arguments.argv)
    if not words:
        raise LabError(f"run needs a command, as in `{_EXAMPLES['run']}`")
    controller.run(instance, words)


def _shell(instance: Instance, arguments: argparse.Namespace) -> None:
    plan.required(instance).host(arguments.host)
    controller.shell(instance, arguments.host, _words(arguments.argv))


def _kubectl(instance: Instance, arguments: argparse.Namespace) -> None:
    planes = [host.name for host in plan.required(instance).hosts if "control_plane" in host.roles]
    controller.kubectl(instance, planes, _words(arguments.argv))


def _words(argv: Sequence[str]) -> tuple[str, ...]:
    return tuple(argv[1:] if argv[:1] == ["--"] else argv)


def _status(instance: Instance, arguments: argparse.Namespace) -> None:
    state = status.read(instance, plan.required(instance))
    print(json.dumps(state, indent=2) if arguments.json else status.table(state))


def _break(instance: Instance, arguments: argparse.Namespace) -> None:
    with lifecycle.lock(instance, say):
        order = faults.Order(arguments.kind, arguments.at, arguments.source, arguments.port)
        fault = faults.cause(instance, plan.required(instance), order)
        say(f"broke {fault}; `python -m lab mend {fault.id}` undoes it")
        print(fault.id)


def _mend(instance: Instance, arguments: argparse.Namespace) -> None:
    with lifecycle.lock(instance, say):
        for fault in faults.mend(instance, plan.required(instance), arguments.id):
            say(f"mended {fault.id}: {fault}")


def _power_off(instance: Instance, arguments: argparse.Namespace) -> None:
    with lifecycle.lock(instance, say):
        power.pull_the_plug(instance, plan.required(instance).host(arguments.host))


def _power_on(instance: Instance, arguments: argparse.Namespace) -> None:
    lifecycle.power_on(instance, arguments.host, say)


def _reboot(instance: Instance, arguments: argparse.Namespace) -> None:
    lifecycle.reboot(instance, arguments.host, say)


def _add(instance: Instance, arguments: argparse.Namespace) -> None:
    host = lifecycle.add(instance, arguments.host, arguments.role, say)
    say(f"{host.name} is up at {host.hostname} and in {instance.inventory / 'hosts.yaml'}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m lab", description=_ABOUT, epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, about: str, act: Command, changes: bool = False) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=about,
            description=about,
            epilog=f"example:\n  {_EXAMPLES[name]}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        sub.set_defaults(command=act, changes=changes)
        return sub

    up = command("up", "boot the lab, or what of it is down", _up, changes=True)
    up.add_argument("--profile", default="small", help="small (8 hosts), matrix (18), reference (19) or a number")
    up.add_argument("--suite", default=SUITES[0], choices=SUITES, help="Debian release of the hosts")
    up.add_argument("--bare", action="store_true", help="servers without ufw, sudo and python3, reached as root")
    command("down", "take the lab away completely; its site and reports stay", _down, changes=True)
    command("inventory", "print the folder of the site the lab emitted", _inventory)
    run = command("run", "run a command as the controller, inside the lab's network", _run)
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD ...")
    shell = command("shell", "be root on a host, without SSH", _shell)
    shell.add_argument("host")
    shell.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD ...")
    kubectl = command("kubectl", "ask the cluster, as its administrator on a control plane", _kubectl)
    kubectl.add_argument("argv", nargs=argparse.REMAINDER, metavar="ARGS ...")
    state = command("status", "show which hosts are alive", _status)
    state.add_argument("--json", action="store_true", help="as JSON on standard output")
    _fault_commands(command)
    for name, about, act in _POWER:
        command(name, about, act, changes=True).add_argument("host")
    add = command("add", "boot one more host and add it to the emitted site", _add, changes=True)
    add.add_argument("host")
    add.add_argument("--role", required=True)
    outside.add(command)
    return parser


_EXAMPLES = {
    **outside.EXAMPLES,
    "up": ".venv/bin/python -m lab up --profile small",
    "down": ".venv/bin/python -m lab down",
    "inventory": ".venv/bin/python -m lab inventory",
    "run": ".venv/bin/python -m lab run -- .venv/bin/python -m flows.firewall",
    "shell": ".venv/bin/python -m lab shell db-1 -- iptables-save",
    "kubectl": ".venv/bin/python -m lab kubectl get nodes -o wide",
    "status": ".venv/bin/python -m lab status --json",
    "break": ".venv/bin/python -m lab break drop-in --at db-1 --from w-1 --port 5432/tcp",
    "mend": ".venv/bin/python -m lab mend f1",
    "poweroff": ".venv/bin/python -m lab poweroff w-1",
    "poweron": ".venv/bin/python -m lab poweron w-1",
    "reboot": ".venv/bin/python -m lab reboot w-1",
    "add": ".venv/bin/python -m lab add w-2 --role worker",
}
_POWER: tuple[tuple[str, str, Command], ...] = (
    ("poweroff", "pull a host's plug: SIGKILL for all of it", _power_off),
    ("poweron", "boot a host with the disk it had", _power_on),
    ("reboot", "shut a host down cleanly and boot it again", _reboot),
)


def _fault_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    spoil = command("break", "break something on purpose; prints the fault's id", _break)
    kinds = "\n".join(f"  {name:<13} {kind.about}" for name, kind in sabotage.KINDS.items())
    spoil.epilog = f"kinds:\n{kinds}\n\n{spoil.epilog}"
    spoil.add_argument("kind", metavar="KIND")
    spoil.add_argument("--at", required=True, metavar="HOST")
    spoil.add_argument("--from", dest="source", default="", metavar="HOST")
    spoil.add_argument("--port", default="", metavar="5432/tcp")
    mend = command("mend", "undo one fault, or all", _mend)
    mend.add_argument("id", nargs="?", default="")
