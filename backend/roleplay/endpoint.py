"""Asking the user's own language model: one chat completion of an OpenAI-compatible server.

urllib and not the library openai, which the backend inside Blender does not have and would need for a single request. Nothing is
asked that the user has not set; another machine is asked only where the user allowed the network. The key comes from an
environment variable, goes to the endpoint's own address alone (redirects are not followed), and is written nowhere.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ..errors import BadInput, Cancelled, JobFailed
from ..protocol.chat import Endpoint

LARGEST = 4 << 20
"""Bytes of an answer that are read."""
LONGEST_WAIT = 20.0
"""Seconds: an endpoint that asks for a longer pause is not waited for."""
BACKOFF = 0.5
"""Seconds before the first repetition; doubled for each further one."""
_SHOWN = 160  # characters of a server's own message
_POLL = 0.05


class EndpointError(JobFailed):
    """The endpoint failed.

    ``code`` is ``endpoint_unreachable``, ``endpoint_slow``, ``endpoint_refused`` (the key, the model, the account, or
    the model itself says no), ``endpoint_failing`` (the server's own errors) or ``endpoint_malformed``.
    """

    def __init__(
        self, code: str, message: str, hint: str = "", *, wait: float | None = None, again: bool = True
    ) -> None:
        super().__init__(
            message, hint=hint or "Check the endpoint, or let the offline author answer.", field="endpoint"
        )
        self.code = code
        self.wait = wait
        self.again = again


def check_endpoint(endpoint: Endpoint, allow_network: bool) -> None:
    """Whether it may be asked.

    Raises:
        BadInput: it is on another machine and the network is not allowed, or its key is not there.
    """
    if not endpoint.local and not allow_network:
        raise BadInput(
            f"The endpoint {_host(endpoint)} is on another machine, and the network is not allowed.",
            hint="Allow it (--allow-network, or Blender's online access), or use a server on this machine.",
            field="allow_network",
        )
    _key(endpoint)


def ask(
    endpoint: Endpoint,
    messages: Sequence[dict[str, str]],
    *,
    allow_network: bool,
    seed: int = 0,
    cancelled: Callable[[], bool] | None = None,
    waiting: Callable[[], None] | None = None,
) -> str:
    """The model's answer to messages with ``role`` and ``content``.

    Args:
        endpoint: whom to ask.
        messages: the conversation.
        allow_network: whether it may be on another machine.
        seed: of the model's choice, for servers that have one.
        cancelled: whether the answer is not wanted any more.
        waiting: called every second or so.

    Raises:
        BadInput: it may not be asked.
        EndpointError: no answer after all repetitions.
        Cancelled: ``cancelled()`` turned true.
    """
    check_endpoint(endpoint, allow_network)
    pause = BACKOFF
    for attempt in range(endpoint.retries + 1):
        try:
            return _in_time(lambda: _once(endpoint, messages, seed), endpoint, cancelled, waiting)
        except EndpointError as error:
            wait = pause if error.wait is None else max(error.wait, pause)
            if not error.again or attempt == endpoint.retries or wait > LONGEST_WAIT:
                raise
            _in_time(partial(time.sleep, wait), endpoint, cancelled, waiting, limit=LONGEST_WAIT + 1.0)
            pause *= 2
    raise AssertionError("unreachable")


def _in_time(
    do: Callable[[], Any],
    endpoint: Endpoint,
    cancelled: Callable[[], bool] | None,
    waiting: Callable[[], None] | None,
    limit: float | None = None,
) -> Any:
    """What ``do`` returns or raises. A server that drips its answer, or a cancel, does not hold anybody up: the thread is left
    to its own time-out."""
    outcome: list[Any] = []

    def work() -> None:
        try:
            outcome.append((True, do()))
        except BaseException as error:
            outcome.append((False, error))

    thread = threading.Thread(target=work, daemon=True, name="understudy_endpoint")
    thread.start()
    began = told = time.monotonic()
    while thread.is_alive():
        thread.join(_POLL)
        now = time.monotonic()
        if cancelled is not None and cancelled():
            raise Cancelled("The answer was cancelled.")
        if waiting is not None and now - told > 1.0:
            waiting()
            told = now
        if now - began > (endpoint.timeout if limit is None else limit):
            raise _slow(endpoint)
    good, value = outcome[0]
    if good:
        return value
    raise value


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


def _once(endpoint: Endpoint, messages: Sequence[dict[str, str]], seed: int) -> str:
    """One request.

    Raises:
        EndpointError: anything but an answer.
    """
    key = _key(endpoint)
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": list(messages),
        "stream": False,
        "seed": seed,
    }
    if endpoint.temperature is not None:
        body["temperature"] = endpoint.temperature
    request = urllib.request.Request(
        f"{endpoint.base_url.rstrip('/')}/chat/completions",
        data=json.dumps(body).encode("utf-8", "replace"),
        headers={
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "understudy",
        },
        method="POST",
    )
    if key:
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    handlers: list[Any] = [_NoRedirect(), urllib.request.HTTPSHandler(context=ssl.create_default_context())]
    if endpoint.local:
        handlers.append(urllib.request.ProxyHandler({}))  # this machine is not asked by way of another
    opener = urllib.request.build_opener(*handlers)
    try:
        with opener.open(request, timeout=endpoint.timeout) as reply:
            data = reply.read(LARGEST + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(endpoint, error, key) from None
    except TimeoutError:
        raise _slow(endpoint) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise _slow(endpoint) from None
        reason = getattr(error.reason, "strerror", None) or error.reason
        raise EndpointError(
            "endpoint_unreachable",
            f"The endpoint {_host(endpoint)} cannot be reached ({_line(reason, key)}).",
            "Start the server, or check its address.",
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EndpointError(
            "endpoint_failing", f"The endpoint {_host(endpoint)} broke off ({type(error).__name__})."
        ) from None
    if len(data) > LARGEST:
        raise _malformed(endpoint, "is far too long", again=False)
    return _content(endpoint, data)


def _content(endpoint: Endpoint, data: bytes) -> str:
    """What the model says in a chat completion."""
    try:
        choice = json.loads(data)["choices"][0]
        message = choice["message"]
        content = message.get("content")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise _malformed(endpoint, "is no chat completion") from None
    if isinstance(content, list):  # some servers answer in pieces
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if isinstance(content, str) and content.strip():
        return content
    if content is None or isinstance(content, str):
        if message.get("refusal") or choice.get("finish_reason") == "content_filter":
            raise EndpointError(
                "endpoint_refused",
                f"The model {endpoint.model} refuses to answer this.",
                "Say it in other words.",
                again=False,
            )
        raise _malformed(endpoint, "is empty")
    raise _malformed(endpoint, "is no text")


def _refusal(endpoint: Endpoint, error: urllib.error.HTTPError, key: str) -> EndpointError:
    """What a status means."""
    host, status = _host(endpoint), error.code
    try:
        words = _message(error.read(1 << 16), key)
    except (OSError, http.client.HTTPException, ValueError):
        words = ""
    said = f": {words}" if words else ""
    if 300 <= status < 400:
        return EndpointError(
            "endpoint_refused",
            f"The endpoint {host} sends elsewhere (status {status}), which is not followed.",
            "Give the address that answers itself.",
            again=False,
        )
    if status in (401, 403):
        name = endpoint.api_key_env
        hint = (
            f"Check the key in the environment variable {name}."
            if name
            else "Name the variable with the key: api_key_env."
        )
        return EndpointError(
            "endpoint_refused",
            f"The endpoint {host} refuses the key (status {status}){said}.",
            hint,
            again=False,
        )
    if status == 404:
        message = f"The endpoint {host} has no such address or model (status 404){said}."
        return EndpointError(
            "endpoint_refused",
            message,
            "Check the address, which ends in /v1 as a rule, and the model.",
            again=False,
        )
    if status in (408, 409, 425, 429) or status >= 500:
        try:
            wait = max(float(error.headers.get("retry-after") or 0.0), 0.0)
        except ValueError:
            wait = 0.0
        what = "has too much to do" if status == 429 else "fails"
        return EndpointError(
            "endpoint_failing",
            f"The endpoint {host} {what} (status {status}){said}.",
            "Try again later.",
            wait=wait,
        )
    return EndpointError(
        "endpoint_refused", f"The endpoint {host} refuses the request (status {status}){said}.", again=False
    )


def _message(data: bytes, key: str) -> str:
    """What a server says about its error."""
    try:
        found = json.loads(data)
        found = found.get("error", found.get("message", ""))
        found = found.get("message", "") if isinstance(found, dict) else found
    except (ValueError, AttributeError, RecursionError):
        return ""
    return _line(found, key) if isinstance(found, str) else ""


def _line(text: Any, key: str) -> str:
    """One short line without the key, which servers like to repeat."""
    line = " ".join(str(text).split())
    for secret in filter(None, (key, key[:-4], key[4:])) if len(key) > 12 else filter(None, (key,)):
        line = line.replace(secret, "***")
    return line[:_SHOWN].rstrip(" .")


def _slow(endpoint: Endpoint) -> EndpointError:
    return EndpointError(
        "endpoint_slow",
        f"The endpoint {_host(endpoint)} did not answer within {endpoint.timeout:g} seconds.",
        "Give it more time, or use a smaller model.",
        again=False,
    )


def _malformed(endpoint: Endpoint, how: str, *, again: bool = True) -> EndpointError:
    hint = "Check that the server speaks OpenAI's chat completions."
    return EndpointError(
        "endpoint_malformed", f"The answer of the endpoint {_host(endpoint)} {how}.", hint, again=again
    )


def _host(endpoint: Endpoint) -> str:
    return urlsplit(endpoint.base_url).netloc


def _key(endpoint: Endpoint) -> str:
    """The key, or nothing where none is named."""
    name = endpoint.api_key_env
    if not name:
        return ""
    key = os.environ.get(name, "").strip()
    if not key:
        raise BadInput(
            f"The environment variable {name} with the endpoint's key is not set.",
            hint="Set it before the backend starts; for a server without a key leave api_key_env out.",
            field="endpoint.api_key_env",
        )
    if not key.isascii() or not key.isprintable():
        raise BadInput(
            f"The environment variable {name} holds something that is no key.", field="endpoint.api_key_env"
        )
    return key
