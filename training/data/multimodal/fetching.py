"""Reading one address on the network: bounded in size and time, http and https alone."""

from __future__ import annotations

from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ....backend.errors import BadInput, JobFailed

CHUNK = 1 << 16


class _SameKind(HTTPRedirectHandler):
    """Follows redirections to http and https, and to nothing else."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise HTTPError(newurl, code, "it redirects to something that is no web address", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str, most: int, timeout: float) -> bytes:
    """What an address answers.

    Args:
        url: http or https.
        most: bytes; a longer answer is refused.
        timeout: seconds to wait for each piece of it.

    Raises:
        BadInput: it is no such address.
        JobFailed: it does not answer, or with something else than a document.
    """
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise BadInput(f"{url} is no address that begins with http:// or https://.", field="url")
    request = Request(url, headers={"User-Agent": "understudy-train"})
    try:
        with build_opener(_SameKind()).open(request, timeout=timeout) as reply:
            data = bytearray()
            while piece := reply.read(CHUNK):
                data += piece
                if len(data) > most:
                    raise JobFailed(f"{url} answers with more than {most >> 20} MB.", field="url")
            return bytes(data)
    except HTTPError as error:
        raise JobFailed(
            f"{url} answered with the status {error.code}: {error.reason}.", field="url"
        ) from None
    except TimeoutError:
        raise JobFailed(f"{url} did not answer within {timeout:g} s.", field="url") from None
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        why = f"did not answer within {timeout:g} s" if isinstance(reason, TimeoutError) else f"cannot be reached ({reason})"  # fmt: skip
        raise JobFailed(f"{url} {why}.", field="url") from None
