"""Where the sound of a file begins and ends, by its container's own account: a cut file shows here.

libsndfile 1.2.2 and FFmpeg 8 (in PyAV 18.1) read most files that end too early without a word, and
libsndfile reads only the first of several that were joined end to end. So, before they are asked,
what a container states is compared with the bytes that are there:

=============================  ==================================  ================================
container                      a cut shows by                      and cannot be known
=============================  ==================================  ================================
WAV, RF64, W64, AIFF, CAF,     the size of the samples             where a writer to a pipe left
AU, SPHERE                                                         that size open
FLAC                           its last sample (`decoding`)        between frames, where a writer to
                                                                   a pipe left the total open; a lost
                                                                   start of a stream
Ogg                            a torn page or packet; a page of    between pages
                               another checksum
MP3 with a Xing/VBRI header    the number of frames
other MP3, AAC (ADTS), AC-3,   a torn last frame                   between frames
E-AC-3, AMR
FLV, VOC                       a torn tag or block                 between tags or blocks
ADX                            the number of samples
SoX's own (.sox)               the number of samples               where a writer to a pipe left it open
MP4, M4A, MOV, 3GP             a torn box, no moov, no mdat        between fragments; a fragment that
                                                                   is missing
WebM, Matroska                 a torn segment or element; what is  between blocks of a live stream; a
                               no element in the place of one      cluster that is missing
WMA, DSF                       the size of the file; of WMA an     where WMA was broadcast; a hole
                               end half a second before it states  within WMA
WavPack, TTA, SPHERE with      fewer samples decoded than stated
shorten, and the like          (`decoding`); a torn block of
                               WavPack
MP3 in free format             fewer samples decoded than a Xing   (refused without a Xing header)
                               header counts
MPEG-PS, MPEG-TS, NUT, DTS,                                        at all
and what else is not above
=============================  ==================================  ================================

Of files that have their size before their content, as while they are downloaded, zeros at the end
tell a cut: from 64 KiB on where nothing else is stated. Between frames, and before the rest of one,
8 KiB do. Zeros tell nothing in samples, where they are silence, in AVI, and in ALAC within CAF.
A download that began again behind its first part shows, but not in CAF, AU, SPHERE, RF64, WMA, AVI
and PCM in MOV, nor in WAV, W64 and AIFF where that part has less than 512 bytes. Both are read, up to the
length of one.
Samples behind those that a header counts, as of a recorder that was killed, show from 512 bytes on in
WAV, RF64, W64 and AIFF. A header that counts more than there is tells a cut, even where nothing was cut,
as of some firmware of Frontier Labs' recorders (FL005 and FL010 of ecoacoustics/known-problems).

An Ogg stream should end with a page that says so (RFC 3533). But Android's MediaMuxer, and with it
Telegram's voice messages, never writes that mark, so its absence does not tell a cut file. FLAC
files that were joined are refused: their frames are numbered from 0 again.
Of CAF, TTA, Monkey's Audio, Musepack, ADX, WMA and shorten that were joined, only the first is read.
Bytes before the mark of a container, but for tags, are not passed over: such Ogg or FLAC is refused.
Of what is not above, the first packet may be the rest of one, as where the capture of a broadcast
begins. It is left out.
"""

import io
import re
import struct
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import takewhile
from typing import BinaryIO, NamedTuple
from zlib import crc32


class Unreadable(Exception):
    """Why a file cannot be used, as the end of a sentence that its name begins."""


class Content:
    """The bytes of a file that is open, read a block at a time.

    A file that is mapped instead ends the process (SIGBUS) where a disk fails, or where somebody
    shortens it meanwhile.

    Raises:
        OSError: from all that reads, when the system gives no bytes.
        Unreadable: when the file has become shorter.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._first, self._held = file, 0, b""
        self._size = file.seek(0, io.SEEK_END)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, key: slice | int) -> bytes | int:
        if isinstance(key, int):
            return self[key : key + 1][0]
        start, stop, step = key.indices(self._size)
        stop = max(start, stop)
        if not self._first <= start <= stop <= self._first + len(self._held):
            self._first = start
            self._file.seek(start)
            size = max(stop, min(start + _BLOCK, self._size)) - start
            self._held = self._file.read(max(0, size))
            if len(self._held) < size:
                raise Unreadable("has become shorter while it was read; try again")
        return self._held[start - self._first : stop - self._first : step]

    def places(self, sought: bytes, start: int, stop: int | None = None) -> Iterator[int]:
        """Where some bytes begin, from one place on and before another."""
        stop = self._size if stop is None else min(stop, self._size)
        for first in range(start, stop, _BLOCK):
            block = self[first : min(first + _BLOCK, stop) + len(sought) - 1]
            place = block.find(sought)
            while place >= 0:
                yield first + place
                place = block.find(sought, place + 1)


class Part(NamedTuple):
    """One of the files that were joined end to end; most files are one part.

    Attributes:
        start, stop: its bytes.
        counted: whether its header says how many samples there are; libsndfile guesses where not.
        checked: whether what its header says was compared with the bytes that are there.
        origin: which sample of a longer stream FLAC that was cut out of it begins with.
        seconds: when WMA says that it ends; 0 where it does not.
    """

    start: int
    stop: int
    counted: bool = True
    checked: bool = True
    origin: int = 0
    seconds: float = 0


class _Chunks(NamedTuple):
    """The layout of a container of chunks: each has a name, its length and content.

    Attributes:
        first: where the first chunk begins.
        total: where the length of all of them stands; None where nowhere.
        name: bytes of a name.
        length: format of a length.
        own: bytes of the header that a length includes.
        multiple: chunks begin at multiples of it.
    """

    first: int
    total: int | None
    name: int
    length: str
    own: int = 0
    multiple: int = 2


CUT = "is cut short: it ends before its samples do"
CUT_OUT = f"{CUT} (or FFmpeg cut it out of a longer file with -c copy: encode it again)"
_LONG = "holds more than its header counts (convert it with sox --ignore-length)"
_RIFF, _FORM = _Chunks(12, 4, 4, "<L"), _Chunks(12, 4, 4, ">L")
_W64, _CAF = _Chunks(40, 16, 16, "<q", 24, 8), _Chunks(8, None, 4, ">q", 0, 1)
_FORMS = (b"WAVE", b"AVI ", b"AIFF", b"AIFC", b"8SVX")
_SAMPLES = (b"data", b"SSND", b"BODY")
_BOXES = b"ftyp moov mdat free skip wide moof mfra sidx styp uuid meta udta pnot emsg prft".split()
# Every byte with its bits in the other order.
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
# The kinds of elements that may stand in a file, in its segment or in a cluster (RFC 9559).
_ELEMENTS = {_EBML, _SEGMENT, _CLUSTER, 0xEC, 0xBF, 0xE7, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF, 0x5854}
_ELEMENTS |= {0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367}
_STRANGE = "an element in it is of no kind that may stand there"
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
# Bytes of a frame of AMR, by the kind that its first byte names.
_AMR = [13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1]
_AMR_WB = [18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1]
# kbit/s of AC-3 (ETSI TS 102 366, table F.7).
_AC3_BITRATES = (
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
)  # fmt: skip
# kbit/s of MPEG-1 in layers 1, 2 and 3, then of MPEG-2 in layer 1 and in the others.
_BITRATES = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448, 0],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 0],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256, 0],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0],
]
# The bits of a frame's header that all frames of a stream share: version, layer and sample rate.
_SHARED = 0xFFFE0C00
_TAG = re.compile(rb"TAG|ID3|LYRICS")
TAGS = (b"TAG", b"APE", b"ID3")
# More zeros than that at the end are no padding, of which devices write 32 KiB at most.
_TAIL = 2**16
# Nor are as many between frames, or before the first, where a piece of a download is missing.
_GAP = 2**13
# More bytes than that behind all chunks, of no chunk's name, are samples that were not counted.
_BEHIND = 2**9
# Bytes of a file that are read at once.
_BLOCK = 2**16
# How many frames in a row are no chance, and how many are not those of another container either,
# where much lies before the first; and how far into a file that is looked for.
_ROW, _MANY, _LEAD = 3, 12, 2**20


def find_parts(data: Content) -> list[Part]:
    """The parts of a file; of a file in an unknown container one, which is not checked.

    Raises:
        Unreadable: for a file that ends too early, or has no samples.
    """
    parts: list[Part] = []
    start, lead = _after_tag(data, 0), _LEAD
    if start > len(data):
        raise Unreadable(CUT)
    while part := _part_at(data, start, lead):
        if part.stop == part.start:
            raise Unreadable("is damaged: a frame in it has no length")
        # Tags that lie there say so; else it is a frame whose header has changed, or part of one.
        gap = data[parts[-1].stop if parts else 0 : part.start]
        between = gap.strip(b"\0")
        is_torn = bool(between and not _TAG.search(between))
        # In front of all frames, zeros alone are padding.
        if len(gap) - len(gap.lstrip(b"\0")) > _GAP and (parts or is_torn):
            raise Unreadable("is damaged: zeros are in the place of its frames")
        if parts and is_torn:
            raise Unreadable("is damaged: other bytes lie between its frames")
        if parts and _goes_on(data, parts[-1], part):
            part = parts.pop()._replace(stop=part.stop)
        parts.append(part)
        start = _after_tag(data, part.stop)
        # Between MP3s there may be tags of several kinds; other containers follow at once.
        lead = len(data) if _frame_length(data, part.start) else 0
    # A size of 32 bits began again at 0 after 4 GiB.
    if parts and len(data) - parts[-1].stop >= 2**31:
        raise Unreadable(_LONG)
    return parts or [Part(0, len(data), checked=False)]


def _goes_on(data: Content, before: Part, part: Part) -> bool:
    """Whether one decoder takes both: AVI beyond 1 GiB, and AAC behind a tag, as in segments of HLS."""
    if data[part.start + 8 : part.start + 12] == b"AVIX":
        return True
    first, second = (int.from_bytes(data[p.start : p.start + 4]) for p in (before, part))
    # Of ADTS the codec, the rate and the channels are the same.
    is_alike = first & 0xFFF60000 == 0xFFF00000 and not (first ^ second) & 0xFFFEFDC0
    is_tag = data[before.stop : before.stop + 3] == b"ID3"
    return is_alike and is_tag and _after_tag(data, before.stop) == part.start


def _part_at(data: Content, start: int, lead: int) -> Part | None:
    if read := _reader_at(data, start):
        return read(data, start)
    for place in data.places(b"\xff", start, start + lead):
        least = _MANY if lead == _LEAD and place > start + 4096 else _ROW
        if part := _frames_at(data, place, least if place > start else 1):
            return part
    return None


def _reader_at(data: Content, start: int) -> Callable[[Content, int], Part] | None:
    """What reads on from the mark of a container that begins here."""
    if data[start : start + 3 * 188 : 188] == b"GGG":
        return _unchecked
    for place, magic, read in _CONTAINERS:
        if data[start + place : start + place + len(magic)] == magic:
            return read
    return None


def _after_tag(data: Content, start: int) -> int:
    """Behind the tags that begin here: ID3 of either version, and APE with its header."""
    while start + 32 <= len(data):
        if data[start : start + 3] == b"ID3":
            size = 0
            for byte in data[start + 6 : start + 10]:
                size = size << 7 | byte & 127
            start += 10 + size + 10 * bool(data[start + 5] & 16)
        elif data[start : start + 8] == b"APETAGEX":
            start += 32 + _number(data, start + 12, "<L")
        elif data[start : start + 3] == b"TAG":
            start += 128
        else:
            break
    return start


def _up_to(data: Content, start: int, stop: int, checked: bool = True) -> Part:
    """A part that ends there, which a file that ends before it lacks."""
    if stop > len(data):
        raise Unreadable(CUT)
    return Part(start, stop, checked=checked)


def _number(data: Content, place: int, form: str) -> int:
    """One number, which a file that ends before it lacks."""
    if place + struct.calcsize(form) > len(data):
        raise Unreadable(CUT)
    return struct.unpack(form, data[place : place + struct.calcsize(form)])[0]


# Chunks


def _is_open(length: int) -> bool:
    """Whether a writer to a pipe, which cannot go back, left a length open.

    Seen: 0 (mpg123, FFmpeg's AIFF), 0x7f000008 (SoX's AIFF), 0x7fff0000, 0x7fff0008 (GStreamer's AIFF),
    0x7ffff000 (SoX, eSpeak; rounded to whole blocks), 0x80000000 (arecord), 0xefffffdb (Liquidsoap),
    0xffffffff, in 64 bits 2^63 - 1 (FFmpeg) and -1.
    Others near 2 and 4 GiB are true: recorders begin another file there.
    """
    tops = (0x7F000008, 0x7FFF0008, 0x7FFFF000, 2**31, 0xF0000000, 2**32)
    return not 0 < length < 2**62 or any(0 <= top - length <= 256 for top in tops)


def _chunked(layout: _Chunks) -> Callable[[Content, int], Part]:
    def read(data: Content, start: int) -> Part:
        total = 0
        if layout.total:
            total = _number(data, start + layout.total, layout.length)
        if total == 2**32 - 1 and data[start + 12 : start + 16] == b"ds64":
            total = _number(data, start + 20, "<q")
        end = start + total + (0 if layout.own else 8)
        is_whole = layout.total is not None and not _is_open(total) and end <= len(data)
        stop = end if is_whole else len(data)
        long = None
        walk = _walk(data, start, layout)
        for name, first, length in walk:
            if name == b"ds64":
                long = _number(data, first + 8, "<q")
            elif name[:4] in _SAMPLES:
                length = long if long and length == 2**32 - 1 else length
                others = takewhile(lambda chunk: any(chunk[0]) and chunk[1] < stop, walk)
                if length == 0 and end == len(data):
                    # Where what follows is no row of chunks, the size was left open.
                    last = max((place + size for _, place, size in others), default=first)
                    if 0 <= end - last <= 8:
                        raise Unreadable("holds no samples")
                # RF64 from a pipe may count 0, and both libraries then find nothing.
                if long == 0 and length == 2**32 - 1 and first < len(data):
                    raise Unreadable(_LONG)
                if _is_open(length):
                    # Both libraries would stop after the 2 or 4 GiB that stand there.
                    is_short = layout.length[1] == "L" and length > 0 and not long
                    # arecord 1.2 counts a byte too few where it begins another file.
                    after = _padded(first + length, start, layout)
                    if is_short and _after_tag(data, max(after, end)) < len(data):
                        raise Unreadable(_LONG)
                    return Part(start, len(data))
                # libsndfile 1.2.2 would read the last of several.
                if any(name[:4] in _SAMPLES for name, *_ in others):
                    raise Unreadable("holds its samples in two places, of which one would be lost")
                part = _up_to(data, start, max(stop, first + length))
                _refuse_samples_behind(data, _padded(part.stop, start, layout), layout)
                return part
        if end > len(data) and not _is_open(total) and data[start + 8 : start + 12] in _FORMS:
            raise Unreadable(CUT)
        return Part(start, stop)

    return read


def _refuse_samples_behind(data: Content, place: int, layout: _Chunks) -> None:
    """Refuse what is neither a chunk, a tag, a file nor padding, as where a recorder lost its power."""
    if len(data) - place <= _BEHIND:
        return
    is_chunk = _after_tag(data, place) > place or _reader_at(data, place) is not None
    # Samples of 8 bits may look like a name, but hardly like a length.
    if re.fullmatch(rb"[ -~]{4}", data[place : place + 4]):
        _, first, length = next(_walk(data, place - layout.first, layout), (b"", 0, -1))
        is_chunk |= 0 <= length <= len(data) - first
    blocks = (data[first : first + _BLOCK] for first in range(place, len(data), _BLOCK))
    # Sound may begin with silence.
    if not is_chunk and any(block.strip(b"\0") for block in blocks):
        raise Unreadable(_LONG)


def _padded(stop: int, start: int, layout: _Chunks) -> int:
    """Where the next chunk of a file that starts there may begin, behind one that ends there."""
    return stop + -(stop - start) % layout.multiple


def _walk(data: Content, start: int, layout: _Chunks) -> Iterator[tuple[bytes, int, int]]:
    """The name of every chunk, where its content begins and how long that is."""
    place = start + layout.first
    header = layout.name + struct.calcsize(layout.length)
    while place + header <= len(data):
        length = _number(data, place + layout.name, layout.length) - layout.own
        yield data[place : place + layout.name], place + header, length
        if length < 0:
            return
        place = _padded(place + header + length, start, layout)


def _au(data: Content, start: int) -> Part:
    order = ">" if data[start : start + 1] == b"." else "<"
    first, length = (_number(data, start + place, f"{order}L") for place in (4, 8))
    if not length and start + first == len(data):
        raise Unreadable("holds no samples")
    return _up_to(data, start, len(data) if _is_open(length) else start + first + length)


def _sphere(data: Content, start: int) -> Part:
    header = data[start : start + 16384].partition(b"end_head")[0].decode("latin-1")
    found = dict(re.findall(r"^(\w+) -\w+ (\S+)", header, re.MULTILINE))
    if "shorten" in found.get("sample_coding", ""):
        return Part(start, len(data), checked=False)
    try:
        size = int(header.split()[1])
        for name in ("sample_count", "sample_n_bytes", "channel_count"):
            found[name] = int(found[name])
    except (ValueError, KeyError, IndexError):
        return Part(start, len(data), checked=False)
    size += found["sample_count"] * found["sample_n_bytes"] * found["channel_count"]
    return _up_to(data, start, start + size)


def _unchecked(data: Content, start: int) -> Part:
    """Of MPEG-PS, MPEG-TS, NUT, RealMedia and DV, in which frames of MPEG audio may lie."""
    _refuse_zeros_behind(data)
    return Part(start, len(data), checked=False)


def _sox(data: Content, start: int) -> Part:
    order = "<" if data[start : start + 1] == b"." else ">"
    first, samples = (
        _number(data, start + place, order + form) for place, form in ((4, "L"), (8, "Q"))
    )
    if not 0 < samples < 2**60:
        return Part(start, len(data))
    return _up_to(data, start, start + 4 + first + 4 * samples)


def _flac(data: Content, start: int) -> Part:
    total = _number(data, start + 18, ">Q") & (1 << 36) - 1
    place = _first_frame(data, start)
    head = data[place : place + 16]
    number = _number_of_frame(head)
    # Frames are counted where all but the last have one size.
    size = 1 if head[1:2] and head[1] & 1 else _number(data, start + 10, ">H")
    origin = (number or 0) * size
    if number == 0:
        _refuse_frames_behind(data, place, -(-total // max(1, size)), size > 1)
    # Of a part of a longer stream the header may count the samples of all of it.
    return Part(start, len(data), total > 0 and not origin, not (total and origin), origin)


def _refuse_frames_behind(data: Content, place: int, after: int, is_counted: bool) -> None:
    """Refuse FLAC with a frame that should not be there, or without one that should.

    Args:
        place: of the first frame.
        after: the number of the frame behind the last, as the header has it; 0 where that is open.
        is_counted: whether frames are numbered one by one.
    """
    head, expected, last = data[place : place + 4], 1, 0
    for other in data.places(head[:2], place + 1):
        frame = data[other : other + 16]
        number = _number_of_frame(frame)
        # Frames of one stream have one rate and size of samples.
        if number is None or any((frame[k] ^ head[k]) & 15 for k in (2, 3)):
            continue
        if number == 0:
            raise Unreadable("holds another FLAC file behind the first, which would be lost")
        if number == after:
            raise Unreadable("holds more samples than its header counts (convert it with FFmpeg)")
        expected += number == expected
        last = number if number < after else last
    if any(data.places(b"fLaC\0\0\0\x22", place)):
        raise Unreadable("holds another FLAC file behind the first, which would be lost")
    # libsndfile 1.2.2 plays silence in the place of one.
    if is_counted and last == after - 1 and expected < after > 0:
        raise Unreadable("is damaged: a frame of it has changed, or is missing")


def _first_frame(data: Content, start: int) -> int:
    """Where the first frame begins; the end of the file where no row of blocks leads to it."""
    place, head = start + 42, data[start + 4 : start + 8]
    while len(head) == 4 and not head[0] & 128:
        head = data[place : place + 4]
        # Only the first block, the STREAMINFO, has the number 0: these are zeros, and no block.
        if not any(head[:1]):
            return len(data)
        place += 4 + int.from_bytes(head[1:])
    return place


def _number_of_frame(head: bytes) -> int | None:
    """The number in the header of a frame of FLAC (RFC 9639, 9.1.5); None where that is not intact."""
    if len(head) < 16 or head[0] != 0xFF or head[1] & 0xFE != 0xF8:
        return None
    # As in UTF-8 the first byte begins with as many ones as the number has bytes.
    ones = 8 - (~head[4] & 0xFF).bit_length()
    behind = 5 + max(0, ones - 1)
    number = head[4] & 0x7F >> ones
    for byte in head[5:behind]:
        number = number << 6 | byte & 63
    behind += {6: 1, 7: 2}.get(head[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    checksum = 0
    for byte in head[: behind + 1]:
        checksum ^= byte
        for _ in range(8):
            checksum = checksum << 1 ^ 0x107 * (checksum >> 7)
    return None if checksum else number


# Pages, boxes and elements


def _ogg(data: Content, start: int) -> Part:
    """One link of a chain: the pages up to one that begins a stream after others have sounded."""
    place, flags, lacing, sounds = start, 0, b"", False
    while data[place : place + 4] == b"OggS":
        segments = _number(data, place + 26, "B")
        if data[place + 5] & 2 and sounds:
            return Part(start, place, bool(flags & 4 and lacing))
        flags = data[place + 5]
        sounds |= not flags & 2
        lacing = data[place + 27 : place + 27 + segments]
        end = place + 27 + segments + sum(lacing)
        if end > len(data):
            raise Unreadable(CUT)
        if _page_checksum(data[place:end]) != _number(data, place + 22, "<L"):
            raise Unreadable("is damaged: a page of it has changed, and would be passed over")
        place = end
    # A last segment of 255 bytes promises more of its packet on the next page.
    if lacing[-1:] == b"\xff" or b"OggS".startswith(data[place : place + 4] or b"-"):
        raise Unreadable(CUT)
    if any(data.places(b"OggS", place)):
        raise Unreadable("is damaged: other bytes lie between its pages")
    _refuse_zeros_behind(data, place)
    # Opus that does not say where it ends, or on a page of its own, libsndfile 1.2.2 reads up to its
    # last page, and fails.
    return Part(start, place, bool(flags & 4 and lacing))


def _page_checksum(page: bytes) -> int:
    """The CRC-32 of an Ogg page (RFC 3533), with zeros in its place: `crc32`, each byte turned round.

    libogg and FFmpeg leave out a page of another one, so that what it holds is lost without a word.
    """
    turned = (page[:22] + bytes(4) + page[26:]).translate(_TURNED)
    return int(f"{crc32(turned, 0xFFFFFFFF) ^ 0xFFFFFFFF:032b}"[::-1], 2)


def _mp4(data: Content, start: int) -> Part:
    place, seen = start, set()
    while place + 8 <= len(data):
        size, kind = _number(data, place, ">L"), data[place + 4 : place + 8]
        # A box of another kind is passed over, if it is one and not what lies behind the boxes.
        is_box = kind in _BOXES or (kind.isalnum() and 8 <= size <= len(data) - place)
        if not is_box or (kind == b"ftyp" and seen):
            break
        seen.add(kind)
        if size == 1:
            size = _number(data, place + 8, ">Q")
        # The last box may leave its size open.
        place = place + size if size >= 8 else len(data)
    # Of what is too short to be a box, only what begins with 0 can have begun one.
    torn = len(data) - 8 < place and data[place : place + 1] == b"\0" and any(data[place:])
    if place > len(data) or torn or not {b"moov", b"mdat"} <= seen:
        raise Unreadable(CUT)
    if b"moof" in seen:
        _refuse_zeros_behind(data, place)
    return Part(start, place)


def _matroska(data: Content, start: int) -> Part:
    """Elements, those of a segment and of its clusters too, each of a kind that may stand there."""
    place, stop, is_live = start, len(data), True
    while place < stop:
        # Behind a live stream, which does not know its size: padding, or the end of a line.
        if is_live and stop - place <= _TAIL and not data[place:stop].strip(b"\0\r\n"):
            break
        kind, first, size = _element(data, place)
        if kind == _EBML and place > start:
            break
        # Clusters have kinds of four bytes, and blocks of one. What DivX puts at the end is neither.
        is_own = 2**8 < kind < 2**24 and first + (size or 0) == stop
        if kind not in _ELEMENTS and not is_own:
            raise Unreadable(f"is damaged: {_STRANGE}" if data[place:stop].strip(b"\0") else CUT)
        # A live stream does not know how much will follow. Its elements are looked at.
        if size is None and kind not in (_SEGMENT, _CLUSTER):
            raise Unreadable("is damaged: an element in it has no size")
        end = first + (size or 0)
        if end > stop:
            raise Unreadable(CUT if end > len(data) else f"is damaged: {_STRANGE}")
        if kind == _SEGMENT and size is not None:
            stop, is_live = end, False
        place = first if kind in (_SEGMENT, _CLUSTER) else end
    return Part(start, place)


def _element(data: Content, place: int) -> tuple[int, int, int | None]:
    """The kind of an element of Matroska, where its content begins, and its size, None if that is open."""
    width = 9 - data[place].bit_length()
    kind = int.from_bytes(data[place : place + width])
    length = 9 - _number(data, place + width, "B").bit_length()
    first, ones = place + width + length, (1 << 7 * length) - 1
    size = int.from_bytes(data[place + width : first]) & ones
    return kind, first, None if size == ones else size


def _refuse_zeros_behind(data: Content, place: int = 0) -> None:
    """Refuse zeros at the end, from a place on, as while a file is copied, where nothing else tells it."""
    if len(data) - place > _TAIL and not data[-_TAIL:].strip(b"\0"):
        raise Unreadable(CUT)


def _asf(data: Content, start: int) -> Part:
    _refuse_zeros_behind(data)
    place, seconds = next(data.places(_ASF_PROPERTIES, start, start + 65536), -1), 0.0
    if place >= 0 and not _number(data, place + 88, "<L") & 1:
        _up_to(data, start, start + _number(data, place + 40, "<Q"))
        # In units of 100 ns. Into when it ends all but VLC count the milliseconds before it plays.
        end, sent, before = (_number(data, place + each, "<Q") for each in (64, 72, 80))
        seconds = end / 1e7 - before / 1e3 * (end != sent)
    return Part(start, len(data), seconds=seconds)


# Frames


@lru_cache(4096)
def _mpeg_length(header: int) -> int:
    """Bytes of a frame of MPEG audio, by the four bytes that it begins with; 0 where it is none."""
    version, layer = header >> 19 & 3, 4 - (header >> 17 & 3)
    if header >> 21 != 0x7FF or version == 1 or layer == 4 or header >> 10 & 3 == 3:
        return 0
    bitrates = _BITRATES[layer - 1 if version == 3 else 3 + (layer > 1)]
    kilobits, padding = bitrates[header >> 12 & 15], header >> 9 & 1
    rate = (44100, 48000, 32000)[header >> 10 & 3] >> (2, 0, 1, 0)[version]
    if layer == 1:
        return (12000 * kilobits // rate + padding) * 4 if kilobits else 0
    samples = 576 if layer == 3 and version < 3 else 1152
    return samples * 125 * kilobits // rate + padding if kilobits else 0


def _frame_length(data: Content, place: int) -> int:
    """Bytes of a frame of MPEG audio or of AAC; 0 where there is none."""
    header = int.from_bytes(data[place : place + 4])
    if header & 0xFFF60000 == 0xFFF00000 and place + 6 <= len(data):
        return int.from_bytes(data[place + 3 : place + 6]) >> 5 & 0x1FFF
    return _mpeg_length(header)


def _is_mono(header: int) -> bool:
    """Whether a frame of MPEG audio has one channel."""
    return header >> 6 & 3 == 3


def _stated(data: Content, place: int) -> tuple[int, int]:
    """How many frames and bytes follow, as a Xing or VBRI header in a frame says; zeros without."""
    header = int.from_bytes(data[place : place + 4])
    mono, version_1 = _is_mono(header), header >> 19 & 3 == 3
    xing = place + (21 if mono == version_1 else 36 if version_1 else 13)
    if data[xing : xing + 4] in (b"Xing", b"Info"):
        flags, first, second = struct.unpack(">3L", data[xing + 4 : xing + 16].ljust(12, b"\0"))
        return (first, second * (flags >> 1 & 1)) if flags & 1 else (0, 0)
    if data[place + 36 : place + 40] == b"VBRI":
        size, frames = struct.unpack(">2L", data[place + 46 : place + 54].ljust(8, b"\0"))
        return frames, size
    return 0, 0


def _frames_at(data: Content, start: int, least: int) -> Part | None:
    """The frames that begin here, of one kind or of one count, up to the next header; None for too few."""
    frames, size = _stated(data, start)
    header = int.from_bytes(data[start : start + 4])
    begin, place, found, last, is_mixed = start, start, 0, header, False
    while found <= frames if frames else not (found and _stated(data, place)[0]):
        before, last = last, int.from_bytes(data[place : place + 4])
        length, is_other = _frame_length(data, place), (last ^ before) & _SHARED != 0
        # Where FFmpeg joined files of several rates with -c copy, one count is of all their frames.
        if not length or (is_other and found >= frames):
            break
        is_mixed |= is_other or _is_mono(last) != _is_mono(before)
        begin, place, found = place, place + length, found + 1
    if found < frames and _goes_up_to(data, place, start + size):
        return Part(start, place, counted=False)
    # In free format (a bitrate of 0) no header says how long a frame is, and libsndfile 1.2.2 reads
    # what a Xing header counts, else guesses.
    is_free = not header >> 12 & 15 and _mpeg_length(header | 1 << 12) > 0
    if is_free and least == 1 and not frames:
        raise Unreadable(
            "is MP3 in free format, whose frames do not say where they end; convert it"
        )
    if is_free or not found or (found < least and not frames):
        return None
    if not frames:
        _refuse_zeros_behind(data)
    torn = len(data) - 7 < place and data[place : place + 1] == b"\xff"
    # Shine keeps up to 3 bytes at the end of MP3 to itself, and FFmpeg plays that frame.
    lacks = 3 if header >> 17 & 3 == 1 and not frames else 0
    torn |= _has_tag(data, begin, place - lacks)
    # Some encoders count the frame that holds the header, others do not.
    is_short = found < frames or (found == frames and start + size > place)
    is_other_size = is_mixed and frames and start + size != place
    if place > len(data) + lacks or torn or is_short or is_other_size:
        raise Unreadable(CUT)
    counted = 0 < frames < found and not is_mixed and _is_quiet(data, start)
    return Part(start, min(place, len(data)), counted)


def _has_tag(data: Content, start: int, stop: int) -> bool:
    """Whether tags begin in a frame, which is then torn: those of the next file, or those at the end."""
    for place in data.places(b"ID3", start, stop):
        if (after := _after_tag(data, place)) > stop and _frame_length(data, after):
            return True
    place = len(data) - 128 * (data[-128:-125] == b"TAG")
    if data[place - 32 : place - 24] == b"APETAGEX":
        size, _, flags = struct.unpack("<3L", data[place - 20 : place - 8])
        place -= size + 32 * (flags >> 31)
    return start < place < stop


def _goes_up_to(data: Content, place: int, stop: int) -> bool:
    """Whether tags and frames lie between, and nothing else.

    So FFmpeg's -c copy leaves the tags of MP3s that were joined, and may count them as frames.
    """
    while place < stop and _after_tag(data, place) > place:
        place = _after_tag(data, place)
        while length := _frame_length(data, place):
            place += length
    return place == stop <= len(data)


def _is_quiet(data: Content, place: int) -> bool:
    """Whether a frame has nothing but zeros, or its own checksum, before a Xing header.

    Otherwise libsndfile 1.2.2 takes it for sound, and guesses the length, as it does behind a VBRI
    header of Fraunhofer's encoders.
    """
    count = re.search(b"Xing|Info", data[place : place + 64])
    is_protected = not data[place + 1] & 1
    return count is not None and not any(count.string[4 + 2 * is_protected : count.start()])


def _records(
    header: int, length_of: Callable[[Content, int], int], checked: bool = True
) -> Callable[[Content, int], Part]:
    """What reads records one after another, behind so many bytes, up to one of length 0."""

    def read(data: Content, start: int) -> Part:
        _refuse_zeros_behind(data)
        place = start + header
        while place < len(data) and (length := length_of(data, place)):
            place += length
        # What follows, and is neither a tag nor zeros nor another file, the decoder is left to judge.
        is_tag = data[place : place + 3] in TAGS
        ends = is_tag or _reader_at(data, place) or not data[place:].strip(b"\0")
        part = _up_to(data, start, place if ends else len(data), checked)
        # Where a download began again, a torn record may end as another does.
        if header and any(data.places(data[start : start + 5], start + 1, part.stop)):
            raise Unreadable("is damaged: it begins again behind its first part")
        return part

    return read


def _amr_length(sizes: list[int], data: Content, place: int) -> int:
    """Bytes of a frame of AMR; none begins as another file does."""
    return 0 if data[place] == 0x23 else sizes[data[place] >> 3 & 15]


def _ac3_length(data: Content, place: int) -> int:
    """Bytes of a frame of AC-3 or E-AC-3."""
    if not b"\x0b\x77".startswith(data[place : place + 2]):
        return 0
    code, kind = _number(data, place + 4, "B"), _number(data, place + 5, "B") >> 3
    if kind > 10:
        return 2 * ((_number(data, place + 2, ">H") & 0x7FF) + 1)
    rate, size = code >> 6, code & 63
    if rate == 3 or size >= 2 * len(_AC3_BITRATES):
        return 0
    kilobits = _AC3_BITRATES[size // 2]
    # At 44.1 kHz frames take a word more or less in turn.
    return (4 * kilobits, 2 * (kilobits * 320 // 147 + size % 2), 6 * kilobits)[rate]


def _wavpack_length(data: Content, place: int) -> int:
    """Bytes of a block of WavPack."""
    return 8 + _number(data, place + 4, "<L") if data[place : place + 4] == b"wvpk" else 0


def _flv_length(data: Content, place: int) -> int:
    """Bytes of a tag of FLV: of sound, pictures or text. FFmpeg 8 passes over what is none."""
    if data[place] & 31 in (8, 9, 15, 18):
        return 15 + (_number(data, place, ">L") & 0xFFFFFF)
    is_end = data[place : place + 3] in TAGS or not data[place:].strip(b"\0\r\n")
    if not is_end and not _reader_at(data, place):
        raise Unreadable("is damaged: other bytes lie between its tags")
    return 0


def _voc(data: Content, start: int) -> Part:
    """Blocks, of which the last should be of kind 0; behind it libsndfile 1.2.2 would read on.

    It also takes the headers of all but the first block for sound.
    """
    place, sounding = start + 26, 0
    while place < len(data) and (kind := data[place]):
        if kind not in (1, 2, 4, 5, 8, 9):
            raise Unreadable("is damaged, or has silence or repeats, which no decoder plays")
        sounding += kind in (1, 2, 9)
        length = _number(data, place, "<L") >> 8
        # SoX 14.4.2 leaves 8 bytes out of the length of 16 bits.
        place += 4 + length + 8 * (kind == 9 and place + 4 + length + 8 == len(data) - 1)
    part = _up_to(data, start, place if place >= len(data) else place + 1)
    return part._replace(counted=sounding == 1)


def _adx(data: Content, start: int) -> Part:
    """Blocks of 32 samples a channel, as many as the header counts; FFmpeg 8 takes the end for torn."""
    first = start + int.from_bytes(data[start + 2 : start + 4]) + 4
    if data[first - 6 : first] != b"(c)CRI":
        return Part(start, len(data), checked=False)
    blocks = -(-_number(data, start + 12, ">L") // 32) * data[start + 7]
    place = first + blocks * data[start + 5]
    # FFmpeg 8 fails where the block that ends it is a packet of its own, so that is left out.
    return _up_to(data, start, place)


# Where a container's mark stands, the mark, and what reads on from there.
_CONTAINERS: list[tuple[int, bytes, Callable[[Content, int], Part]]] = [
    *((0, mark, _chunked(_RIFF)) for mark in (b"RIFF", b"RF64", b"BW64")),
    *((0, mark, _chunked(_FORM)) for mark in (b"FORM", b"RIFX")),
    (0, b"riff\x2e\x91\xcf\x11", _chunked(_W64)),
    (0, b"caff", _chunked(_CAF)),
    # Its last blocks are filled up, and FFmpeg 8 counts that into the length.
    (0, b"DSD ", lambda data, start: _up_to(data, start, start + _number(data, start + 12, "<Q"))),
    *((0, mark, _au) for mark in (b".snd", b"dns.")),
    (0, b"NIST_1A", _sphere),
    (0, b"fLaC", _flac),
    (0, b"OggS", _ogg),
    *((4, kind, _mp4) for kind in _BOXES[:6]),
    (0, _EBML.to_bytes(4), _matroska),
    (0, bytes.fromhex("3026b2758e66cf11"), _asf),
    (0, b"#!AMR\n", _records(6, partial(_amr_length, _AMR))),
    (0, b"#!AMR-WB\n", _records(9, partial(_amr_length, _AMR_WB))),
    (0, b"\x0b\x77", _records(0, _ac3_length)),
    (0, b"wvpk", _records(0, _wavpack_length, checked=False)),
    (0, b"FLV\1", _records(13, _flv_length)),
    (0, b"\x80\0", _adx),
    (0, b"Creative Voice File\x1a", _voc),
    *((0, mark, _unchecked) for mark in (b"\0\0\1\xba", b"nut/multimedia", b".RMF", b"\x1f\7\0")),
    *((0, mark, _sox) for mark in (b".SoX", b"XoS.")),
]
