"""The three pipes of a child process, each with its own thread, so that nobody ever blocks on one."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from .child import spawn_options
from .framing import FrameReader, ProtocolError, decode

_CHUNK = 1 << 16
_LONGEST_LINE = 4096


class Pipes:
    """A running child whose messages arrive in ``inbox``.

    Items of ``inbox``: ``("message", dict)``, ``("garbage", ProtocolError)``, ``("end", None)``; nothing
    follows one of the last two. Raises ``OSError`` where the program cannot be started.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: str | None) -> None:
        self.inbox: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.last_heard = time.monotonic()
        self._died_at: float | None = None
        self._outbox: queue.Queue[bytes | None] = queue.Queue()
        self._lines: deque[str] = deque(maxlen=200)
        self.process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=dict(env),
            cwd=cwd,
            **spawn_options(),
        )
        targets = (self._read, self._read_errors, self._write)
        self._threads = [
            threading.Thread(target=target, name=f"understudy{target.__name__}", daemon=True)
            for target in targets
        ]
        for thread in self._threads:
            thread.start()

    def send(self, frame: bytes) -> None:
        """Queue one frame for the child's stdin."""
        self._outbox.put(frame)

    def stderr_tail(self) -> list[str]:
        """The last lines of the child's stderr, undecodable bytes replaced."""
        return list(self._lines)

    def dead_for(self) -> float:
        """Seconds since the child was first seen dead; 0 while it lives."""
        if self.process.poll() is None:
            return 0.0
        if self._died_at is None:
            self._died_at = time.monotonic()
        return time.monotonic() - self._died_at

    def exit_words(self) -> str:
        """How the child ended: ``exit code 1``, ``signal 9``."""
        code = self.process.poll()
        if code is None:
            return "it closed its output"
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """End the child at once. Its threads end with its pipes."""
        with contextlib.suppress(OSError):
            self.process.kill()
        self._outbox.put(None)

    def close(self, goodbye: bytes | None, timeout: float) -> None:
        """End the child, in at most about ``timeout`` seconds, and everything that belongs to it."""
        if goodbye is not None:
            self._outbox.put(goodbye)
        self._outbox.put(None)  # closes its stdin: a healthy child ends by that alone
        for end in (lambda: None, self.process.terminate, self.process.kill):
            with contextlib.suppress(OSError):
                end()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=timeout / 3)
                break
        for thread in self._threads:
            thread.join(timeout=0.5)
        if not any(thread.is_alive() for thread in self._threads):
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        frames = FrameReader()
        try:
            while chunk := self.process.stdout.read(_CHUNK):
                for body in frames.feed(chunk):
                    message = decode(body)
                    self.last_heard = time.monotonic()
                    self.inbox.put(("message", message))
                if frames.error is not None:
                    raise frames.error
        except ProtocolError as error:
            self.inbox.put(("garbage", error))
            return
        except (OSError, ValueError):
            pass
        # The exit code and the last words make the message that the user will read: wait for both a moment.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=1.0)
        self._threads[1].join(timeout=1.0)
        self.inbox.put(("end", None))

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        rest = b""
        with contextlib.suppress(OSError, ValueError):
            while chunk := self.process.stderr.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._keep(line)
                rest = rest[-_LONGEST_LINE:]
        self._keep(rest)

    def _keep(self, line: bytes) -> None:
        text = line[-_LONGEST_LINE:].decode("utf-8", errors="replace").rstrip("\r")
        if text:
            self._lines.append(text)

    def _write(self) -> None:
        stdin = self.process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError, ValueError):  # a dead child is noticed by its stdout
            while (frame := self._outbox.get()) is not None:
                view = memoryview(frame)
                while view:
                    view = view[stdin.write(view) :]
        with contextlib.suppress(OSError):
            stdin.close()
