"""
Servers are asked again for a while, never without TLS unless somebody said so, and are told nothing that is not theirs.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from model.errors import BundleError, SourceUnreachable
from remote.upstream.client import MAX_TEXT, Client, RetryPolicy
from remote.upstream.registry import Registries
from tests.remote.authority import Authority
from tests.upstream.web import Web, serving

QUICK = RetryPolicy(tries=3, pause=0.0, connect=2.0, silence=2.0)


@pytest.fixture
def client() -> Client:
    return Client(frozenset({"127.0.0.1"}), QUICK)


def test_a_busy_server_is_asked_again(web: Web, client: Client) -> None:
    address = web.put("/file", b"content")
    web.busy["/file"] = 2
    assert client.text(address)[0] == b"content"


def test_a_server_that_stays_busy_is_unreachable(web: Web, client: Client) -> None:
    address = web.put("/file", b"content")
    web.busy["/file"] = 9
    with pytest.raises(SourceUnreachable, match="/file: HTTP 503"):
        client.text(address)


def test_nobody_there_is_unreachable(client: Client) -> None:
    with serving() as gone:
        address = gone.put("/file", b"")
    with pytest.raises(SourceUnreachable, match="/file: ") as raised:
        client.text(address)
    assert "HTTPS_PROXY" in raised.value.next_step


def test_a_line_that_breaks_is_tried_again(web: Web, client: Client) -> None:
    address = web.put("/file", b"content")
    web.cut["/file"] = [3, 0]
    assert client.text(address)[0] == b"content"


def test_what_is_not_there_is_wrong_at_once(web: Web, client: Client) -> None:
    with pytest.raises(BundleError, match="/nowhere: HTTP 404"):
        client.text(f"{web.address}/nowhere")


def test_without_tls_only_where_the_sources_say_so(web: Web) -> None:
    address = web.put("/file", b"content")
    with pytest.raises(BundleError, match="http is no way") as raised:
        Client(retry=QUICK).text(address)
    assert "plain_http" in raised.value.next_step
    assert web.asked == []


def test_a_redirection_out_of_tls_is_refused(web: Web, client: Client) -> None:
    web.moved["/file"] = "http://localhost:1/elsewhere"
    with pytest.raises(BundleError, match=r"redirected to http://localhost:1/elsewhere"):
        client.text(f"{web.address}/file")


def test_redirections_end_somewhere(web: Web, client: Client) -> None:
    web.moved["/file"] = "/file"
    with pytest.raises(BundleError, match="redirected more than"):
        client.text(f"{web.address}/file")


def test_a_token_is_not_shown_to_whom_a_registry_redirects_to(web: Web, client: Client) -> None:
    with serving() as store:
        web.image("pause", "3")
        remote = Registries(client, {"registry.test": web.address}).look("registry.test/pause", "3", "amd64")
        digest = remote.parts[0][1]
        web.moved[f"/v2/pause/blobs/{digest}"] = store.put("/stored", b"{}")
        client.text(f"{remote.address}/blobs/{digest}", door=remote.door)
        assert ("/stored", "") in store.authorizations


def test_an_endless_answer_is_cut_off(web: Web, client: Client) -> None:
    with pytest.raises(BundleError, match="more than 8 MiB"):
        client.text(web.put("/file", bytes(MAX_TEXT + 1)))


def test_the_proxy_of_the_environment_is_asked(web: Web, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", web.address)
    web.files["http://127.0.0.1:9/file"] = b"by the proxy"
    assert client.text("http://127.0.0.1:9/file")[0] == b"by the proxy"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(SourceUnreachable):
        client.text("http://127.0.0.1:9/file")


@pytest.mark.parametrize("proxy", ["socks5://somebody:secret@127.0.0.1:9", "nonsense://127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    client: Client, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(BundleError, match=r"the proxy \w+://127\.0\.0\.1:9 cannot be used") as raised:
        client.text("http://127.0.0.1:9/file")
    assert "secret" not in str(raised.value)


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server with a certificate of an authority of its own: its address and the authority's file."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server", "127.0.0.1", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    (tmp_path / "file").write_text("content")

    class RedirectingHandler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), lambda *given: RedirectingHandler(*given, directory=str(tmp_path)))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}/file", authority.path
    server.shutdown()
    server.server_close()


def test_an_authority_that_nobody_trusts_is_refused(secure: tuple[str, Path]) -> None:
    with pytest.raises(SourceUnreachable, match="certificate verify failed"):
        Client(retry=QUICK).text(secure[0])


def test_the_machine_says_which_authorities_count(secure: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secure[1]))
    assert Client(retry=QUICK).text(secure[0])[0] == b"content"
