"""The samples of a recording, block by block: by libsndfile where it is faithful, else by FFmpeg.

libsndfile (soundfile) is the fast path. FFmpeg (PyAV) decodes what libsndfile does not know, such as
AAC, ALAC, WebM, WMA, AMR, Speex and shorten, and what it does not read faithfully: MPEG audio without
a count of its frames, of which libsndfile 1.2.2 guesses the length and stops there, and FLAC of
unknown length. Of files joined end to end, such as a chained Ogg stream, libsndfile reads the first
and FFmpeg 8 garbles some, so every part is decoded by itself.

What FFmpeg does not do here: its resampler folds a tone of 8.5 kHz back at -26 dB (soxr: -140 dB),
and its mono is 3 dB above the mean of the channels.

MP3 without a header is longer than what was coded, by 0.02 to 0.1 s. From both libraries (libsndfile
1.2.2; PyAV 18.1 with FFmpeg 8) every sample of its frames comes: 1,105 in front, the delay of LAME and
of the decoder, and behind what fills up the last frame, of 576 or 1,152 samples. How many of these are
sound only the header tells that is not there, so none is taken away: n samples become n + 1,105 and
the rest of a frame.

AAC keeps what fills up its last frame, and in front, where no MP4 with an edit list or iTunSMPB tells
it, the delay of its encoder, of 1,024 or 2,048 samples. HE-AAC comes later still: by the 962 samples
of its decoder, which Apple's encoder and fdkaac do not count and others do, and, where iTunSMPB alone
tells the delay, at half the rate, by that delay again. No file says which of these it is.
"""

import io
import os
import re
import stat
import struct
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import accumulate, chain, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from audiopg._types import AnyPath
from audiopg.datasets.containers import CUT, CUT_OUT, TAGS, Content, Part, Unreadable, find_parts
from audiopg.inputs import HIGHEST_SAMPLE_RATE, LOWEST_SAMPLE_RATE

if TYPE_CHECKING:
    import av
    import soundfile

# A sample rate, Hz, and (n,) float32: samples of one channel, or of the mean of all.
Block = tuple[int, np.ndarray]

# Samples of all channels decoded at once.
_AT_ONCE = 2**16
# After a seek libsndfile 1.2.2 gives wrong samples first: up to 1,000 of Vorbis, 110 of MP3.
_PREROLL = 2**14
# A seek into the last page of Vorbis leads libsndfile 1.2.2 elsewhere; 255 packets of 2,048 samples
# are the most that libvorbis puts on one.
_LAST_PAGE = 2**19
# Some of FFmpeg's pages of Vorbis count more samples than libvorbis gives for them, by less than a block.
_BLOCK = 2048
# Of these codecs FFmpeg 8 decodes the same after a seek, but for the noise that stands for noise in
# AAC. AC-3 draws all its noise anew, IMA ADPCM in MOV needs what came before, Opus is elsewhere, and
# tags among the frames of MP3, as of files that were joined, count as frames.
_SEEKABLE = ("aac", "alac", "flac")
# A file changed so shortly ago could change again and keep its times.
_SETTLED_SECONDS = 2
# Where Vorbis and Opus (RFC 7845, 5.1.1.2) keep the channels that WAV and FFmpeg put in their places.
_PLACES = {
    3: (0, 2, 1),
    5: (0, 2, 1, 3, 4),
    6: (0, 2, 1, 5, 3, 4),
    7: (0, 2, 1, 6, 5, 3, 4),
    8: (0, 2, 1, 7, 5, 6, 3, 4),
}
# How DTS begins, in 16 or 14 bits, and what S/PDIF (IEC 61937) carries: in samples of 16 bits.
_CODED = re.compile(rb"\xfe\x7f\x01\x80|\x7f\xfe\x80\x01|\xff\x1f\x00\xe8|\x72\xf8\x1f\x4e")
# What FFmpeg knows by its name alone.
_BY_NAME = (".g722", ".sbc", ".aptx")
# What the names of files that macOS leaves beside others, "._x.wav", stand for.
APPLE_DOUBLE = b"\0\5\x16\7"


class Unreached(Unreadable):
    """What the system does not give, now, whatever the file holds."""


class Piece(NamedTuple):
    """A part of a file and what libsndfile knows of it.

    Attributes:
        path: of the file.
        part: which of its bytes.
        frames: samples a channel; 0 where FFmpeg decodes it, and decoding alone counts them.
        sample_rate: Hz; 0 where FFmpeg decodes it.
    """

    path: AnyPath
    part: Part
    frames: int = 0
    sample_rate: int = 0


def examine(path: AnyPath) -> list[Piece]:
    """What a file is made of, without decoding it.

    Raises:
        Unreadable: for a file that cannot be opened, ends too early or has no samples.
    """
    try:
        state = os.stat(path)
        if not stat.S_ISREG(state.st_mode):
            raise Unreadable("is not a file")
        if not state.st_size:
            raise Unreadable("is empty, without a byte")
        changed = max(state.st_mtime, state.st_ctime)
        is_settled = time.time() - changed > _SETTLED_SECONDS
        look = _look_at if is_settled else _look_at.__wrapped__
        return look(os.path.abspath(path), state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    except FileNotFoundError as error:
        raise Unreached("is not there") from error
    except OSError as error:
        raise Unreached(f"cannot be opened ({error.strerror})") from error
    except ValueError as error:
        raise Unreadable("is not there, for no name holds a null byte") from error


# Every window of a long recording asks again. A thousand files take about a megabyte.
@lru_cache(4096)
def _look_at(path: str, *_: int) -> list[Piece]:
    """The pieces of a file that is there, which has a size and times."""
    with open(path, "rb", buffering=0) as file:
        data = Content(file)
        if data[:4] == APPLE_DOUBLE:
            raise Unreadable("holds no sound, but what macOS notes about another file")
        parts = find_parts(data)
    return [_piece(path, part) for part in parts]


def count(pieces: list[Piece]) -> tuple[int, int]:
    """Samples a channel, and the sample rate in hertz; by decoding, where nothing else tells.

    Raises:
        Unreadable: for what is damaged, has no samples or an impossible rate.
    """
    frames, rate = 0, pieces[0].sample_rate
    if _all_known(pieces):
        frames = sum(piece.frames for piece in pieces)
    else:
        for rate, block in mono_blocks(pieces):  # noqa: B007 - the rate is that of all
            frames += len(block)
    if not frames:
        raise Unreadable("holds no samples")
    return frames, rate


def mono_blocks(pieces: list[Piece], first: int = 0, channel: int | None = None) -> Iterator[Block]:
    """The samples from one on, of a channel or the mean of all, at the rate of the first piece.

    Raises:
        Unreadable: for what is damaged, lacks the channel, or has an impossible rate.
    """
    if _all_known(pieces):
        for piece in pieces:
            if first < piece.frames:
                yield from _decode(piece, first, channel)
            first = max(0, first - piece.frames)
    else:
        # A stream may change its rate on the way, and its samples are counted at that of its start.
        sought = first if len(pieces) == 1 else 0
        blocks = (_decode(piece, sought, channel) for piece in pieces)
        yield from _from(first, at_rate(chain.from_iterable(blocks)))


def _from(first: int, blocks: Iterable[Block]) -> Iterator[Block]:
    """Blocks without the samples before one."""
    for rate, block in blocks:
        if first < len(block):
            yield rate, block[first:]
        first = max(0, first - len(block))


def at_rate(blocks: Iterable[Block], target: int = 0) -> Iterator[Block]:
    """Blocks at one rate, the first's if none is named, by soxr at its quality "HQ"."""
    import soxr

    for rate, alike in groupby(blocks, itemgetter(0)):
        target = target or rate
        if rate == target:
            yield from alike
            continue
        stream = soxr.ResampleStream(rate, target, 1, dtype="float32", quality="HQ")
        for _, block in alike:
            yield target, stream.resample_chunk(block)
        yield target, stream.resample_chunk(np.empty(0, np.float32), last=True)


class Spans(io.RawIOBase):
    """Some bytes of open files, one span after another, as a file of its own.

    Args:
        spans: each an open file, and where in it the span begins and ends.
    """

    def __init__(self, *spans: tuple[BinaryIO, int, int]) -> None:
        self._spans, self._place = spans, 0
        self.error: OSError | None = None
        self._ends = list(accumulate(stop - start for _, start, stop in spans))

    @property
    def size(self) -> int:
        return self._ends[-1]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + (0, self._place, self._ends[-1])[whence]
        # Where a header sends a reader before the start, it stays, as it would in a real file.
        self._place = place if place >= 0 else self._place
        return self._place

    def readinto(self, buffer: bytearray) -> int:
        number = bisect_right(self._ends, self._place)
        if number == len(self._spans):
            return 0
        file, _, stop = self._spans[number]
        left = self._ends[number] - self._place
        file.seek(stop - left)
        try:
            read = file.readinto(memoryview(buffer)[:left])
        except OSError as error:
            self.error = error
            return 0
        self._place += read
        return read


@contextmanager
def _opened(piece: Piece) -> Iterator[Spans]:
    try:
        file = open(piece.path, "rb", buffering=0)  # noqa: SIM115 - closed below
    except OSError as error:
        raise Unreached(f"cannot be opened ({error.strerror})") from error
    with file:
        source = Spans((file, piece.part.start, piece.part.stop))
        # Others are known by their content, whatever their name.
        if (suffix := os.path.splitext(os.fsdecode(piece.path))[1].lower()) in _BY_NAME:
            source.name = f"a{suffix}"
        try:
            yield source
        finally:
            # To a decoder it is the end of the file, which would be called damaged.
            if source.error:
                raise Unreached(f"cannot be read ({source.error.strerror})") from source.error


def _all_known(pieces: list[Piece]) -> bool:
    return all(piece.frames for piece in pieces) and len({p.sample_rate for p in pieces}) == 1


def _piece(path: AnyPath, part: Part) -> Piece:
    import soundfile

    piece = Piece(path, part)
    if not part.counted:
        return piece
    # A header damaged so that the file cannot be searched is a ValueError.
    with (
        suppress(soundfile.SoundFileError, ValueError),
        _opened(piece) as source,
        soundfile.SoundFile(source) as file,
    ):
        # Of MPEG audio in WAV it guesses the length too, and counts samples that it cannot read. In
        # W64 it takes floats, A-law and mu-law behind an extensible header for integers of that width.
        is_misread = (file.format != "MP3" and file.subtype.startswith("MPEG")) or (
            file.format == "W64" and file.subtype in ("PCM_U8", "PCM_32")
        )
        # What S/PDIF carries, and a CD in DTS holds, it plays as the noise that it then is.
        if file.format.startswith("WAV") and (file.channels, file.subtype) == (2, "PCM_16"):
            source.seek(0)
            is_misread = _CODED.search(source.read(2**16)) is not None
        if file.format == "OGG" and file.subtype in ("VORBIS", "OPUS"):
            is_misread = not _begins_at_0(source, file)
            # Such a gap makes the count another, too, and FFmpeg passes over it.
            if is_misread and _lacks_page(source):
                raise Unreadable("is damaged: a page of it is missing")
        # Of MP3 with more padding than sound, of LAME 3.97, it counts all that there could be.
        if 0 < file.frames < 2**62 and not is_misread:
            _check_rate(file.samplerate)
            if file.format == "FLAC":
                _read_last(file)
            piece = Piece(path, part, file.frames, file.samplerate)
    return piece


def _begins_at_0(source: Spans, file: "soundfile.SoundFile") -> bool:
    """Whether the pages of an Ogg stream count its samples from 0, and of Opus without a pause.

    Where they do not, as where FFmpeg copied the packets out of WebM or cut them with ``-c copy``,
    libsndfile 1.2.2 plays the samples of Opus that should be skipped, and leaves out as many at the
    end; of Vorbis it gives more or less than there are. A pause in Opus, as of a call that lost packets,
    it counts, and does not play. Where the end of a stream lies within, as of files that were joined and
    then copied, it fails.
    """
    import av

    source.seek(0)
    coded, start = 0, None
    with suppress(av.error.FFmpegError), av.open(source, **_options()) as container:
        for packet in container.demux(audio=0):
            if file.subtype == "VORBIS":
                # The first packet gives no samples, and those of the next begin at 0.
                if (packet.pts or 0) + (packet.duration or 0) < 0:
                    return False
                # Where blocks of two sizes meet, FFmpeg 8 counts too few samples.
                break
            start = packet.pts if start is None else start
            # 120 samples are the least that a packet has.
            if packet.pts is not None and packet.pts < start + coded - 120:
                return False
            coded += packet.duration or 0
    source.seek(0)
    head = source.read(2**16)
    skipped = head.find(b"OpusHead") + 10 if file.subtype == "OPUS" else 0
    source.seek(max(0, source.size - 2**16))
    last = (rest := source.read(2**16)).rfind(b"OggS", 0, -10)
    (samples,) = struct.unpack_from("<q", rest, last + 6)
    if coded and samples > coded + _BLOCK:
        return False
    if skipped:
        samples -= int.from_bytes(head[skipped : skipped + 2], "little")
        samples = samples * file.samplerate // 48000
    return abs(samples - file.frames) <= 1


def _read_last(file: "soundfile.SoundFile") -> None:
    """Refuse a file whose last sample is not there."""
    import soundfile

    with suppress(soundfile.SoundFileError):
        file.seek(file.frames - 1)
        if len(file.read(1)):
            return
    raise Unreadable(CUT)


def _check_rate(rate: int) -> None:
    if rate < LOWEST_SAMPLE_RATE:
        raise Unreadable(f"claims a sample rate of {rate} Hz, below {LOWEST_SAMPLE_RATE} Hz")
    if rate > HIGHEST_SAMPLE_RATE:
        raise Unreadable(f"claims a sample rate of {rate} Hz, above {HIGHEST_SAMPLE_RATE} Hz")


def _decode(piece: Piece, first: int, channel: int | None) -> Iterator[Block]:
    with _opened(piece) as source:
        yield from (_by_libsndfile if piece.frames else _by_ffmpeg)(piece, source, first, channel)


def _by_libsndfile(piece: Piece, source: Spans, first: int, channel: int | None) -> Iterator[Block]:
    import soundfile

    # Of Opus, the first page says whether its channels have places.
    head = b"" if channel is None else source.read(64)
    source.seek(0)
    has_places = head[28:36] != b"OpusHead" or head[46:47] == b"\1"
    try:
        with soundfile.SoundFile(source) as file:
            # GSM 6.10, G.721 and NMS ADPCM can only be read from their start.
            lossy = file.format in ("OGG", "MP3")
            last = piece.frames - _LAST_PAGE if file.format == "OGG" else first
            place = max(0, min(first, last) - _PREROLL * lossy) if file.seekable() else 0
            if place and not _can_seek(file, place):
                source.seek(0)
                yield from _from(first, _by_ffmpeg(piece, source, first, channel))
                return
            if file.subtype in ("VORBIS", "OPUS") and has_places:
                # libsndfile 1.2.2 keeps the order of Vorbis.
                channel = dict(enumerate(_PLACES.get(file.channels, ()))).get(channel, channel)
            # soundfile 0.14 seeks after every read to where it is, and MP3 then goes on wrong.
            file.seekable = lambda: False
            while place < piece.frames:
                size = min(max(1, _AT_ONCE // file.channels), piece.frames - place)
                channels = file.read(size, dtype="float32", always_2d=True)
                if not len(channels):
                    if file.format != "OGG" or size >= _BLOCK or _lacks_page(source):
                        raise Unreadable(
                            f"is damaged: {place} of its {piece.frames} samples can be read"
                        )
                    channels = np.zeros((size, file.channels), np.float32)
                # A float file can hold anything, so the mean may overflow; callers check that.
                with np.errstate(over="ignore", invalid="ignore"):
                    mono = _one_of(channels, 1, channel)
                    yield piece.sample_rate, mono[max(0, first - place) :]
                place += len(channels)
    except (soundfile.SoundFileError, ValueError) as error:
        raise Unreadable("is damaged: libsndfile cannot decode it") from error


def _can_seek(file: "soundfile.SoundFile", place: int) -> bool:
    """Go there; of FLAC the table of places to seek may not fit, which FFmpeg does not need."""
    import soundfile

    try:
        file.seek(place)
    except soundfile.SoundFileError:
        if file.format != "FLAC":
            raise
        return False
    return True


def _lacks_page(source: Spans) -> bool:
    """Whether the numbers of an Ogg stream's pages have a gap, but for one behind its headers.

    A capture of a radio stream has its headers and goes on with what was sent at that time.
    """
    place, last = 0, {}
    source.seek(0)
    while len(head := source.read(27)) == 27:
        serial, number = struct.unpack_from("<LL", head, 14)
        if number > last.get(serial, number) + 1:
            return True
        # Headers count no samples.
        last |= {serial: number} if any(head[6:14]) else {}
        place += 27 + head[26] + sum(source.read(head[26]))
        source.seek(place)
    return False


def _by_ffmpeg(
    piece: Piece, source: Spans, first: int, channel: int | None, *, seeks: bool = True
) -> Iterator[Block]:
    """All samples; those before the first may be any, of which only the number counts."""
    import av

    try:
        with av.open(source, **_options()) as container:
            stream = _stream(container)
            origin = _seek(container, stream, first) if seeks else None
            place, rate = 0 if origin is None else None, 0
            # Of AMR without its mark the length is an estimate from the bitrate.
            is_told = _is_exact(stream) and container.format.name not in ("amrnb", "amrwb")
            decoded = _decoded(piece, container, stream, is_told)
            for number, (packet, frames) in enumerate(decoded):
                if not number and place == 0:
                    place = -_late(container, stream, packet)
                for frame in frames:
                    _check_rate(frame.sample_rate)
                    if place is None:
                        if frame.pts > first - _PREROLL:
                            # Where the edits of an MP4 meet, FFmpeg 8 lands too late.
                            source.seek(0)
                            yield from _by_ffmpeg(piece, source, first, channel, seeks=False)
                            return
                        place = frame.pts - origin
                        yield frame.sample_rate, np.broadcast_to(np.float32(), place)
                    # A frame of FLAC says which its first sample is; FFmpeg passes over damaged ones.
                    if container.format.name == "flac" and frame.pts != place + piece.part.origin:
                        raise Unreadable("is damaged: a frame of it has changed, or is missing")
                    # The first is counted at the first rate, so behind another all are needed.
                    rate = rate or frame.sample_rate
                    first = first if frame.sample_rate == rate else 0
                    before, place = place, place + frame.samples
                    block = (
                        np.empty(frame.samples, "f4") if place <= first else _mono(frame, channel)
                    )
                    yield frame.sample_rate, block[max(0, -before) :]
            stated = stream.duration or 0 if is_told and not piece.part.checked else 0
            if (place or 0) + piece.part.origin + stream.codec_context.frame_size < stated:
                raise Unreadable(CUT_OUT if piece.part.origin else CUT)
    except av.error.FFmpegError as error:
        raise Unreadable(
            "is damaged, or in a format that neither libsndfile nor FFmpeg reads"
        ) from error


def _options() -> dict[str, object]:
    """A file is no playlist, whatever it says; tags may be in any encoding, as PyAV 19 takes them."""
    import av

    tags = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "ignore"}
    return {"options": {"protocol_whitelist": "none"}, **tags}


def _stream(container: "av.container.InputContainer") -> "av.AudioStream":
    """The stream that is decoded, and how."""
    stream = container.streams.best("audio")
    if stream is None or stream.codec_context is None:
        raise Unreadable("holds no sound, or none that FFmpeg reads")
    if (container.format.name, stream.codec.name) == ("caf", "alac"):
        # FFmpeg 8 takes the end of a last packet away that is short already.
        stream.codec_context.options = {"flags2": "skip_manual"}
    if stream.codec.name in ("wavpack", "tta", "flac", "ape"):
        # Otherwise FFmpeg 8 does not look at the checksums of their blocks and frames.
        stream.codec_context.options = {"err_detect": "crccheck+explode"}
    layout = stream.codec_context.layout
    if "channels (" in layout.name:
        # Such a layout does not always outlive its decoder in PyAV 18.1; a count of channels does.
        stream.codec_context.layout = f"{layout.nb_channels}C"
    return stream


def _packets(
    container: "av.container.InputContainer", stream: "av.AudioStream"
) -> Iterator["av.Packet"]:
    """The packets of a stream; FFmpeg 8 may fail behind the last, at padding or at an empty packet.

    PyAV 18.1 fails there too, where another stream has begun on the way. Zeros are no packets, though
    Opus and AMR take them for short frames. But samples that are 0 are silence, and so are Opus of one
    byte and what libvorbis fills up to a bitrate.
    """
    import av

    least = 3 if re.search("opus|amr", stream.codec.name) else 64
    may_be_zeros = re.search("pcm|vorbis|dsd", stream.codec.name)
    failed, place, zeros = None, 0, 0
    while True:
        try:
            for packet in container.demux(stream):
                if failed and packet.size:
                    raise failed
                place = packet.pos or place
                if packet.size > least and not may_be_zeros:
                    zeros = 0 if any(bytes(packet)) else zeros + packet.size
                if zeros > 64:
                    raise Unreadable("is damaged: zeros are in the place of its packets")
                yield packet
            return
        except IndexError as error:
            if container.size - place > max(2**16, container.size // 20):
                raise Unreadable("goes on in another stream, which would be lost") from error
            if packet.size:
                # What tells the decoder to give the rest.
                packet = av.Packet()
                packet.stream = stream
                yield packet
            return
        except (av.error.InvalidDataError, av.error.BlockingIOError) as error:
            # Of Ogg all pages are known to be whole; elsewhere, the rest would be lost.
            is_end = container.format.name == "ogg" or isinstance(error, av.error.BlockingIOError)
            if failed or not is_end:
                raise
            failed = error


def _decoded(
    piece: Piece,
    container: "av.container.InputContainer",
    stream: "av.AudioStream",
    is_told: bool,
) -> Iterator[tuple["av.Packet", list["av.AudioFrame"]]]:
    """The packets of a stream with the frames of each, where none is cut off that was promised."""
    # Pictures may go on, and of MP3 in ASF what is stated may be wrong.
    is_wma = len(container.streams) == 1 and stream.codec.name.startswith("wma")
    end, in_tag = 0.0, False
    for number, packet in enumerate(_packets(container, stream)):
        # Also said of the end of what a pipe left open.
        if packet.is_corrupt and not piece.part.checked:
            raise Unreadable(CUT)
        if packet.size and is_wma:
            end = float((packet.pts or 0) * packet.time_base)
        in_tag |= bytes(packet)[:3] in TAGS
        frames = _frames(packet, in_tag or not (number or is_told or piece.part.checked))
        # FFmpeg's -c copy makes packets of a tag between two MP3s, and of what it cuts off there.
        in_tag &= not frames
        end += sum(frame.samples / frame.sample_rate for frame in frames) if is_wma else 0
        yield packet, frames
    # It is not stated to the sample; and of WMA Pro no packet says how long it is.
    if is_wma and end < piece.part.seconds - 0.5:
        raise Unreadable(CUT)


def _frames(packet: "av.Packet", may_be_torn: bool) -> list["av.AudioFrame"]:
    """The frames of a packet; none of the rest of one that a capture begins in, as of a broadcast."""
    import av

    try:
        return packet.decode()
    except (av.error.InvalidDataError, av.error.ArgumentError):
        # VLC 3 ends Ogg with an empty packet.
        if may_be_torn or not any(bytes(packet)):
            return []
        raise


def _late(
    container: "av.container.InputContainer", stream: "av.AudioStream", packet: "av.Packet"
) -> int:
    """How many samples FFmpeg plays before the sound begins, by what Opus itself says (RFC 7845, 5.1).

    Matroska says it again, in nanoseconds. FFmpeg 5.1 counts the samples at 48 kHz, and takes them
    there for samples at the rate of the encoder's input.
    """
    head = stream.codec_context.extradata or b""
    is_told_twice = head[:8] == b"OpusHead" and packet.has_sidedata("skip_samples")
    if not (is_told_twice and container.format.name.startswith("matroska")):
        return 0
    skipped = int.from_bytes(bytes(packet.get_sidedata("skip_samples"))[:4], "little")
    return max(0, int.from_bytes(head[10:12], "little") - skipped)


def _is_exact(stream: "av.AudioStream") -> bool:
    """Whether the times of a stream are counted in samples."""
    return bool(stream.rate) and stream.time_base * stream.rate == 1


def _seek(
    container: "av.container.InputContainer", stream: "av.AudioStream", first: int
) -> int | None:
    """Go to before a sample, where frames then say which they are: MP4, whose index is exact.

    Returns:
        What the first frame of all says, more than 0 behind packets of libfaac's name; None without.
    """
    name = stream.codec_context.name
    is_known = name in _SEEKABLE or name.startswith("pcm_")
    is_mp4 = container.format.name.startswith("mov") and is_known
    is_counted = is_mp4 and _is_exact(stream) and stream.start_time == 0
    if first <= _PREROLL or not (is_counted and _is_even(stream, first - _PREROLL)):
        return None
    frames = (
        frame.pts for packet in _packets(container, stream) for frame in _frames(packet, False)
    )
    origin = next(frames, None)
    container.seek(first - _PREROLL, stream=stream)
    return origin


def _is_even(stream: "av.AudioStream", place: int) -> bool:
    """Whether the times of an MP4 count its samples up to there, and do not pass over a pause."""
    if stream.codec_context.name.startswith("pcm_"):
        return stream.frames == stream.duration
    # Of an MP4 in fragments the index has only those that were read.
    entries = stream.index_entries
    if len(entries) < 3:
        return False
    start = entries[0].timestamp
    step = stream.codec_context.frame_size or max(1, entries[1].timestamp - start)
    number = (place - start) // step
    # Where edits meet, a frame may begin before the one in front of it has ended.
    return 1 < number < len(entries) - 1 and all(
        entries[each].timestamp == start + each * step for each in (number, number + 1)
    )


def _one_of(
    channels: np.ndarray, axis: int, channel: int | None, dtype: type | None = None
) -> np.ndarray:
    """One of the channels that lie along an axis, or the mean of all."""
    if channel is None:
        return channels.mean(axis=axis, dtype=dtype)
    if channel >= channels.shape[axis]:
        raise Unreadable(f"has no channel {channel + 1}, but {channels.shape[axis]}")
    return channels.take(channel, axis)


def _mono(frame: "av.AudioFrame", channel: int | None) -> np.ndarray:
    """A channel of a frame, or the mean of all: (n,) float32."""
    import av

    # Of integers of 64 bits PyAV 18.1 makes no array.
    if frame.format.packed.name == "s64":
        (frame,) = av.AudioResampler(format="dbl").resample(frame)
    # PyAV 18.1 hands over the samples of many channels safely only where they are interleaved.
    if frame.format.is_planar and frame.layout.nb_channels >= 8:
        (frame,) = av.AudioResampler(format=frame.format.packed).resample(frame)
    channels = frame.to_ndarray()
    if frame.format.is_packed:
        channels = channels.reshape(-1, frame.layout.nb_channels).T
    dtype = np.float64 if channels.dtype.itemsize > 2 else np.float32
    mono = _one_of(channels, 0, channel, dtype)
    if channels.dtype.kind in "iu":
        scale = 2.0 ** (8 * channels.dtype.itemsize - 1)
        mono = mono / scale - (channels.dtype.kind == "u")
    return mono.astype(np.float32)
