"""Real Asterisk servers on loopback: "our" servers ast1..astN, and the far end they call.

    asterisk.start(provision(), base, 2)        all up, or StackError and nothing left running
    asterisk.load(base)                         the same Rig again, in another process
    asterisk.stop(base)

Profile "pjsip" has a further Asterisk as far end, reached by SIP over UDP. Profile "local" needs no
UDP: every server plays the called party itself, through Local/ channels. The number plan is the
same (numbers.py).
"""
import dataclasses
import json
import math
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path

from . import cdr, numbers, ports
from .ports import HOST
from .proc import Process, StackError, last_lines

PROFILES = ("pjsip", "local")
AMI_USER = "ccs"
FAR_END = "farend"  # the far end's name, its endpoint on our servers, and its dialplan context
CONTEXT = "ccs-answered"

_HERE = Path(__file__).resolve().parent.parent / "asterisk"

# A Unix socket address has room for 108 bytes, the last one a NUL.
_SOCKET_PATH_MAX = 107

# RTP and RTCP of one call are two ports; Asterisk probes for free ones from a random start on, so
# some air keeps the search short.
_RTP_PORTS_PER_CALL = 3
_FILES_PER_CALL = 8

# Asterisk complains when one of these is missing, and needs nothing in it.
_NEEDED_BUT_EMPTY = ("acl.conf", "ccss.conf", "cel.conf", "features.conf", "pjproject.conf",
                     "udptl.conf")


@dataclass
class Server:
    """One Asterisk. What is None does not exist on it: the far end has no AMI, Local/ no SIP."""

    name: str
    host: str
    ami_port: int | None
    ami_tls_port: int | None  # AMI over TLS, when the rig was given a certificate
    ami_user: str | None
    ami_secret: str | None
    sip_port: int
    rtp_first: int
    rtp_last: int
    pid: int | None
    technology: str | None  # of the channel to dial: PJSIP or Local
    endpoint: str | None  # Channel: <technology>/<number>@<endpoint>
    context: str | None  # where an answered call goes on
    exten: str | None
    folder: str
    recording_dir: str
    cdr_file: str
    log_file: str
    max_calls: int

    @property
    def process(self) -> Process:
        return _process(Path(self.folder))

    def ports(self):
        """The single ports it listens on."""
        return [port for port in (self.ami_port, self.ami_tls_port, self.sip_port) if port]


@dataclass
class Rig:
    """All servers of one folder. servers are ours; far_end is None in profile local."""

    profile: str
    install: str
    version: str
    base: str
    servers: list[Server]
    far_end: Server | None

    def all(self) -> list[Server]:
        return self.servers + ([self.far_end] if self.far_end else [])

    def processes(self) -> dict[str, Process]:
        return {server.name: server.process for server in self.all()}

    def did(self, called) -> dict[str, str]:
        """number -> the disposition that ccs must report for it."""
        return {number: numbers.disposition_of(number) for number in called}

    def records_per_attempt(self) -> dict[str, int]:
        """attempt id -> how many call records Asterisk has written for it."""
        return {attempt: len(records) for attempt, records in cdr.by_attempt(self).items()}

    def server(self, name) -> Server:
        """By name, or by number from 1."""
        for index, server in enumerate(self.all(), 1):
            if name in (server.name, index, str(index)):
                return server
        raise StackError(f"no server {name}: there are "
                         + ", ".join(server.name for server in self.all()))

    def as_dict(self) -> dict:
        """As JSON has it; pid is that of the running process or null."""
        return dataclasses.asdict(self)


def provision(folder=None, *, suite=None, progress=None) -> Path:
    """The Asterisk tree to use, unpacked from Debian's packages when the cache has none."""
    argv = [str(_HERE / "provision")]
    argv += ["--suite", suite] if suite else []
    argv += [str(folder)] if folder else []
    said = []
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as child:
        for line in child.stderr:
            said.append(line.rstrip())
            if progress:
                progress(said[-1].removeprefix("asterisk: "))
        tree = child.stdout.read().strip()
    if child.returncode:
        raise StackError("no Asterisk could be provisioned\n" + "\n".join(said))
    return Path(tree)


def start(install, base, count, *, profile="pjsip", calls=120, tls=None, seconds=60,
          progress=None) -> Rig:
    """Starts count servers, each for up to that many simultaneous calls, and the far end.

    tls: certs.Certs to show on a second AMI port; None: there is none.
    """
    rig = _new_rig(install, base, count, profile)
    try:
        for name in [f"ast{i}" for i in range(1, count + 1)] + [FAR_END] * (profile == "pjsip"):
            _add_server(rig, name, calls, tls)
        _clear(rig.base)
        for server in rig.all():
            _configure(rig, server, tls)
        _save(rig)
        for server in rig.all():
            _launch(rig, server)
        for server in rig.all():
            _wait_booted(rig, server, seconds, progress)
        _save(rig)
    except BaseException:
        stop(base)
        raise
    return rig


def load(base) -> Rig:
    """The rig that was started in this folder, with the pids of what runs of it now."""
    try:
        stored = json.loads((Path(base) / "rig.json").read_text())
    except (OSError, ValueError) as error:
        raise StackError(f"no Asterisk servers were started in {base}: {error}") from None
    far_end = stored.pop("far_end")
    rig = Rig(**{**stored, "servers": [Server(**server) for server in stored["servers"]],
                 "far_end": Server(**far_end) if far_end else None})
    for server in rig.all():
        server.pid = server.process.pid()
    return rig


def stop(base) -> int:
    """Stops whatever runs of the servers in this folder; how many that were. Logs stay."""
    folders = [path.parent for path in Path(base).resolve().glob("*/pid")]
    processes = [_process(folder) for folder in folders]
    # The signal to all first: they take their time side by side.
    running = sum([process.send() for process in processes])
    for process in processes:
        process.stop()
    ports.release(Path(base).resolve())
    return running


def restart(rig, name, *, seconds=60, progress=None) -> Server:
    """Starts one server again, after its end, on the same ports and with the same files."""
    server = rig.server(name)
    lease = ports.kept(server.folder)
    for port in server.ports():
        lease.again(port)
    lease.again(server.rtp_first, server.rtp_last + 1 - server.rtp_first)
    _launch(rig, server)
    _wait_booted(rig, server, seconds, progress)
    _save(rig)
    return server


def cli(rig, name, command, *, seconds=30) -> str:
    """The answer of one server's console to a command."""
    server = rig.server(name)
    done = _console(rig, server, command, seconds)
    if done.returncode:
        raise StackError(f"{server.name} does not answer: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _new_rig(install, base, count, profile) -> Rig:
    install, base = Path(install).resolve(), Path(base).resolve()
    if profile not in PROFILES:
        raise StackError(f"profile is {profile!r}, not one of {', '.join(PROFILES)}")
    if count < 1:
        raise StackError(f"{count} servers: at least one is needed")
    if not (install / "layout").is_file():
        raise StackError(f"{install} holds no Asterisk: deploy/asterisk/provision makes it")
    longest = base / FAR_END / "run/asterisk.ctl"
    if len(os.fsencode(longest)) > _SOCKET_PATH_MAX:
        raise StackError(f"{longest} is too long for a Unix socket: use a folder with a path "
                         f"{len(os.fsencode(longest)) - _SOCKET_PATH_MAX} bytes shorter")
    for pid_file in base.glob("*/pid"):
        if _process(pid_file.parent).pid():
            raise StackError(f"servers are already running in {base}: stop them first")
    return Rig(profile, str(install), _layout(install)["version"], str(base), [], None)


def _layout(install) -> dict[str, str]:
    lines = (Path(install) / "layout").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def _add_server(rig, name, calls, tls):
    """Plans one server: its ports, secret and places."""
    is_far_end = name == FAR_END
    max_calls = calls * len(rig.servers) if is_far_end else calls
    folder = Path(rig.base) / name
    lease = ports.kept(folder)
    rtp = lease.block(_RTP_PORTS_PER_CALL * max_calls)
    server = Server(
        name=name, host=HOST, sip_port=lease.port(), rtp_first=rtp[0], rtp_last=rtp[-1], pid=None,
        ami_port=None if is_far_end else lease.port(),
        ami_tls_port=None if is_far_end or not tls else lease.port(),
        ami_user=None if is_far_end else AMI_USER,
        ami_secret=None if is_far_end else secrets.token_urlsafe(24),
        technology=None if is_far_end else "PJSIP" if rig.profile == "pjsip" else "Local",
        endpoint=None if is_far_end else FAR_END,
        context=None if is_far_end else CONTEXT,
        exten=None if is_far_end else "s",
        folder=str(folder), recording_dir=str(folder / "spool/recordings"),
        cdr_file=str(folder / "log/cdr-csv/Master.csv"), log_file=str(folder / "log/messages"),
        max_calls=max_calls)
    if is_far_end:
        rig.far_end = server
    else:
        rig.servers.append(server)


def _clear(base):
    """Removes what an earlier start left: its CDRs would be counted as those of this one."""
    for mark in ("etc/asterisk.conf", "log/cdr-csv"):  # the second is what a demo leaves
        for found in Path(base).glob(f"*/{mark}"):
            shutil.rmtree(found.parent.parent)


def _process(folder) -> Process:
    return Process(folder.name, marker=str(folder / "etc/asterisk.conf"),
                   pid_file=folder / "pid", log=folder / "log/console")


def _configure(rig, server, tls):
    folder = Path(server.folder)
    for name in ("etc", "run", "log/cdr-csv", "spool/recordings", "lib"):
        (folder / name).mkdir(parents=True)
    layout = _layout(rig.install)
    values = {
        **{key.upper(): value for key, value in dataclasses.asdict(server).items()},
        "TREE": rig.install, "MODULES": layout["modules"], "DATA": layout["data"],
        "FAREND_PORT": rig.far_end.sip_port if rig.far_end else 0,
        "MAX_FILES": 200 + _FILES_PER_CALL * server.max_calls,
        "TLS_ENABLED": "yes" if server.ami_tls_port else "no",
        "AMI_TLS_PORT": server.ami_tls_port or 0,
        "TLS_CERT": tls.cert if tls else "", "TLS_KEY": tls.key if tls else "",
    }
    role = "farend" if server is rig.far_end else "server"
    for template in [*_HERE.glob("etc/common/*.conf"), *_HERE.glob(f"etc/{role}/*.conf")]:
        text = re.sub("@([A-Z_]+)@", lambda match: str(values[match[1]]), template.read_text())
        target = folder / "etc" / template.name
        target.touch(0o600)  # manager.conf holds the secret
        target.write_text(text)
    _speak(folder / "sounds")
    shutil.copy(_HERE / "sample/extensions.conf", folder / "etc/answered.conf")
    for name in _NEEDED_BUT_EMPTY:
        (folder / "etc" / name).touch()


def _speak(folder):
    """What people say who can be heard (numbers.conf): voices for AMD(), a syllable before silence, and many without a pause."""
    folder.mkdir()
    for name, voice, silence in (("hello", 0.3, 2), ("greeting", 2.5, 0)):
        with wave.open(str(folder / f"{name}.wav"), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(b"".join(
                struct.pack("<h", int(9000 * math.sin(i / 5) * (1.5 + math.sin(i / 300)) / 2.5))
                for i in range(int(8000 * voice))) + bytes(2 * 8000 * silence))


def _launch(rig, server):
    conf = f"{server.folder}/etc/asterisk.conf"
    # -f: stay the process we started; the launcher replaces itself by the program.
    server.pid = server.process.start([f"{rig.install}/asterisk", "-f", "-C", conf],
                                      keep_fds=[ports.kept(server.folder).fd])


def _wait_booted(rig, server, seconds, progress):
    server.process.wait_ready(
        lambda: os.path.exists(f"{server.folder}/run/asterisk.ctl")
        and _console(rig, server, "core waitfullybooted", seconds).returncode == 0,
        seconds=seconds, logs=[server.log_file], progress=progress)
    # Asterisk boots on without a port it could not bind.
    missing = [port for port, kind in ((server.sip_port, socket.SOCK_DGRAM),
                                       (server.ami_port, socket.SOCK_STREAM),
                                       (server.ami_tls_port, socket.SOCK_STREAM))
               if port and not ports.is_bound(port, kind)]
    if missing:
        raise StackError(f"{server.name} has not bound port {missing[0]}\n  {server.log_file}:\n"
                         + last_lines(server.log_file))


def _console(rig, server, command, seconds):
    return subprocess.run(
        [f"{rig.install}/asterisk", "-C", f"{server.folder}/etc/asterisk.conf", "-rx", command],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False)


def _save(rig):
    """rig.json holds the AMI secrets, hence its mode; it is whole or not there."""
    path = Path(rig.base) / "rig.json"
    temporary = path.with_suffix(".new")
    temporary.touch(0o600)
    temporary.write_text(json.dumps(rig.as_dict(), indent=1) + "\n")
    temporary.replace(path)
