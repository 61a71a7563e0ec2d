"""Holds one thread of a process still while the others go on: what a core looks like that is stuck.

  with stopped_thread(pid, "rte-worker-1"): ...

The process must be a child's, or this one root.
"""
import contextlib
import ctypes
import os
import pathlib
import signal

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WAIT_ALL_KINDS = 0x40000000  # __WALL: threads are no children

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long

KEEPER = "rte-worker-1"
FIRST_LANE = "rte-worker-2"


def ptrace(request, tid):
    if libc.ptrace(request, tid, None, None) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace {request:#x} of thread {tid}: {os.strerror(number)}")


def thread_of(pid, name):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise LookupError(f"process {pid} has no thread {name}")


@contextlib.contextmanager
def stopped_thread(pid, name):
    tid = thread_of(pid, name)
    ptrace(PTRACE_SEIZE, tid)
    ptrace(PTRACE_INTERRUPT, tid)
    _, status = os.waitpid(tid, WAIT_ALL_KINDS)
    if not os.WIFSTOPPED(status) or os.WSTOPSIG(status) not in (signal.SIGTRAP, signal.SIGSTOP):
        raise RuntimeError(f"thread {tid} did not stop: {status:#x}")
    try:
        yield tid
    finally:
        ptrace(PTRACE_DETACH, tid)
