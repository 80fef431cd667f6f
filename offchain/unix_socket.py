"""Local stream sockets between two of our processes: who is at the other end, and whole frames.

A socket file has mode 0600 (0660 where a group is to reach it), and the peer is known by what the
kernel says of it, by nothing that it says itself. A frame is four bytes of length and so many bytes
(`streaming.framing`).
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import trio

from streaming.framing import HEADER_BYTES, body_length

_UCRED: Final = struct.Struct("3i")
_SO_PEERGROUPS: Final = 59
_GROUPS_BYTES_MAX: Final = 1_024


class SocketInUse(Exception):
    """Another process answers on the socket's path."""


class SocketGroupRefused(Exception):
    """The socket cannot be given to another group. The message says what helps."""


class PeerGone(Exception):
    """The other side closed the connection, or broke its rules."""


# --- frames ----------------------------------------------------------------------------


async def read_frame(stream: trio.SocketStream) -> bytes:
    """Read the body of one frame. Raises PeerGone and FrameTooLarge."""
    return await _exactly(stream, body_length(await _exactly(stream, HEADER_BYTES)))


async def _exactly(stream: trio.SocketStream, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        part = await stream.receive_some(length - len(received))
        if not part:
            raise PeerGone("it closed the connection")
        received += part
    return bytes(received)


# --- the other end ---------------------------------------------------------------------


def peer_of(stream: trio.SocketStream) -> tuple[int, int]:
    """Give the process at the other end, and the user that it runs as (SO_PEERCRED)."""
    process, user, _ = _credentials(stream)
    return process, user


def groups_of(stream: trio.SocketStream) -> frozenset[int]:
    """Give the groups of the process at the other end: its own, and those beside it.

    Of a process in more than 256 groups, its own alone.
    """
    own = _credentials(stream)[2]
    try:
        more = stream.socket.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES_MAX)
    except OSError:
        return frozenset({own})
    return frozenset({own, *struct.unpack(f"{len(more) // 4}I", more)})


def _credentials(stream: trio.SocketStream) -> tuple[int, int, int]:
    raw = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    process, user, group = _UCRED.unpack(raw)
    return int(process), int(user), int(group)


# --- listening -------------------------------------------------------------------------


@asynccontextmanager
async def listening(path: Path, group: int | None = None) -> AsyncIterator[trio.SocketListener]:
    """Listen on a unix socket, readable by its owner alone, and remove it at the end.

    With `group` that group's members may connect, too. Raises SocketInUse, SocketGroupRefused, and
    OSError where the path cannot be used.
    """
    if _left_behind(path):
        with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM) as probe:
            try:
                await probe.connect(str(path))
            except OSError:
                _remove(path)
            else:
                raise SocketInUse(
                    f"another process listens on {path}: stop it, or give this relayer another "
                    "--socket"
                )
    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_STREAM) as sock:
        await sock.bind(str(path))
        inode = _private(path, group)  # before `listen`, so nobody has connected yet
        sock.listen(8)
        try:
            yield trio.SocketListener(sock)
        finally:
            _remove(path, inode)


def _left_behind(path: Path) -> bool:
    """Tell whether a socket is there; anything else is left alone. Raises SocketInUse."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(mode):
        raise SocketInUse(f"{path} is there and is no socket: name another --socket")
    return True


def _private(path: Path, group: int | None) -> int:
    path.chmod(0o600)
    if group is not None:
        try:
            os.chown(path, -1, group)
        except PermissionError:
            raise SocketGroupRefused(
                f"{path} cannot be given to the media server's group {group}: make this user a "
                "member of it"
            ) from None
        path.chmod(0o660)
    return path.stat().st_ino


def _remove(path: Path, inode: int | None = None) -> None:
    """Remove a socket, unless another process has put its own in the place."""
    with suppress(FileNotFoundError):
        if inode is None or path.stat().st_ino == inode:
            path.unlink()
