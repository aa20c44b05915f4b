"""Files by address: a broken download is resumed, and a file is checked by its hash before it is used.

Python's own urllib does the transfer, since pooch, the usual library, begins a broken download anew.
"""

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from audiopg.environment import require_writable, writing
from audiopg.errors import InputError

_BLOCK = 1 << 20
_SECONDS_OF_SILENCE = 60
_DIGITS = {"md5": 32, "sha256": 64}


def fetch(url: str, checksum: str, folder: Path, progress: bool = True) -> Path:
    """Download one file into a folder under its own name; a part that is there is completed.

    Args:
        url: of the file.
        checksum: "md5:..." or "sha256:...", of the whole file.
        folder: to hold it; a part of it ends in ``.part``.
        progress: whether to show a progress bar.

    Raises:
        InputError: when the server gives nothing more, or the file is not the one expected.
    """
    read_checksum(checksum)
    path = folder / url.rpartition("/")[2]
    if path.exists():
        return path
    part = path.with_name(f"{path.name}.part")
    part.touch()
    while True:
        before = part.stat().st_size
        try:
            _receive(url, part, progress)
            break
        except (OSError, http.client.HTTPException) as error:
            # While every attempt brings something, the next may bring the rest.
            have = part.stat().st_size
            if have <= before:
                raise InputError(
                    f"{url} cannot be downloaded ({error}); give the same command again to go on "
                    f"from the {have} bytes that are there."
                ) from error
    try:
        check(part, checksum)
    except InputError as error:
        part.unlink()
        raise InputError(
            f"{url} gave another file: {error}; it was deleted, download it again."
        ) from error
    return part.rename(path)


def check(path: Path, checksum: str) -> None:
    """See that a file is the one expected.

    Args:
        checksum: "md5:..." or "sha256:..." and the digest in hexadecimal digits.

    Raises:
        InputError: for another digest, or a checksum of another kind.
    """
    kind, expected = read_checksum(checksum)
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, kind).hexdigest()
    if found != expected:
        raise InputError(f"the {kind} of {path.name} is {found}, not {expected}")


def read_checksum(checksum: str) -> tuple[str, str]:
    """The kind of a checksum and its digits.

    Raises:
        InputError: for what is neither "md5:..." nor "sha256:...".
    """
    kind, _, digest = checksum.partition(":")
    if kind not in _DIGITS or not re.fullmatch(f"[0-9a-f]{{{_DIGITS[kind]}}}", digest):
        raise InputError(
            f"{checksum!r} is no checksum; give md5: or sha256: and 32 or 64 hexadecimal digits."
        )
    return kind, digest


def _receive(url: str, part: Path, progress: bool) -> None:
    """Append the missing part to a file.

    Raises:
        OSError, http.client.HTTPException: when the end is not reached.
    """
    have = part.stat().st_size
    headers = {"User-Agent": "audiopg"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=_SECONDS_OF_SILENCE)
    except urllib.error.HTTPError as error:
        # Nothing is missing; a part that is too long will fail its checksum.
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return
        raise
    with response, open(part, "r+b") as file:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0  # The server begins anew.
        file.seek(have)
        file.truncate()
        length = response.headers["Content-Length"]
        total = have + int(length) if length else None
        require_writable(part.parent, int(length or 0))
        with tqdm(
            desc=part.stem,
            initial=have,
            total=total,
            unit="B",
            unit_scale=True,
            disable=not progress,
        ) as bar:
            while block := response.read(_BLOCK):
                with writing(part):
                    bar.update(file.write(block))
        if total is not None and file.tell() < total:
            raise ConnectionError(f"the connection broke after {file.tell()} of {total} bytes")
