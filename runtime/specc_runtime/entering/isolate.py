"""Cut this process off the network, with loopback left up.

Works as root, and as a user where the kernel allows user namespaces. Must run while the process
has one thread. Refusals are an answer: the caller records "not isolated".
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from typing import Optional

_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS = 0x8913  # linux/sockios.h
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
_libc = ctypes.CDLL(None, use_errno=True)


def cut_network() -> Optional[str]:
    """Enter a network of its own. Returns None, or why that was refused."""
    user, group = os.getuid(), os.getgid()
    if user == 0 and _libc.unshare(_CLONE_NEWNET) == 0:
        return _loopback_up()
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return f"unshare: {os.strerror(ctypes.get_errno())}"
    try:
        # a group map may only be written once setgroups is denied
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return _loopback_up()


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _loopback_up() -> Optional[str]:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            request = struct.pack("16sh", b"lo", 0)
            flags = struct.unpack("16sh", fcntl.ioctl(link, _SIOCGIFFLAGS, request))[1]
            fcntl.ioctl(link, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", flags | _IFF_UP))
    except OSError as error:
        return f"loopback stays down: {error.strerror}"
    return None
