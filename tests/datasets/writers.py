"""Recordings in the formats that people have, as bytes, made with libsndfile and FFmpeg."""

import io
import struct
from functools import cache
from tempfile import NamedTemporaryFile

import av
import numpy as np
import soundfile

SECONDS = 2


class Pipe:
    """A file that cannot go back, so that what is written to it cannot be mended at the end."""

    def __init__(self):
        self.content = bytearray()

    def write(self, content):
        self.content += content
        return len(content)


def sound(rate, channels=1, seconds=SECONDS):
    """A tone that glides, louder to the end, in noise, in other parts in each channel."""
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(rate).uniform(-0.01, 0.01, (channels, len(t)))
    glide = 0.3 * t / seconds * np.sin(2 * np.pi * (200 + 150 * t) * t)
    return (noise + np.linspace(1, 0.5, channels)[:, None] * glide).astype(np.float32)


def by_libsndfile(kind, subtype=None, rate=16000, channels=1):
    file = io.BytesIO()
    soundfile.write(file, sound(rate, channels).T, rate, subtype, format=kind)
    return file.getvalue()


def by_ffmpeg(
    kind,
    codec,
    rate=16000,
    channels=1,
    pipe=False,
    sample="",
    settings=None,
    seconds=SECONDS,
    **options,
):
    """What FFmpeg's muxer and encoder make, with options of the muxer; to a pipe or to a file."""
    layout, out = ("mono", "stereo")[channels - 1], Pipe()
    with (
        NamedTemporaryFile() as file,
        av.open(out if pipe else file.name, "w", format=kind, options=options) as container,
    ):
        stream = container.add_stream(codec, rate=rate, layout=layout)
        sample = sample or stream.codec_context.codec.audio_formats[0].name
        stream.codec_context.format = sample
        stream.options = settings or {}
        wave = sound(rate, channels, seconds)
        if "16" in sample:
            wave = np.rint(wave * 32767).astype(np.int16)
        if not sample.endswith("p"):
            wave = wave.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), sample, layout)
        frame.sample_rate = rate
        # FLAC ends with a packet of nothing but a checksum, which Ogg has no room for.
        packets = [*stream.encode(frame), *stream.encode(None)]
        container.mux([packet for packet in packets if packet.size or kind == "flac"])
        container.close()
        return bytes(out.content) if pipe else file.read()


def amr_wb():
    """A hundred frames of 20 ms, of 23.85 kbit/s: any bits are some sound."""
    rng = np.random.default_rng(0)
    return b"#!AMR-WB\n" + b"".join(b"\x44" + rng.bytes(60) for _ in range(50 * SECONDS))


def sox():
    """SoX's own format: 32 bits, with a number of samples."""
    samples = np.rint(sound(16000)[0] * 2.0**31).astype("<i4")
    return b".SoX" + struct.pack("<LQdLL", 28, len(samples), 16000, 1, 0) + samples.tobytes()


def free_format(**options):
    """MP3 whose frames do not say their bitrate, all of one length: 64 kbit/s, 288 bytes."""
    settings = {"b": "64k"}
    content = by_ffmpeg("mp3", "libmp3lame", sample="fltp", settings=settings, **options)
    content = bytearray(content[content.index(b"\xff\xf3") :])
    for place in range(0, len(content), 288):
        content[place + 2] &= 15
    return bytes(content)


def shorten():
    """SPHERE with its samples compressed, as corpora of speech are, by differences alone."""
    wave = np.rint(sound(16000)[0] * 32767).astype(int)
    bits = []

    def number(value, size):
        """Unary, then so many bits."""
        bits.append(
            "0" * (value >> size) + "1" + (f"{value & (1 << size) - 1:0{size}b}" * (size > 0))
        )

    # 16 bits with the lower byte first, 1 channel, blocks of 256, no predictor, no mean, no bytes
    # to skip; each number after the bits that it takes.
    for value in (5, 1, 256, 0, 0, 0):
        number(value.bit_length(), 2)
        number(value, value.bit_length())
    for first in range(0, len(wave), 256):
        block = np.diff(wave[first : first + 256], prepend=wave[first - 1] if first else 0)
        number(1, 2)  # First differences ...
        number(8, 3)  # ... of a sign, 8 bits and what is beyond.
        for difference in block.tolist():
            number(2 * difference if difference >= 0 else -2 * difference - 1, 9)
    number(4, 2)
    coded = "".join(bits)
    coded += "0" * (-len(coded) % 32)
    body = b"ajkg\x02" + int(coded, 2).to_bytes(len(coded) // 8)
    header = (
        "NIST_1A\n   1024\nchannel_count -i 1\nsample_rate -i 16000\nsample_n_bytes -i 2\n"
        f"sample_count -i {len(wave)}\nsample_byte_format -s2 01\n"
        "sample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
    )
    return header.encode().ljust(1024) + body


@cache
def recordings():
    """Each by its name: its bytes, its rate, and how many samples it holds, and may hold besides.

    Encoders fill up their last frame, and without a header that says so this is heard.
    """
    plain = 16000 * SECONDS
    made = {
        f"{kind}-{subtype}": (by_libsndfile(kind, subtype), 16000, plain, 0)
        for kind, subtypes in {
            "WAV": ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ULAW"],
            "WAVEX": ["PCM_16"],
            "RF64": ["PCM_16"],
            "W64": ["PCM_16"],
            "AIFF": ["PCM_16", "FLOAT", "ALAW"],
            "AU": ["PCM_16", "FLOAT"],
            "CAF": ["PCM_16", "ALAC_16"],
            "NIST": ["PCM_16", "ULAW"],
            "SVX": ["PCM_16"],
            "FLAC": ["PCM_16", "PCM_24"],
            "OGG": ["VORBIS", "OPUS"],
            "MP3": ["MPEG_LAYER_III"],
            "VOC": ["PCM_16"],
        }.items()
        for subtype in subtypes
    }
    # Blocks of telephony and of ADPCM are filled up too.
    for subtype, block in {
        "GSM610": 320,
        "G721_32": 120,
        "NMS_ADPCM_16": 160,
        "NMS_ADPCM_32": 160,
        "IMA_ADPCM": 505,
        "MS_ADPCM": 500,
    }.items():
        made[f"WAV-{subtype}"] = (by_libsndfile("WAV", subtype, 8000), 8000, 8000 * SECONDS, block)
    for name, (content, rate, besides) in {
        "m4a-aac": (by_ffmpeg("ipod", "aac"), 16000, 2048),
        "m4a-stereo": (by_ffmpeg("ipod", "aac", 44100, 2, movflags="+faststart"), 44100, 2048),
        "m4a-alac": (by_ffmpeg("ipod", "alac", sample="s16p"), 16000, 0),
        "mp4-fragments": (
            by_ffmpeg("mp4", "aac", movflags="frag_keyframe+empty_moov", frag_duration="200000"),
            16000,
            2048,
        ),
        "caf-alac": (by_ffmpeg("caf", "alac", sample="s16p"), 16000, 0),
        "webm": (by_ffmpeg("webm", "libopus", 48000), 48000, 0),
        "mka": (by_ffmpeg("matroska", "pcm_s16le"), 16000, 0),
        "aac": (by_ffmpeg("adts", "aac"), 16000, 2048),
        "amr-wb": (amr_wb(), 16000, 0),
        "mp4-ac3": (by_ffmpeg("mp4", "ac3", 48000), 48000, 1536),
        "mp4-opus": (by_ffmpeg("mp4", "libopus", 48000), 48000, 960),
        "mov-ima": (by_ffmpeg("mov", "adpcm_ima_qt", 44100, 2), 44100, 64),
        "ac3": (by_ffmpeg("ac3", "ac3", 44100), 44100, 3072),
        "eac3": (by_ffmpeg("eac3", "eac3", 48000), 48000, 3072),
        "flv": (by_ffmpeg("flv", "aac", 44100), 44100, 2048),
        "sox": (sox(), 16000, 0),
        "adx": (by_ffmpeg("adx", "adpcm_adx"), 16000, 0),
        "shorten": (shorten(), 16000, 0),
        # Without its tag.
        "wv": (by_ffmpeg("wv", "wavpack", sample="s16p").partition(b"APETAGEX")[0], 16000, 0),
        "tta": (by_ffmpeg("tta", "tta", sample="s16"), 16000, 0),
        "ogg-flac": (by_ffmpeg("ogg", "flac"), 16000, 0),
        "mp3-bare": (by_ffmpeg("mp3", "libmp3lame", sample="fltp", write_xing="0"), 16000, 2304),
        "mp3-bare-variable": (
            by_ffmpeg(
                "mp3", "libmp3lame", 44100, sample="fltp", write_xing="0", settings={"abr": "1"}
            ),
            44100,
            3456,
        ),
        "wav-mp3": (by_ffmpeg("wav", "libmp3lame", sample="fltp"), 16000, 2304),
        "mp2": (by_ffmpeg("mp2", "mp2", 16000), 16000, 2304),
        "wav-piped": (by_ffmpeg("wav", "pcm_s16le", pipe=True), 16000, 0),
        "w64-piped": (by_ffmpeg("w64", "pcm_s16le", pipe=True), 16000, 0),
        "aiff-piped": (by_ffmpeg("aiff", "pcm_s16be", pipe=True), 16000, 0),
        "au-piped": (by_ffmpeg("au", "pcm_s16be", pipe=True), 16000, 0),
        "caf-piped": (by_ffmpeg("caf", "pcm_s16le", pipe=True), 16000, 0),
        "flac-piped": (by_ffmpeg("flac", "flac", pipe=True), 16000, 0),
        "webm-live": (by_ffmpeg("webm", "libopus", 48000, pipe=True, live="1"), 48000, 0),
    }.items():
        made[name] = content, rate, rate * SECONDS, besides
    # The wheels of PyAV 19 have no encoder of AMR.
    if "libopencore_amrnb" in av.codecs_available:
        made["amr"] = by_ffmpeg("amr", "libopencore_amrnb", 8000), 8000, 8000 * SECONDS, 320
    # FFmpeg's encoder of WMA keeps its last frame to itself.
    made["wma"] = by_ffmpeg("asf", "wmav2", 44100, settings={"b": "96000"}), 44100, 88064, 136
    return made


def open_size(size):
    """WAV in 16 bits whose samples are said to have a size, as a writer to a pipe leaves it."""
    content = bytearray(by_libsndfile("WAV", "PCM_16"))
    content[4:8] = struct.pack("<L", min(36 + size, 2**32 - 1))
    content[40:44] = struct.pack("<L", size)
    return bytes(content)


def pages(content):
    """The pages of an Ogg file."""
    place, found = 0, []
    while place < len(content):
        segments = content[place + 26]
        length = 27 + segments + sum(content[place + 27 : place + 27 + segments])
        found.append(content[place : place + length])
        place += length
    return found


def without_end_mark(content):
    """An Ogg file whose last page does not say that it is the last, as Android writes it."""
    *before, last = pages(content)
    last = bytearray(last)
    last[5] &= ~4
    return b"".join(before) + with_checksum(last)


def with_checksum(page):
    """A page of Ogg with the checksum that it should have, bit by bit."""
    checksum = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = checksum << 1 ^ (0x104C11DB7 if checksum & 1 << 31 else 0)
    return bytes(page[:22]) + struct.pack("<L", checksum) + bytes(page[26:])
