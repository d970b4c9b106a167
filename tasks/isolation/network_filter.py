"""On Linux: the kernel refuses network sockets to this thread and to all that it starts, for good.

A seccomp filter, which needs no rights: `socket` gives EACCES for every family but local ones (AF_UNIX, AF_NETLINK),
and what would get round it is refused, too (io_uring, which opens sockets by itself; taking over another process's
descriptors; the system calls of other architectures). It holds for native code as well: for pyarrow's own S3 client,
for ctypes, and for every program that the process starts. Connections that exist already go on working.

Threads that ran before keep what they could do, which is how a child reaches its broker (tasks.broker.dialer).

`python -m tasks.isolation.network_filter` says in one line of JSON what holds on this machine.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import struct
import sys

#: Why there is no filter, where there is none.
_NOT_LINUX = "only Linux has seccomp"

# linux/seccomp.h, linux/prctl.h, linux/filter.h
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
# offsets in struct seccomp_data
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16

_EPERM, _EACCES, _ENOSYS = 1, 13, 38
_X32 = 0x40000000

#: Families that reach no other machine: none, AF_UNIX, AF_NETLINK (the kernel), AF_ALG (its ciphers).
_LOCAL = (0, 1, 16, 38)
#: machine -> (audit architecture, number of socket); io_uring_setup and pidfd_getfd are the same everywhere
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_IO_URING_SETUP, _PIDFD_GETFD = 425, 438


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def install() -> str:
    """Put the filter in place for this thread and what it starts; "" when it holds, else why not.

    Cannot be undone. Threads that were started before are not bound by it.
    """
    if sys.platform != "linux":
        return _NOT_LINUX
    machine = platform.machine()
    if machine not in _MACHINES:
        return f"no filter is written for {machine}"
    code = _assembled(*_MACHINES[machine])
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return f"the kernel refuses no_new_privs ({os.strerror(ctypes.get_errno())})"
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0):
        return f"the kernel refuses a seccomp filter ({os.strerror(ctypes.get_errno())})"
    return ""


def _assembled(architecture: int, socket_number: int) -> bytes:
    """The filter in the kernel's BPF."""
    refused = {_IO_URING_SETUP: _ENOSYS, _PIDFD_GETFD: _EPERM}
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _ERRNO | _EPERM),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _ERRNO | _EPERM),
    ]
    for number, errno in refused.items():
        code += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno)]
    code += [(_JUMP_EQUAL, 1, 0, socket_number), (_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
    for family in _LOCAL:
        code += [(_JUMP_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW)]
    code.append((_RETURN, 0, 0, _ERRNO | _EACCES))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def enforced() -> dict[str, str]:
    """What holds in children on this machine, tried out in this process: its own network is gone afterwards.

    `by`: "seccomp" or "audit hooks"; `why`: why it is not seccomp; `sentence`: what is promised.
    """
    why = install()
    if not why:
        sentence = "the kernel refuses network sockets to back-tests, native code and programs they start included"
        return {"by": "seccomp", "why": "", "sentence": sentence}
    sentence = (
        "Python's audit hooks refuse connections, name look-ups, starting programs and native file systems; native "
        "code that opens sockets by itself is not seen"
    )
    return {"by": "audit hooks", "why": why, "sentence": sentence}


def main() -> int:
    """Say what holds, as one line of JSON."""
    print(json.dumps(enforced()))  # noqa: T201  a command's answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
