"""A line of JSON messages between the leader of a wide task and the node it runs on, over TCP.

Both ends prove that they know the launch's secret before either believes a word: what a leader
sends is code to run. A machine that vanishes is noticed by the kernel's own probes within 25 s.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
import socket
import time
from typing import Any, Dict, List, Optional, Sequence

_PATIENCE_S = 30.0
"""How long one message may take on its way."""
_KNOCK_S = 10.0
_BLOCK = 1 << 16
_LONGEST_GREETING = 4096

Message = Dict[str, Any]


class LinkLost(Exception):
    """The other end is gone, or not who it should be."""


class Link:
    """One end of an open line."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = b""
        self._waiting: List[Message] = []
        connection.settimeout(_PATIENCE_S)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, seconds in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 25_000)

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def peer(self) -> str:
        """Address of the other end."""
        return str(self._socket.getpeername()[0])

    def send(self, **message: Any) -> None:
        """Raises LinkLost."""
        try:
            self._socket.sendall(json.dumps(message, default=str).encode() + b"\n")
        except OSError as error:
            raise LinkLost(str(error)) from error

    def receive(self) -> List[Message]:
        """Return the messages that are there; waits for a part of one. Raises LinkLost."""
        try:
            data = self._socket.recv(_BLOCK)
        except OSError as error:
            raise LinkLost(str(error)) from error
        if not data:
            raise LinkLost("the other end closed the line")
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def waiting(self) -> List[Message]:
        """Return the messages that arrived behind one that `next` gave out."""
        found, self._waiting = self._waiting, []
        return found

    def next(self) -> Message:
        """Wait for one message. Raises LinkLost."""
        while not self._waiting:
            self._waiting = self.receive()
        return self._waiting.pop(0)

    def ask(self, **message: Any) -> Message:
        """Send, and wait for the answer. Raises LinkLost."""
        self.send(**message)
        return self.next()

    def close(self) -> None:
        self._socket.close()


class Door:
    """Where the leader waits for its nodes."""

    def __init__(self, *, only_here: bool) -> None:
        """only_here: nobody from another machine can knock. Raises OSError."""
        self._secret = secrets.token_hex(32)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1" if only_here else "", 0))
        self._socket.listen(128)
        names = ["127.0.0.1"] if only_here else _own_names()
        self._key = {"addresses": names, "port": self._socket.getsockname()[1]}

    def fileno(self) -> int:
        return self._socket.fileno()

    def key(self) -> str:
        """Return what a node must be told to get in; it holds the secret."""
        return json.dumps({**self._key, "secret": self._secret})

    def admit(self) -> Optional[Link]:
        """Let in the one who knocks; None for a stranger."""
        connection, _ = self._socket.accept()
        connection.settimeout(_KNOCK_S)
        try:
            theirs = str(_read_line(connection)["nonce"])
            mine = secrets.token_hex(16)
            _write_line(connection, nonce=mine, proof=_proof(self._secret, "leader", theirs))
            proof = str(_read_line(connection)["proof"])
            if hmac.compare_digest(proof, _proof(self._secret, "node", mine)):
                return Link(connection)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        connection.close()
        return None

    def close(self) -> None:
        self._socket.close()


def knock(key: str) -> Link:
    """Reach the leader that gave this key. Raises LinkLost."""
    told = json.loads(key)
    complaints = []
    for address in told["addresses"]:
        try:
            connection = socket.create_connection((address, told["port"]), timeout=_KNOCK_S)
            mine = secrets.token_hex(16)
            _write_line(connection, nonce=mine)
            answer = _read_line(connection)
            if hmac.compare_digest(str(answer["proof"]), _proof(told["secret"], "leader", mine)):
                proof = _proof(told["secret"], "node", str(answer["nonce"]))
                _write_line(connection, proof=proof)
                return Link(connection)
            complaints.append(f"{address}: it does not know the secret")
            connection.close()
        except (OSError, ValueError, KeyError, TypeError) as error:
            complaints.append(f"{address}: {error}")
    raise LinkLost("the leader can't be reached: " + "; ".join(complaints))


def _own_names() -> List[str]:
    """List the names under which other nodes may know this one, the likeliest first."""
    names = [os.environ.get("SLURMD_NODENAME", ""), socket.gethostname(), socket.getfqdn()]
    with contextlib.suppress(OSError):
        names.extend(socket.gethostbyname_ex(socket.gethostname())[2])
    return list(dict.fromkeys(name for name in names if name))


def first_resolvable(names: Sequence[str]) -> Optional[str]:
    """Return the first name that is an address or has one."""
    for name in names:
        with contextlib.suppress(OSError):
            socket.getaddrinfo(name, None)
            return name
    return None


def _proof(secret: str, role: str, nonce: str) -> str:
    return hmac.new(secret.encode(), f"{role} {nonce}".encode(), "sha256").hexdigest()


def _write_line(connection: socket.socket, **message: str) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _read_line(connection: socket.socket) -> Message:
    """Read one short line; the other end may be anybody."""
    data = b""
    end = time.monotonic() + _KNOCK_S
    while not data.endswith(b"\n"):
        # byte by byte: nothing behind the line may be taken from the messages that follow
        part = connection.recv(1)
        if not part or len(data) > _LONGEST_GREETING or time.monotonic() > end:
            raise ValueError("no greeting")
        data += part
    value = json.loads(data)
    if not isinstance(value, dict):
        raise ValueError("no greeting")
    return value
