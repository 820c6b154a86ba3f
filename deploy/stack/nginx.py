"""nginx in front of ccs: TLS on one loopback port, rendered from the templates in nginx/."""
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from . import ports
from .ccs import worker_account
from .ports import HOST
from .proc import Process, StackError, wait_until

_TEMPLATES = Path(__file__).resolve().parents[2] / "nginx"


class Nginx:
    """nginx for one ccs. port is where it listens, or None until start() has chosen one."""

    def __init__(self, folder, ccs, port):
        self.folder = Path(folder) / "nginx"
        self.ccs = ccs
        self.port = port
        self._conf = self.folder / "nginx.conf"
        self._values = {}  # of ccs.conf.in
        self.process = Process("nginx", marker=str(self._conf), pid_file=self.folder / "pid",
                               log=ccs.log_dir / "nginx.log")

    def configure(self, certs, **more):
        """Chooses the port and writes the configuration, with more of the template's values. ccs must
        be configured."""
        self.folder.mkdir(mode=0o755)
        self._take_port()
        routes = self.folder / "routes.conf"
        routes.write_text(self.ccs.print_nginx())
        docs = self.folder / "docs.conf"
        self._render("docs.conf.in", docs, WEB_DIR=self._copy_pages())
        self._values = {"LISTEN": f"{HOST}:{self.port}", "SERVER_NAME": "localhost",
                        "CERTIFICATE": certs.cert, "CERTIFICATE_KEY": certs.key,
                        "LOG_DIR": self.ccs.log_dir, "ROUTES": routes, "DOCS": docs, **more}
        self._render("ccs.conf.in", self.folder / "ccs.conf", **self._values)
        self._render("nginx.conf.in", self._conf, DIR=self.folder, LOG_DIR=self.ccs.log_dir,
                     CCS_CONF=self.folder / "ccs.conf", USER=worker_account() or "")

    def start(self, *, seconds=15):
        lease = self._take_port()
        self.process.start([_program(), "-p", self.folder, "-c", self._conf, "-g", "daemon off;"],
                           keep_fds=[lease.fd])
        self.process.wait_ready(lambda: ports.is_bound(self.port, socket.SOCK_STREAM),
                                seconds=seconds)

    def reload(self):
        """Takes over what has changed in the configuration of ccs; for whoever has called configure()."""
        self._render("ccs.conf.in", self.folder / "ccs.conf", **self._values)
        self.process.send(signal.SIGHUP)

    def stop(self) -> bool:
        return self.process.stop()

    def down(self) -> bool:
        """Stops it for good: its port is anybody's."""
        ran = self.stop()
        ports.release(self.folder)
        return ran

    def kill(self) -> bool:
        """kill -9 of all of it: workers outlive their master and would keep the port."""
        pid = self.process.pid()
        if pid:
            os.killpg(pid, signal.SIGKILL)
            wait_until(lambda: not self.process.pid() and ports.is_free(self.port),
                       seconds=10, what="nginx is dead")
        return pid is not None

    def _take_port(self) -> ports.Lease:
        lease = ports.kept(self.folder)
        if self.port is None:
            self.port = lease.port()
        else:
            lease.again(self.port)
        if not ports.is_free(self.port, (socket.SOCK_STREAM,)):
            raise StackError(f"port {self.port} is in use")
        return lease

    def _copy_pages(self) -> Path:
        """What nginx serves itself: it may not be able to enter the folder of the programs."""
        return shutil.copytree(self.ccs.programs / "web", self.folder / "web")

    def _render(self, template, target, **values):
        done = subprocess.run(
            [_TEMPLATES / "render", _TEMPLATES / template, "-",
             *(f"{name}={value}" for name, value in values.items())],
            input=self.ccs.nginx_values(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"{template} cannot be filled in: {done.stderr.strip()}")
        target.write_text(done.stdout)


def _program():
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not found:
        raise StackError("there is no nginx: install Debian's package nginx-light")
    return found
