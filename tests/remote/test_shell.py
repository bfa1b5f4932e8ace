"""Commands on a real sshd: argv, streams, exit codes, limits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from nornir.core.inventory import Host
from paramiko import Channel, SSHClient

from flows._fleet.hosts import close
from flows._fleet.inventory import inventory
from model.errors import CommandFailed, CommandTimeout, Unreachable
from remote.command import open_channel
from remote.connection import HostSession
from remote.shell import peer, reconnect_proof, run, session, start, tcp_banner
from tests.remote.conftest import SshServer
from tests.remote.sites import write_site

FIVE_MB = bytes(range(256)) * 20_000


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, sshd: SshServer) -> Iterator[Host]:
    site = write_site(tmp_path_factory.mktemp("site"), {"h-1": sshd.port}, {sshd.port: sshd.host_key}, sshd.login_key)
    nr = inventory(site)
    yield nr.inventory.hosts["h-1"]
    close(nr)


def test_both_streams_and_the_exit_code_arrive(host: Host) -> None:
    done = run(host, ("sh", "-c", "echo out; echo err >&2; exit 7"))
    assert (done.stdout, done.stderr, done.exit_code) == (b"out\n", b"err\n", 7)


def test_words_reach_the_command_unchanged(host: Host) -> None:
    words = ("a b", "$HOME", "it's", '"', "*", "\\", "", "ü", "-n", "a\nb", ";", "`id`")
    assert run(host, ("printf", "%s\\0", *words)).stdout == b"".join(word.encode() + b"\0" for word in words)


def test_a_command_speaks_english_and_finds_what_root_finds(host: Host) -> None:
    output = run(host, ("sh", "-c", 'echo "$LC_ALL $PATH"')).stdout.decode()
    assert output.startswith("C.UTF-8 ")
    assert "/usr/sbin" in output


def test_five_megabytes_pass_both_ways_at_once(host: Host) -> None:
    done = run(host, ("cat",), stdin=FIVE_MB, timeout=60)
    assert done.exit_code == 0
    assert done.stdout == FIVE_MB


def test_large_output_on_both_streams_does_not_lock_up(host: Host) -> None:
    script = "head -c 4000000 /dev/zero; head -c 4000000 /dev/zero >&2; head -c 1000000 /dev/zero"
    done = run(host, ("sh", "-c", script), timeout=60)
    assert (len(done.stdout), len(done.stderr)) == (5_000_000, 4_000_000)


def test_input_that_nobody_reads_does_not_lock_up(host: Host) -> None:
    assert run(host, ("true",), stdin=FIVE_MB, timeout=20).exit_code == 0


def test_a_command_past_its_time_ends_alone(host: Host) -> None:
    began = time.monotonic()
    with pytest.raises(CommandTimeout, match=r"h-1: `sleep 30` did not end within 0\.5 s"):
        run(host, ("sleep", "30"), timeout=0.5)
    assert time.monotonic() - began < 3
    assert run(host, ("echo", "still here")).stdout == b"still here\n"


def test_a_killed_command_is_not_taken_for_a_good_one(host: Host) -> None:
    assert run(host, ("sh", "-c", "kill -9 $$")).exit_code == -1


def test_check_names_host_command_code_and_complaint(host: Host) -> None:
    with pytest.raises(CommandFailed, match=r"h-1: `ls /nowhere` ended with exit code 2: .*No such file"):
        run(host, ("ls", "/nowhere")).check(host)


def test_a_command_that_is_missing_is_an_answer(host: Host) -> None:
    assert run(host, ("no-such-command",)).exit_code == 127


def test_no_command_is_an_error_of_the_caller(host: Host) -> None:
    with pytest.raises(ValueError, match="no command"):
        run(host, ())


def test_a_stream_exchanges_lines_and_bytes(host: Host) -> None:
    stream = start(host, ("cat",))
    stream.write(b"first\nsecond\n12345")
    assert stream.read_line(5) == b"first"
    assert stream.read_line(5) == b"second"
    assert stream.read_exactly(5, 5) == b"12345"
    assert stream.exit_code(0) is None
    stream.end_input()
    assert stream.exit_code(5) == 0


def test_a_silent_stream_times_out_and_goes_on(host: Host) -> None:
    stream = start(host, ("cat",))
    with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s"):
        stream.read_line(0.2)
    stream.write(b"late\n")
    assert stream.read_line(5) == b"late"
    stream.close()


def test_a_stream_that_ended_says_its_last_words(host: Host) -> None:
    stream = start(host, ("sh", "-c", "echo one; echo broken pipe wrench >&2; exit 4"))
    assert stream.read_line(5) == b"one"
    with pytest.raises(EOFError, match="broken pipe wrench"):
        stream.read_line(5)
    assert stream.exit_code(5) == 4


def test_a_talkative_stderr_does_not_hold_up_a_stream(host: Host) -> None:
    stream = start(host, ("sh", "-c", "head -c 9000000 /dev/zero >&2; echo done; cat"))
    assert stream.read_line(30) == b"done"
    stream.close()


def test_megabytes_through_a_stream(host: Host) -> None:
    stream = start(host, ("sh", "-c", "head -c 5120000 | tee /dev/stderr | wc -c"))
    stream.write(FIVE_MB)
    assert stream.read_line(30) == b"5120000"
    stream.close()


def test_closing_a_stream_ends_a_command_that_reads(host: Host) -> None:
    stream = start(host, ("sh", "-c", "echo $$; cat; :"))
    pid = int(stream.read_line(5))
    stream.close()
    gone = ("sh", "-c", f"for i in $(seq 100); do kill -0 {pid} 2>&- || exit 0; sleep 0.05; done; exit 1")
    assert run(host, gone).exit_code == 0


def test_the_host_tells_both_ends_of_the_session(host: Host, sshd: SshServer) -> None:
    ends = peer(host)
    assert (str(ends.client), str(ends.server), ends.server_port) == ("127.0.0.1", "127.0.0.1", sshd.port)
    stream = session(host).stream
    assert stream is not None
    assert stream.socket.getsockname() == ("127.0.0.1", ends.client_port)


def test_proofs_use_connections_of_their_own(host: Host) -> None:
    before = peer(host)
    assert 0 < reconnect_proof(host, 10) < 10
    local = tcp_banner(host, 5)
    assert local is not None
    assert local[0] == "127.0.0.1"
    assert local[1] != before.client_port
    assert peer(host) == before


def test_a_broken_connection_is_opened_again(host: Host) -> None:
    before = peer(host)
    stream = session(host).stream
    assert stream is not None
    stream.cut()
    again = peer(host)
    assert again.client_port != before.client_port


def test_a_connection_that_broke_and_is_not_known_to_have_is_let_go_of(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing a channel sends word of it: over a connection that broke a moment ago that fails, and is no news."""
    stream = session(host).stream
    assert stream is not None

    def close(_channel: Channel) -> None:
        raise EOFError

    monkeypatch.setattr("paramiko.Channel.close", close)
    threading.Timer(0.5, stream.cut).start()
    with pytest.raises(Unreachable, match=r"h-1: the connection broke during `sleep 5`"):
        run(host, ("sleep", "5"), timeout=10)
    monkeypatch.undo()
    assert run(host, ("true",)).exit_code == 0


def test_a_connection_that_another_thread_closes_meanwhile_is_unreachable(host: Host) -> None:
    class Closing:
        """A session whose client goes away between two looks at it."""

        looks = 0

        @property
        def remote_conn_pre(self) -> SSHClient | None:
            self.looks += 1
            return SSHClient() if self.looks == 1 else None

    with pytest.raises(Unreachable, match="h-1: the connection broke: the connection is closed"):
        open_channel(host.name, cast(HostSession, Closing()), 1.0)


def test_a_connection_lost_midway_is_no_exit_code(tmp_path: Path, second_sshd: SshServer) -> None:
    site = write_site(
        tmp_path / "site", {"h-9": second_sshd.port}, {second_sshd.port: second_sshd.host_key}, second_sshd.login_key
    )
    lost = inventory(site).inventory.hosts["h-9"]
    with pytest.raises(Unreachable, match=r"h-9: the connection broke during"):
        run(lost, ("sh", "-c", "kill -9 $PPID; sleep 5"), timeout=10)
