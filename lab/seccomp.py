"""What no process of a host may do, since it would change the whole machine: set its clock, its swap, its kernel."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator

# An architecture as the kernel's audit calls it, and its numbers of swapon, swapoff, kexec_load, kexec_file_load.
_CALLS = {
    0xC000003E: (167, 168, 246, 320),  # x86-64
    0x40000003: (87, 115, 283),  # x86, 32 bits
    0xC00000B7: (224, 225, 104, 294),  # aarch64
}
_SET_SECCOMP, _FILTER = 22, 2  # prctl(2)
_DROP_CAPABILITY, _SYS_TIME = 24, 25
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
_NUMBER, _ARCHITECTURE = 0, 4  # where struct seccomp_data has them
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM


def program() -> bytes:
    """
    Return the filter, as seccomp(2) has it: each call in the table ends with EPERM, every other one is let through.
    """
    lines = [(_LOAD, 0, 0, _ARCHITECTURE)]
    for architecture, numbers in _CALLS.items():
        # Past this architecture's block: the number's load, its comparisons, allow and refuse.
        lines.append((_JUMP_EQUAL, 0, len(numbers) + 3, architecture))
        lines.extend(_block(numbers))
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def _block(numbers: tuple[int, ...]) -> Iterator[tuple[int, int, int, int]]:
    yield (_LOAD, 0, 0, _NUMBER)
    for place, number in enumerate(numbers):
        yield (_JUMP_EQUAL, len(numbers) - place, 0, number)
    yield (_RETURN, 0, 0, _ALLOW)
    yield (_RETURN, 0, 0, _REFUSE)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def forbid() -> None:
    """
    Take it from this process, and from all that come from it, for good: the clock's capability at the next exec, the
    calls at once.

    Raises OSError when the kernel does not do so.
    """
    text = ctypes.create_string_buffer(program())
    whole = _Program((len(text) - 1) // 8, ctypes.cast(text, ctypes.c_void_p))
    _prctl(_DROP_CAPABILITY, _SYS_TIME, None)
    _prctl(_SET_SECCOMP, _FILTER, ctypes.byref(whole))


def _prctl(option: int, number: int, argument: object) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, number, argument, None, None):
        code = ctypes.get_errno()
        raise OSError(code, f"prctl: {os.strerror(code)}")
