"""A network device's rules, read and nothing but read: by scrapli, over the same verified connection as hosts."""

from __future__ import annotations

import json
import secrets
import shlex
import time
from typing import TYPE_CHECKING, Any

from paramiko import Channel, SSHClient, SSHException
from scrapli.driver.generic import GenericDriver
from scrapli.exceptions import ScrapliConnectionError, ScrapliException, ScrapliTimeout
from scrapli.transport.plugins.paramiko.transport import ParamikoTransport, PluginTransportArgs
from typing_extensions import override

from model.errors import CommandFailed, CommandTimeout, HostError, ProtocolError, Unreachable
from remote.dial import connect, transport_of
from remote.route import Route, route

if TYPE_CHECKING:
    from nornir.core.inventory import Host

    from remote.transport import ByteStream

OPERATION_SECONDS = 20.0
RULES = ("nft", "-j", "list", "ruleset")
# What the answer is filed under, beside nft's own `nftables`: which interface leads where, and which addresses are the
# device's own.
SURROUNDINGS = {
    "addresses": ("ip", "-j", "address", "show"),
    "routes4": ("ip", "-j", "-4", "route", "show"),
    "routes6": ("ip", "-j", "-6", "route", "show"),
}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def read(host: Host, platform: str) -> str:
    """
    Return the device's rules, interfaces and routes as `model.verify.perimeter.parse` reads them.

    Needs root or sudo without a password for `nft`. Each step is bounded by `OPERATION_SECONDS`. Raises `HostError`: no
    connection, a wrong key, a command that fails or does not end, a platform whose rules nobody here can read.
    """
    if platform != "nftables":
        raise HostError(str(host), f"rules of {platform} devices cannot be read", "write `perimeter: {platform: none}`")
    way = route(host)
    device = _Device(way)
    try:
        device.open()
        elevate = () if way.username == "root" else ("sudo", "-n")
        document = _json(way, _ask(device, way, (*elevate, *RULES)))
        for name, argv in SURROUNDINGS.items():
            document[name] = _json(way, _ask(device, way, argv) or "[]")
        return json.dumps(document)
    except ScrapliTimeout:
        raise CommandTimeout(way.name, RULES, OPERATION_SECONDS) from None
    except (ScrapliException, SSHException, OSError) as error:
        raise Unreachable(way.name, f"the connection broke: {error}", "look at the device's sshd") from None
    finally:
        device.close()


def _ask(device: _Device, way: Route, argv: tuple[str, ...]) -> str:
    """Run one command; none of its words has a meaning to a shell."""
    answer = str(device.send_command(shlex.join(argv)).result)
    code = str(device.send_command("echo $?").result).strip()
    if code != "0":
        advice = "the user needs root or sudo without a password for `nft`" if "sudo" in argv else ""
        raise CommandFailed(way.name, argv, int(code) if code.isdigit() else -1, answer[:300], advice)
    return answer


def _json(way: Route, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ProtocolError(way.name, f"answered no JSON: {error}: {text[:120]!r}") from None


class _Device(GenericDriver):
    """
    scrapli's driver, at a shell whose prompt nothing else can look like.

    Prompts are how scrapli sees that an answer is whole; any part of a ruleset may look like a usual one.
    """

    def __init__(self, way: Route) -> None:
        self.way = way
        self.prompt = f"perimeter-{secrets.token_hex(8)}#"
        super().__init__(
            host=way.address,
            port=way.port,
            auth_username=way.username,
            auth_strict_key=False,  # verified by the transport's own connection
            transport="paramiko",
            # scrapli's own asks for a prompt before the first has come, and may take the first for the answer's end
            on_open=None,
            timeout_transport=0,
            timeout_ops=OPERATION_SECONDS,
            comms_prompt_pattern=rf"{self.prompt}\s*$",
        )

    def _transport_factory(self) -> tuple[Any, object]:
        def build(**args: Any) -> _Transport:
            return _Transport(self.way, self.prompt, **args)

        return build, PluginTransportArgs(auth_username=self.way.username)


class _Transport(ParamikoTransport):
    """
    scrapli's paramiko transport over a connection of `remote.dial`.

    Its own knows RSA keys only and neither ports in known_hosts nor jump hosts.
    """

    def __init__(self, way: Route, prompt: str, **args: Any) -> None:
        super().__init__(**args)
        self.way = way
        self.prompt = prompt
        self.client: SSHClient | None = None
        self.line: ByteStream | None = None
        self.session_channel: Channel | None = None

    @override
    def open(self) -> None:
        self.client, self.line = connect(self.way)
        self.session = transport_of(self.client)
        channel = self.session.open_session(timeout=self.way.seconds)
        channel.get_pty(term="dumb", width=511)
        channel.settimeout(OPERATION_SECONDS)
        environment = ("TERM=dumb", "LC_ALL=C", f"PATH={_PATH}", f"PS1={self.prompt} ")
        channel.exec_command(shlex.join(("exec", "env", "-i", *environment, "/bin/sh")))
        self.session_channel = channel
        self._await_prompt(time.monotonic() + OPERATION_SECONDS)

    def _await_prompt(self, deadline: float) -> None:
        """From here on every prompt is the end of one answer."""
        answer = b""
        while self.prompt.encode() not in answer:
            if time.monotonic() > deadline:
                raise ScrapliTimeout("the shell never showed its prompt")
            answer = answer[-len(self.prompt) :] + self.read()

    @override
    def read(self) -> bytes:
        data = super().read()
        if not data:
            raise ScrapliConnectionError("the device closed the connection")
        return data

    @override
    def close(self) -> None:
        if self.client is not None:
            self.client.close()
        if self.line is not None:
            self.line.close()
        self.client = self.line = self.session = self.session_channel = None

    @override
    def isalive(self) -> bool:
        return self.session is not None and self.session.is_active()
