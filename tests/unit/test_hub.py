"""A model hub's repository is fetched at one commit; the hub is a server on loopback."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from bundling import a_spec

from specc.lock import lock_inputs
from specc.locking.store import Store
from specc.model import Json
from specc.problems import SpecInvalid

FILES = {"config.json": b"{}", "sub dir/weights.bin": b"w" * 3_000_000, "../evil": b"no"}


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does for one repository."""

    asked: list[str]
    broken = False

    def do_GET(self) -> None:
        self.asked.append(f"{self.path} {self.headers.get('Authorization')}")
        base = "/me/model/resolve/abc123/"
        if self.path == "/api/models/me/model/revision/main":
            siblings = [{"rfilename": name} for name in FILES]
            self._answer(json.dumps({"sha": "abc123", "siblings": siblings}).encode())
        elif self.path == "/api/models/me/text/revision/main":
            self._answer(b"<html>")
        elif self.path.startswith(base):
            self._answer(FILES[self.path.removeprefix(base).replace("%20", " ")])
        else:
            self.send_error(404)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:-1] if self.broken and len(body) > 1000 else body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    class Own(Hub):
        asked: list[str] = []  # noqa: RUF012 (one list per server)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield Own
    server.shutdown()
    thread.join()
    server.server_close()


def fetched(root: Path, **source: Json) -> Json:
    source = {"hub": "me/model", "revision": "main", **source}
    return lock_inputs(a_spec(root, inputs=[{"name": "model", "source": source}]), None)


def refusal(root: Path, **source: Json) -> str:
    with pytest.raises(SpecInvalid) as caught:
        fetched(root, **source)
    assert caught.value.problems[0].code == "E431"
    return caught.value.problems[0].message


def test_a_repository_is_fetched_with_its_commit_and_hashes(tmp_path: Path, hub: type[Hub]) -> None:
    locked = fetched(tmp_path).inputs["model"]
    assert locked.origin == {"commit": "abc123"}
    assert {f.path: f.sha256 for f in locked.files} == {
        name: hashlib.sha256(FILES[name]).hexdigest()
        for name in ("config.json", "sub dir/weights.bin")
    }
    assert all(Store().is_sound(f.sha256) for f in locked.files)


def test_one_file_or_folder_can_be_named(tmp_path: Path, hub: type[Hub]) -> None:
    one = fetched(tmp_path, path="config.json").inputs["model"]
    assert (one.folder, [f.path for f in one.files]) == (False, ["config.json"])
    folder = fetched(tmp_path, path="sub dir").inputs["model"]
    assert (folder.folder, [f.path for f in folder.files]) == (True, ["weights.bin"])


def test_the_token_goes_with_the_request_and_not_into_the_lock(
    tmp_path: Path, hub: type[Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    lock = fetched(tmp_path, path="config.json")
    assert hub.asked[0].endswith("Bearer secret")
    assert "secret" not in repr(lock)


def test_what_is_not_there_is_said(tmp_path: Path, hub: type[Hub]) -> None:
    assert "404 not found" in refusal(tmp_path, hub="me/other")
    assert "it holds ../evil, config.json" in refusal(tmp_path, path="nothing")
    assert "is not JSON" in refusal(tmp_path, hub="me/text")


def test_a_cut_off_file_is_not_taken(tmp_path: Path, hub: type[Hub]) -> None:
    hub.broken = True
    assert "2999999" in refusal(tmp_path) or "IncompleteRead" in refusal(tmp_path)


def test_no_hub_is_said(tmp_path: Path, hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "the hub does not answer" in refusal(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc")
    assert "must start with https://" in refusal(tmp_path)
