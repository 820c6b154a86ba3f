"""Free loopback ports for several stacks side by side.

A port is leased, not merely found free: byte P of one lock file stands for port P, and a lease is
an open file description lock on the bytes of its ports. The server inherits the descriptor, so the
lease ends when the last process that holds it ends, however it ends, and nothing is ever left to
clean up. That matters most for the ports a server binds only later, such as those for RTP.

Who starts a server that is to come back to its ports after an end keeps the lease, too, by kept().

Leased ports lie below the range from which the kernel picks ports for outgoing connections.
"""
import errno
import fcntl
import os
import random
import socket
import struct
from pathlib import Path

from .proc import StackError

HOST = "127.0.0.1"
LOCK_FILE = "/tmp/ccs-ports.lock"
LOWEST = 10_000


def _highest() -> int:
    """One past the last port to lease."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as setting:
            first_ephemeral = int(setting.read().split()[0])
    except OSError:
        first_ephemeral = 32_768
    # A machine that lends nearly all ports to outgoing connections: take the usual range anyway.
    return first_ephemeral if first_ephemeral >= 2 * LOWEST else 32_768


def _open_lock_file() -> int:
    # Without O_CREAT first: in a sticky folder the kernel may refuse it for another user's file.
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(LOCK_FILE, flags)
    except FileNotFoundError:
        fd = os.open(LOCK_FILE, flags | os.O_CREAT, 0o666)
        if os.fstat(fd).st_uid == os.geteuid():
            os.fchmod(fd, 0o666)  # the umask may have taken the bits away
        return fd


def is_free(port, kinds=(socket.SOCK_STREAM, socket.SOCK_DGRAM)) -> bool:
    """Can a server bind this port now, for TCP and UDP alike?"""
    for kind in kinds:
        with socket.socket(socket.AF_INET, kind) as sock:
            if kind == socket.SOCK_STREAM:  # as servers do: what is left of old connections is no obstacle
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((HOST, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
                raise
    return True


def is_bound(port, kind) -> bool:
    """Has somebody bound it? A TCP server may still not listen: connect() says that."""
    return not is_free(port, (kind,))


_kept: dict[str, "Lease"] = {}


def kept(folder) -> "Lease":
    """The lease of the server in this folder. It stays open in this process until release(): while the
    server is down, nobody else gets its ports."""
    folder = str(folder)
    if folder not in _kept:
        _kept[folder] = Lease()
    return _kept[folder]


def release(folder):
    """Ends what kept() has made for this folder and those below it, for who has stopped these servers for good."""
    for held in [held for held in _kept if Path(held).is_relative_to(folder)]:
        _kept.pop(held).close()


class Lease:
    """The ports of one server. Give .fd to it (Process.start keep_fds), then close ours."""

    def __init__(self):
        self.fd = _open_lock_file()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends our part of the lease; a server that inherited .fd goes on holding it."""
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def port(self) -> int:
        """One port, free for TCP and UDP."""
        return self.block(1)[0]

    def block(self, count) -> range:
        """That many neighbouring ports, all free, from an even one on."""
        size = count + count % 2
        starts = range(LOWEST, _highest() - size, size)
        # From a random start: a port just given back may still get packets for its last owner.
        skip = random.randrange(len(starts))
        for start in (*starts[skip:], *starts[:skip]):
            if not self._lock(start, count):
                continue
            if all(is_free(port) for port in range(start, start + count)):
                return range(start, start + count)
            self._unlock(start, count)
        raise StackError(f"no {count} free neighbouring ports from {LOWEST} to {_highest()}")

    def again(self, start, count=1):
        """Leases these ports anew, for a server that comes back to them after its end. Of what this lease
        holds already it makes sure."""
        if not self._lock(start, count):
            raise StackError(f"port {start} is in the hands of another stack by now")

    def _lock(self, start, count) -> bool:
        try:
            self._set(fcntl.F_WRLCK, start, count)
        except BlockingIOError:
            return False
        return True

    def _unlock(self, start, count):
        self._set(fcntl.F_UNLCK, start, count)

    def _set(self, kind, start, count):
        # struct flock of 64-bit Linux: type, whence, start, length, pid (0 for this sort of lock)
        fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK,
                    struct.pack("hhqqi4x", kind, os.SEEK_SET, start, count, 0))
