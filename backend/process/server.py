"""The backend process: JSON-RPC on stdin and stdout, one worker, warm packs.

The main thread reads requests and answers the quick ones, so that a cancel is heard while a model works.
The process ends when its stdin ends: a parent that dies leaves nothing behind.
"""

from __future__ import annotations

import os
import platform
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from pydantic import BaseModel

from ... import __version__
from ..errors import JobFailed, UnderstudyError
from ..packs.finding import list_packs
from ..protocol import framing
from ..protocol.chat import ChatParams
from ..protocol.dialogue import DialogueParams
from ..protocol.framing import PROTOCOL_VERSION, FrameReader, ProtocolError
from ..protocol.library import DescribeParams, SearchParams
from ..protocol.messages import (
    CancelParams,
    DataInfo,
    EngineInfo,
    GenerateParams,
    InitializeParams,
    InitializeResult,
    PackInfo,
    Progress,
    ShutdownParams,
    parse,
)
from . import log, machine
from .log import logger
from .tasks import Params
from .worker import Job, LoadPipeline, Worker, load_shipped

_CHUNK = 1 << 16


class RequestError(UnderstudyError):
    """A message that breaks the protocol; ``code`` says how."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, hint="The two sides may be of different versions.")
        self.code = code


class Server:
    """Serves one client over two file descriptors.

    Args:
        source: file descriptor of the requests.
        sink: file descriptor of the answers.
        load: makes the pipeline of a pack; called in the worker's thread.
        log_file: named to the client so that it can show where to look.
    """

    def __init__(self, source: int, sink: int, load: LoadPipeline, log_file: str | None = None) -> None:
        self._source = source
        self._sink = sink
        self._log_file = log_file
        self._worker = Worker(load)
        self._write_lock = threading.Lock()
        self._greeted = False
        self._finished = False
        self._methods: dict[str, Callable[[int | str | None, Mapping[str, Any]], Any]] = {
            "initialize": self._initialize,
            "generate": self._work(GenerateParams),
            "describe": self._work(DescribeParams),
            "search": self._work(SearchParams),
            "dialogue": self._work(DialogueParams),
            "chat": self._work(ChatParams),
            "cancel": self._cancel,
            "shutdown": self._shutdown,
        }

    def run(self) -> int:
        """Serve until the client says goodbye or goes away; returns the exit code."""
        self._worker.start()
        frames = FrameReader()
        try:
            while not self._finished and (chunk := os.read(self._source, _CHUNK)):
                for body in frames.feed(chunk):
                    self._handle(body)
                    if self._finished:
                        break
                if frames.error is not None:
                    raise frames.error
        except ProtocolError as error:
            logger.error("%s", error.message)
            self._send(framing.error_response(None, error))
            return 2
        except OSError as error:
            logger.warning("The client is gone: %s", error)
        finally:
            self._worker.cancel_all()
        return 0

    # -- one message -----------------------------------------------------------------------------

    def _handle(self, body: bytes) -> None:
        number: int | str | None = None
        wants_answer = True
        try:
            message = framing.decode(body)
            if "method" not in message and ("result" in message or "error" in message):
                return  # an answer to something we never asked
            number, wants_answer = _number_of(message)
            result = self._dispatch(number, message)
        except UnderstudyError as error:
            if wants_answer:
                self._send(framing.error_response(number, error))
            else:
                logger.warning("A notification was refused: %s", error.message)
        except Exception as error:  # a fault of ours must not take the warm process down
            logger.exception("A request could not be handled")
            failure = JobFailed(
                f"The backend failed on this request: {error}", hint="The log has the details."
            )
            self._send(framing.error_response(number, failure))
        else:
            if result is not None and wants_answer:
                self._send(framing.response(number, result))

    def _dispatch(self, number: int | str | None, message: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result of a method, or None where the answer comes later."""
        name = message.get("method")
        if not isinstance(name, str) or message.get("jsonrpc") != "2.0":
            raise RequestError("invalid_request", "A message is not a JSON-RPC 2.0 request.")
        params = message.get("params", {})
        if not isinstance(params, dict):
            raise RequestError("invalid_request", f"The parameters of {name!r} must be named, not listed.")
        method = self._methods.get(name)
        if method is None:
            raise RequestError("unknown_method", f"This backend has no method {name!r}.")
        if not self._greeted and name not in ("initialize", "shutdown"):
            raise RequestError("invalid_request", "The first request must be 'initialize'.")
        return method(number, params)

    # -- methods ---------------------------------------------------------------------------------

    def _initialize(self, number: int | str | None, raw: Mapping[str, Any]) -> None:
        theirs = raw.get("protocol")
        if theirs != PROTOCOL_VERSION:  # before anything else: other versions may have other parameters
            raise RequestError(
                "version_mismatch",
                f"This backend speaks protocol {PROTOCOL_VERSION}, the client speaks protocol {theirs}.",
            )
        params = parse(InitializeParams, raw)
        self._greeted = True
        logger.info("Client %s connected", params.client or "without a name")
        description = InitializeResult(
            version=__version__,
            python=platform.python_version(),
            pid=os.getpid(),
            methods=list(self._methods),
            engines=[EngineInfo(name=name, version=version) for name, version in machine.engines().items()],
            devices=machine.devices(),
            packs=[
                PackInfo(
                    name=pack.name,
                    version=pack.version,
                    licence=pack.licence,
                    licence_note=pack.licence_note,
                    description=pack.description,
                    path=str(pack.path),
                    bytes=pack.size,
                    data=[DataInfo(**vars(data)) for data in pack.data],
                )
                for pack in list_packs()
            ],
            log_file=self._log_file,
        )
        if number is not None:
            self._send(framing.response(number, description.model_dump(mode="json")))
        if params.warm:  # after the answer: importing a model library holds every thread up
            self._worker.warm(params.pack, params.device, params.engine)

    def _work(self, model: type[Params]) -> Callable[[int | str | None, Mapping[str, Any]], None]:
        """A method whose requests the worker does, one after the other."""

        def queue(number: int | str | None, raw: Mapping[str, Any]) -> None:
            if number is None:
                raise RequestError("invalid_request", "A request without an id could not be answered.")
            params = parse(model, raw)

            def answer(outcome: BaseModel | UnderstudyError) -> None:
                if isinstance(outcome, UnderstudyError):
                    self._send(framing.error_response(number, outcome))
                else:
                    self._send(framing.response(number, outcome.model_dump(mode="json")))

            def report(progress: Progress) -> None:
                self._send(framing.notification("progress", progress.model_dump(mode="json")))

            self._worker.add(Job(number, params, answer, report))

        return queue

    def _cancel(self, number: int | str | None, raw: Mapping[str, Any]) -> dict[str, Any]:
        return {"found": self._worker.cancel(parse(CancelParams, raw).id)}

    def _shutdown(self, number: int | str | None, raw: Mapping[str, Any]) -> dict[str, Any]:
        parse(ShutdownParams, raw)
        self._finished = True
        return {}

    def _send(self, message: dict[str, Any]) -> None:
        try:
            frame = memoryview(framing.encode(message))
        except (TypeError, ValueError):  # meta of a clip that JSON does not know
            logger.exception("An answer could not be written as JSON")
            failure = JobFailed("The result could not be sent.", hint="The log has the details.")
            frame = memoryview(framing.encode(framing.error_response(message.get("id"), failure)))
        with self._write_lock:
            try:
                while frame:
                    frame = frame[os.write(self._sink, frame) :]
            except OSError:
                pass  # the client is gone; the reading side notices and ends the process


def _number_of(message: Mapping[str, Any]) -> tuple[int | str | None, bool]:
    """A request's id, and whether it wants an answer: one without an id is a notification."""
    if "id" not in message:
        return None, False
    number = message["id"]
    if type(number) not in (int, str):
        raise RequestError("invalid_request", "A request's id must be a whole number or a text.")
    return number, True


def claim_streams() -> tuple[int, int]:
    """Keep stdin and stdout for the protocol alone; returns their private file descriptors.

    From now on ``print`` and whatever a C library writes on stdout go to stderr, and nobody else can
    swallow a byte of the requests.
    """
    source, sink = os.dup(0), os.dup(1)
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (source, sink):
            msvcrt.setmode(descriptor, os.O_BINARY)
    sys.stdout.flush()
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return source, sink


def serve(load: LoadPipeline = load_shipped) -> NoReturn:
    """Run the server on this process's streams, then leave at once: a model's thread may still work."""
    source, sink = claim_streams()
    log_file = log.set_up()
    logger.info("Backend %s starts, Python %s", __version__, platform.python_version())
    code = 1
    try:
        code = Server(source, sink, load, None if log_file is None else str(log_file)).run()
    except KeyboardInterrupt:
        code = 130
    except Exception:
        logger.exception("The backend failed")
    finally:
        logger.info("Backend ends with code %d", code)
        log.flush()
        os._exit(code)
