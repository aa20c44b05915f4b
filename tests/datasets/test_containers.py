"""What is cut short shows, and what is whole is never called cut, container by container."""

import io
import os
import re
import struct
import sys
import wave
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import soxr

from audiopg.datasets.audio import load_audio, read_header, read_window
from audiopg.datasets.containers import CUT, Content, Part, Unreadable, find_parts
from audiopg.errors import InputError

sys.path.insert(0, str(Path(__file__).parent))
import writers

# Containers that a pipe left open; a cut of these cannot be seen, as the table of the module says.
OPEN = ("wav-piped", "w64-piped", "aiff-piped", "au-piped", "caf-piped")
FRAMED = ("aac", "ac3", "amr", "amr-wb", "eac3", "mp3-bare", "mp3-bare-variable", "mp2")
STRANGE = "an element in it is of no kind that may stand there"
UNREADABLE = "is damaged, or in a format that neither libsndfile nor FFmpeg reads"
WHOLE = {name: content for name, (content, *_) in writers.recordings().items()}


def parts_of(content):
    return find_parts(Content(io.BytesIO(content)))


@pytest.fixture
def read(tmp_path):
    """Samples and rate of some bytes as a file, or why not; and whether reading it all agrees."""

    def read(content, name="a.wav"):
        path = tmp_path / name
        path.write_bytes(content)
        header = read_header(path)
        if isinstance(header, str):
            known = r"cut short|damaged|no samples|empty|no sound|counts|in two places"
            with pytest.raises(InputError, match=known):
                load_audio(path)
        else:
            assert len(load_audio(path, header[1])) == header[0]
        return header

    return read


def boundaries(content):
    """Where the packets of a file end, as FFmpeg's demuxer says."""
    with av.open(io.BytesIO(content)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
    return [packet.pos + packet.size for packet in packets]


def cuts(content):
    """Where to cut: near both ends and in between, by chance, but not between frames."""
    rng = np.random.default_rng(len(content))
    places = {1, 3, 40, len(content) - 1, len(content) - 2, *rng.integers(1, len(content), 12)}
    return sorted(places)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_whole(read, name):
    content, rate, least, besides = writers.recordings()[name]
    frames, found = read(content)
    assert found == rate
    assert least <= frames <= least + besides


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in OPEN])
def test_a_file_that_ends_too_early_is_refused(read, name):
    content = WHOLE[name]
    # Shine leaves up to 3 bytes of MP3 out.
    lost = range(4 if name.startswith("mp3") else 1)
    unseen = {end - n for end in boundaries(content) for n in lost} if name in FRAMED else ()
    if name == "tta":
        content = content[: boundaries(content)[-1]]  # A tag follows.
    if name == "CAF-ALAC_16":
        content = content[:-1]  # A byte fills it up.
    if name == "VOC-PCM_16":
        content = content[:-1]  # A byte says that nothing follows.
    if name == "shorten":
        content = content[:-4]  # Bits fill it up.
    seen = [place for place in cuts(content) if place not in unseen]
    assert len(seen) > 8
    for place in seen:
        assert isinstance(read(content[:place]), str), place


@pytest.mark.parametrize("behind", [b"", b"TAG" + bytes(125)])
def test_the_last_bytes_of_mp3_may_be_missing_as_of_shine(read, behind):
    content = WHOLE["mp3-bare"]
    with av.open(io.BytesIO(content[:-3])) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    for lost in (1, 2, 3):
        assert read(content[:-lost] + behind) == (samples, 16000) == read(content)
    assert read(content[:-4] + behind) == read(WHOLE["MP3-MPEG_LAYER_III"][:-1]) == CUT


@pytest.mark.parametrize("name", [name for name in FRAMED if name in WHOLE])
def test_a_cut_between_frames_of_what_states_no_length_cannot_be_known(read, name):
    content = WHOLE[name]
    frames, _ = read(content)
    places = boundaries(content)
    fewer, _ = read(content[: places[len(places) // 2]])
    assert 0.4 < fewer / frames < 0.6


def test_a_cut_header_of_video_is_seen_too(read):
    # AVI is RIFF, without a chunk of samples alone.
    content = writers.by_ffmpeg("avi", "pcm_s16le")
    assert read(content) == (32000, 16000)
    assert read(content[:-1000]).startswith("is cut short")


def test_a_cut_between_blocks_of_a_live_stream_cannot_be_known(read):
    # Browsers leave the size of a cluster open, all ones, as FFmpeg does that of the segment.
    content = bytearray(WHOLE["webm-live"])
    for cluster in re.finditer(b"\x1f\x43\xb6\x75", bytes(content)):
        place = cluster.end()
        width = 9 - content[place].bit_length()
        content[place : place + width] = ((1 << 7 * width + 1) - 1).to_bytes(width)
    assert read(bytes(content)) == (96000, 48000)
    half = len(content) // 2
    found = [read(bytes(content[:place])) for place in range(half, half + 300)]
    seen = {header for header in found if not isinstance(header, str)}
    assert len(seen) in (1, 2)
    assert all(0.4 * 96000 < frames < 0.6 * 96000 for frames, _ in seen)
    assert sum(isinstance(header, str) for header in found) > 290


def test_a_cut_between_pages_of_ogg_cannot_be_known(read):
    pages = writers.pages(WHOLE["OGG-VORBIS"])
    frames, _ = read(b"".join(pages[:-1]))
    assert 0 < frames < 32000


@pytest.mark.parametrize("kind", ["OGG-VORBIS", "OGG-OPUS", "ogg-flac"])
def test_an_ogg_file_without_the_mark_of_its_end_is_whole(read, kind):
    # Android's OggWriter never sets it: a page of Telegram's or BCR's recordings has flags of 0.
    content = writers.without_end_mark(WHOLE[kind])
    assert content != WHOLE[kind]
    # Opus is then in 48 kHz, and of its last packet all is heard.
    frames, rate = read(content)
    assert frames / rate == pytest.approx(2, abs=0.02)


@pytest.mark.parametrize("kind", ["OGG-VORBIS", "OGG-OPUS", "ogg-flac"])
def test_an_ogg_file_may_end_in_a_page_of_nothing_but_its_mark(read, kind):
    plain = writers.without_end_mark(WHOLE[kind])
    last = writers.pages(plain)[-1]
    (number,) = struct.unpack_from("<L", last, 18)
    page = last[:5] + b"\4" + last[6:18] + struct.pack("<L", number + 1) + bytes(5)
    frames, rate = read(plain + writers.with_checksum(page))
    assert frames / rate == pytest.approx(2, abs=0.02)


def test_an_ogg_file_whose_last_packet_goes_on_is_cut(read):
    *before, last = writers.pages(WHOLE["OGG-VORBIS"])
    page = b"OggS" + bytes([0, 0]) + last[6:26] + bytes([1, 255]) + bytes(255)
    assert read(b"".join(before) + writers.with_checksum(page)).startswith("is cut short")


@pytest.mark.parametrize("kind", ["OGG-VORBIS", "OGG-OPUS", "ogg-flac"])
def test_a_bit_that_has_changed_in_ogg_is_damage_and_not_a_shorter_file(read, kind):
    """A decoder leaves out the page that it is on, which can be a second of sound."""
    content = WHOLE[kind]
    for place in np.random.default_rng(1).integers(len(content) // 3, len(content), 10):
        changed = bytearray(content)
        changed[place] ^= 1
        assert read(bytes(changed)).startswith(("is damaged: ", "is cut short")), place
    changed[place] ^= 1
    changed[-1] ^= 128
    assert read(bytes(changed)) == (
        "is damaged: a page of it has changed, and would be passed over"
    )


def test_bytes_between_the_pages_of_ogg_are_damage(read):
    first, *rest = writers.pages(WHOLE["OGG-VORBIS"])
    content = first + b"".join(rest[:1]) + bytes(100) + b"".join(rest[1:])
    assert read(content).startswith("is damaged: other bytes lie between its pages")


@pytest.mark.parametrize(
    "size",
    [0, 0x7FFF0000, 0x7FFFF000, 0x7FFFEFFE, 0x7FFFFFFF, 0x80000000, 0xEFFFFFDB, 0xFFFFFFFF],
)
def test_wav_from_a_pipe_is_read_to_its_end(read, size):
    content = writers.open_size(size)
    assert read(content) == (32000, 16000)
    assert read(content[:-20000]) == (22000, 16000)


@pytest.mark.parametrize("size", [0x7F000008, 0x7FFF0008])
def test_aiff_from_a_pipe_is_read_to_its_end(read, size):
    """As SoX and GStreamer write it: a count of samples in COMM that fits the size of SSND."""
    common = struct.pack(">hLh", 1, (size - 8) // 2, 16) + b"\x40\x0c\xfa" + bytes(7)
    body = b"AIFFCOMM" + struct.pack(">L", 18) + common + b"SSND" + struct.pack(">LQ", size, 0)
    samples = np.rint(writers.sound(16000)[0] * 32767).astype(">i2").tobytes()
    content = b"FORM" + struct.pack(">L", size + 38) + body + samples
    assert read(content) == (32000, 16000)
    assert read(content[:-20000]) == (22000, 16000)


@pytest.mark.parametrize("size", [64001, 2_000_000_000, 3_000_000_000])
def test_a_size_that_no_pipe_leaves_tells_a_cut(read, size):
    assert read(writers.open_size(size)).startswith("is cut short")


@pytest.mark.parametrize(
    ("kind", "size"), [("WAV", 2**29), ("WAV", 0x7FFFF000), ("WAV", 0xFFFFFFFF), ("AU", 2**29)]
)
def test_more_sound_than_a_header_can_count_is_not_shortened(tmp_path, kind, size):
    """A size of 32 bits begins again after 4 GiB; SoX leaves 2 GiB in what it pipes, FFmpeg 4 GiB."""
    content = bytearray(WHOLE[f"{kind}-PCM_16"])
    place = 8 if kind == "AU" else content.index(b"data") + 4
    content[place : place + 4] = struct.pack(">L" if kind == "AU" else "<L", size)
    content[4:8] = content[4:8] if kind == "AU" else struct.pack("<L", size)
    path = tmp_path / "long"
    path.write_bytes(content)
    os.truncate(path, 2**32 + 2**29)
    assert "more than its header counts" in read_header(path)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_U8"])
def test_samples_behind_those_that_a_header_counts_are_not_left_out(read, subtype):
    """As where a recorder that writes its sizes now and then lost its power."""
    content = bytearray(writers.by_libsndfile("WAV", subtype, 96000))
    size = len(content) - 44
    counted = size // 2 + 1
    content[4:8], content[40:44] = struct.pack("<L", counted + 36), struct.pack("<L", counted)
    assert "holds more than its header counts" in read(bytes(content))
    whole = writers.by_libsndfile("WAV", subtype, 96000)
    for behind in (b"LIST" + struct.pack("<L", 2**17) + b"\1" * 2**17, bytes(2**17), b"\1" * 500):
        assert read(whole + behind) == read(whole)
    half = size // 4 * 2
    chunks = [b"data" + struct.pack("<L", half) + whole[44 : 44 + half]] * 2
    twice = b"RIFF" + struct.pack("<L", 36 + 8 + 2 * half) + whole[8:36] + b"".join(chunks)
    assert "in two places" in read(twice)


@pytest.mark.parametrize("lost", [0, 2])
def test_a_byte_too_few_where_arecord_begins_another_file_is_none(tmp_path, lost):
    """arecord 1.2.8 counts 2^31 - 1 bytes of 2^31."""
    path = tmp_path / "a.wav"
    path.write_bytes(writers.open_size(2**31 - 1)[:44])
    os.truncate(path, 44 + 2**31 - lost)
    assert read_header(path)[0] == pytest.approx(2**30, abs=1)


def test_silence_behind_the_first_block_of_a_killed_recorder_hides_no_sound(read):
    content = bytearray(writers.by_libsndfile("WAV", "PCM_16", 96000))
    content[4:8], content[40:44] = struct.pack("<L", 2048 + 36), struct.pack("<L", 2048)
    content[44 : 44 + 150000] = bytes(150000)
    assert read(bytes(content)).startswith("holds more than its header counts")


@pytest.mark.parametrize("kind", ["WAV", "RIFX", "AIFF", "W64"])
@pytest.mark.parametrize("name", [b"LIST", b"_PMX", b"id3 "])
def test_samples_that_look_like_the_name_of_a_chunk_are_none(read, kind, name):
    """As 8 bits below the middle do; and a chunk behind the end of the file is no sound."""
    endian = {"WAV": "LITTLE", "RIFX": "BIG"}.get(kind, "FILE")
    file = io.BytesIO()
    subtype = "PCM_S8" if kind == "AIFF" else "PCM_U8"
    wave_ = 0.3 * np.sin(np.arange(4000))
    soundfile.write(file, wave_, 16000, subtype, endian, "WAV" if endian != "FILE" else kind)
    content, order = file.getvalue(), "<" if kind in ("WAV", "W64") else ">"
    length = struct.pack(f"{order}q", 1024) if kind == "W64" else struct.pack(f"{order}L", 1000)
    chunk = name.ljust(16, b"\x9d") if kind == "W64" else name
    assert read(content + chunk + length + bytes(range(1, 251)) * 4) == (4000, 16000)
    assert read(content + name + b"mnop" * 200).startswith("holds more than its header counts")


def test_rf64_that_a_pipe_left_open_is_not_called_empty():
    content = bytearray(WHOLE["RF64-PCM_16"])
    content[20:44] = bytes(24)
    with pytest.raises(Unreadable, match="more than its header counts"):
        parts_of(bytes(content))


@pytest.mark.parametrize("size", [2**31 - 2**23, 2**31 - 4096, 2**31 - 512, 2**32 - 1024])
def test_a_true_size_where_recorders_begin_another_file_is_believed(tmp_path, size):
    path = tmp_path / "a.wav"
    path.write_bytes(writers.open_size(size)[:44])
    os.truncate(path, 44 + size)
    assert read_header(path) == (size // 2, 16000)
    with path.open("ab") as file:
        file.write(ID3V1)
    assert read_header(path) == (size // 2, 16000)
    os.truncate(path, 44 + size // 2)
    # SoX leaves this one in what it pipes.
    cut = (
        (size // 4, 16000)
        if size == 2**31 - 4096
        else "is cut short: it ends before its samples do"
    )
    assert read_header(path) == cut


def test_wav_without_samples_holds_none_though_other_chunks_follow(read):
    content = io.BytesIO()
    soundfile.write(content, np.zeros(0), 16000, format="WAV", subtype="PCM_16")
    assert read(content.getvalue()) == "holds no samples"
    info = b"LIST" + struct.pack("<L", 400) + bytes(400)
    content = bytearray(content.getvalue() + info)
    content[4:8] = struct.pack("<L", len(content) - 8)
    assert read(content) == "holds no samples"


@pytest.mark.parametrize("silence", [0, 1000, 32000])
@pytest.mark.parametrize("name", ["WAV-PCM_16", "WAV-PCM_U8", "WAV-FLOAT"])
def test_samples_without_a_size_are_read_to_the_end_that_the_file_counts(read, name, silence):
    content = bytearray(WHOLE[name])
    place = content.index(b"data") + 8
    content[place - 4 : place] = bytes(4)
    content[place : place + silence] = bytes(silence)
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    assert read(content) == read(WHOLE[name])


@pytest.mark.parametrize("order", ["BIG", "LITTLE"])
def test_the_order_of_bytes_does_not_matter(read, order):
    for kind in ("WAV", "AU", "CAF"):
        file = io.BytesIO()
        soundfile.write(file, writers.sound(16000)[0], 16000, "PCM_16", order, kind)
        content = file.getvalue()
        assert read(content) == (32000, 16000)
        assert read(content[:-1000]).startswith("is cut short")


def test_what_lies_behind_the_samples_may_be_cut(read):
    content = WHOLE["WAV-PCM_16"] + b"LIST\x04\0\0\0ab"
    assert read(content) == (32000, 16000)


@pytest.mark.parametrize("before", [b"", b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)])
def test_mp3_in_free_format_is_read_where_a_header_counts_its_frames(tmp_path, before):
    path = tmp_path / "a.mp3"
    path.write_bytes(before + writers.free_format(write_xing="0"))
    with pytest.raises(InputError, match=r"a\.mp3 is MP3 in free format, .*; convert it"):
        load_audio(path)
    content = writers.free_format()
    path.write_bytes(before + content)
    assert len(load_audio(path)) == 32000
    path.write_bytes(before + content[: len(content) // 2])
    with pytest.raises(InputError, match=r"a\.mp3 is damaged: \d+ of its 32000 samples"):
        load_audio(path)


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "CAF", "W64", "RF64", "NIST", "OGG"])
def test_a_header_alone_holds_no_samples(read, kind):
    content = io.BytesIO()
    soundfile.write(content, np.zeros(0), 16000, format=kind)
    assert read(content.getvalue()) == "holds no samples"


def test_a_stream_of_no_codec_holds_no_sound(read):
    # FFmpeg finds a stream in it, but no block says what it is of.
    assert read(voc() + b"\0") == "holds no sound, or none that FFmpeg reads"


def test_sox_that_a_pipe_left_open_is_read_to_its_end(read):
    content = WHOLE["sox"][:8] + bytes(8) + WHOLE["sox"][16:]
    assert read(content) == (32000, 16000)
    assert read(content[:-40000]) == (22000, 16000)


def voc(*blocks):
    """Blocks of a kind and content each, in 8 bits at 8 kHz."""
    header = b"Creative Voice File\x1a" + struct.pack("<3H", 26, 0x10A, 0x1129)
    return header + b"".join(
        bytes([kind]) + len(content).to_bytes(3, "little") + content for kind, content in blocks
    )


def test_dsf_holds_what_it_counts_though_its_last_block_is_filled_up(read):
    bits = 2_822_400 // 8
    form = struct.pack("<QLLLLLLQLL", 52, 1, 0, 1, 1, 2_822_400, 1, bits, 4096, 0)
    samples = bytes([0x69]) * -(-bits // 8 // 4096) * 4096
    content = b"DSD " + struct.pack("<3Q", 28, 92 + len(samples), 0) + b"fmt " + form
    content += b"data" + struct.pack("<Q", 12 + len(samples)) + samples
    assert read(content) == (bits // 8, 352_800)
    assert read(content[:-1]).startswith("is cut short")


def test_voc_is_read_block_by_block(read):
    samples = (128 + 100 * writers.sound(8000)[0]).astype(np.uint8).tobytes()
    first, second = (1, b"\x83\0" + samples[:9000]), (2, samples[9000:])
    content = voc(first, second)
    assert read(content) == read(content + b"\0") == (16000, 8000)
    assert read(content[:-1]).startswith("is cut short")
    assert read(voc(first, (3, b"\xff\x1f\x83"), second) + b"\0").startswith("is damaged, or has")


def test_voc_in_16_bits_of_many_blocks_or_of_a_length_too_short_is_whole(tmp_path):
    """As FFmpeg writes it, whose later blocks name no rate, and as SoX 14.4.2 does."""
    wave = np.rint(writers.sound(16000)[0] * 32767).astype("<i2")
    path, samples = tmp_path / "a.voc", wave.tobytes()
    header = struct.pack("<LBBH4x", 16000, 16, 1, 4)
    sox = bytearray(voc((9, header + samples)) + b"\0")
    sox[27:30] = (len(samples) + 4).to_bytes(3, "little")
    split = voc((9, header + samples[:9000]), (2, samples[9000:30000]), (2, samples[30000:]))
    for content in (bytes(sox), split + b"\0"):
        path.write_bytes(content)
        np.testing.assert_allclose(load_audio(path), wave / 32768, atol=1e-6)
    path.write_bytes(split[:-1])
    assert read_header(path).startswith("is cut short")


@pytest.mark.parametrize(
    ("kind", "codec", "bits"),
    [
        ("mpegts", "aac", "8000"),
        ("mpegts", "mp2", "32000"),
        ("mpeg", "mp2", "32000"),
        ("nut", "libmp3lame", "32000"),
    ],
)
def test_frames_within_another_container_are_not_taken_out_of_it(read, kind, codec, bits):
    sample = "s16" if codec == "mp2" else "fltp"
    content = writers.by_ffmpeg(kind, codec, 44100, sample=sample, settings={"b": bits})
    frames, rate = read(content)
    assert rate == 44100
    assert -200 <= frames - 44100 * writers.SECONDS <= 3456


def test_what_lies_behind_frames_is_a_tag_or_damage(read):
    content = WHOLE["ac3"]
    assert read(content + ID3V1) == read(content)
    assert read(WHOLE["amr-wb"] + b"\x7f\xffjunk") == UNREADABLE
    # Half a second without a mark of a frame.
    assert read(content[:5000] + bytes(6000) + content[11000:]) == UNREADABLE


@pytest.mark.parametrize("name", ["webm", "mka"])
def test_matroska_that_ends_in_zeros_is_cut(read, name):
    """A copy that has not come to its end has the size of the whole in some systems."""
    content, frames = WHOLE[name], read(WHOLE[name])
    clusters = [found.start() for found in re.finditer(b"\x1f\x43\xb6\x75", content)]
    for place in (clusters[0], clusters[-1] + 200, len(content) // 2):
        assert read(content[:place] + bytes(len(content) - place)) == CUT
    # As of a download in parts, of which one is not there.
    third = len(content) // 3
    hole = content[:third] + bytes(third) + content[2 * third :]
    # In a block of samples zeros are silence.
    assert name == "mka" or STRANGE in read(hole)
    # Zeros behind the segment are no part of it.
    assert read(content + bytes(100)) == frames


@pytest.mark.parametrize("name", [*FRAMED, "wma", "rm"])
def test_what_ends_in_zeros_is_cut_where_they_are_more_than_padding(read, name):
    """As a download that has the size of the whole from its start."""
    content = WHOLE[name] if name in WHOLE else writers.by_ffmpeg("rm", "ac3", 44100)
    frames = read(content)
    assert isinstance(frames, tuple)
    # In AMR zeros are frames.
    assert "amr" in name or read(content + bytes(2**15)) == frames
    assert read(content[: len(content) // 2] + bytes(2**17)) == CUT


@pytest.mark.parametrize("name", ["webm", "webm-live"])
def test_an_element_of_matroska_that_has_changed_is_damage(read, name):
    """FFmpeg passes over what it does not know, so that what it holds is lost without a word."""
    content = WHOLE[name]
    blocks = [found.start() for found in re.finditer(rb"\xa3[\x40-\x7f].\x81", content, re.DOTALL)]
    place = blocks[len(blocks) // 2]
    for change, bits in ((0, 0x40), (1, 3), (2, 0x20)):
        damaged = bytearray(content)
        damaged[place + change] ^= bits
        assert STRANGE in read(bytes(damaged)) or read(bytes(damaged)) == CUT


@pytest.mark.parametrize("name", ["mka", "webm", "webm-live"])
def test_an_element_of_its_own_at_the_end_of_matroska_is_passed_over(read, name):
    """As DivXMKVMux writes one, which FFmpeg passes over too."""
    own = b"\x2a\xd1\xd3" + struct.pack(">Q", 2**56 | 33) + b"\1" * 33
    content, place = bytearray(WHOLE[name] + own), WHOLE[name].index(b"\x18\x53\x80\x67") + 4
    if name != "webm-live":
        size = struct.unpack_from(">Q", content, place)[0] + len(own)
        content[place : place + 8] = struct.pack(">Q", size)
    assert read(content) == read(WHOLE[name])
    for cut in range(1, len(own)):
        assert read(content[:-cut]) == CUT or STRANGE in read(content[:-cut])
    # A cluster whose kind has changed is none of these.
    content[content.rindex(b"\x1f\x43\xb6\x75") + 3] ^= 1
    assert STRANGE in read(content[: -len(own)]) or read(content[: -len(own)]) == CUT
    assert STRANGE in read(content)


def test_opus_in_mp4_whose_packets_are_zeros_is_damaged(read):
    content = writers.by_ffmpeg("mp4", "libopus", 48000, movflags="+faststart")
    half = len(content) // 2
    assert read(content[:half] + bytes(len(content) - half)) == (
        "is damaged: zeros are in the place of its packets"
    )


def test_webm_with_a_size_is_cut_where_that_is_not_there(read):
    content = WHOLE["webm"]
    assert parts_of(content) == [Part(0, len(content))]
    with pytest.raises(Unreadable, match="cut short"):
        parts_of(content[:-1])


# MPEG audio

ID3V2 = b"ID3\x03\0\0" + bytes([0, 0, 7, 104]) + bytes(1000)
ID3V1 = b"TAG" + bytes(125)
# A cover in an APE tag, in whose bytes marks of a frame stand.
APE = b"APETAGEX" + bytes(24) + b"\xff\xe0\0\x10JFIF\xff\xe2\0\x10" * 200


@pytest.mark.parametrize("name", ["MP3-MPEG_LAYER_III", "mp3-bare", "aac", "wv", "flv"])
@pytest.mark.parametrize("before", [b"", ID3V2])
@pytest.mark.parametrize("behind", [b"", ID3V1, APE, APE + ID3V1, bytes(500)])
def test_tags_are_no_part_of_the_sound(read, name, before, behind):
    content = WHOLE[name]
    assert read(before + content + behind) == read(content)


@pytest.mark.parametrize("name", ["MP3-MPEG_LAYER_III", "mp3-bare", "aac"])
@pytest.mark.parametrize(
    "before",
    [ID3V2 + bytes(5000), bytes(70000), b"\xff" * 5001, APE[32:] * 5, ID3V2 + APE[32:] * 5],
)
def test_padding_or_the_rest_of_a_picture_before_the_first_frame_hides_no_cut(read, name, before):
    content = WHOLE[name]
    assert read(before + content) == read(content)
    assert read(before + content[: boundaries(content)[20] - 9]).startswith("is cut short")


@pytest.mark.parametrize("name", ["mp3-bare", "mp3-bare-variable", "mp2", "aac"])
def test_a_tag_in_the_place_of_what_a_frame_lacks_hides_no_cut(read, name):
    """As where a download is tagged, or another file follows that begins with a tag."""
    content = WHOLE[name]
    before, after = boundaries(content)[9:11]
    # A header before it, a footer behind a header, and a footer alone.
    header, footer, alone = (
        b"APETAGEX" + struct.pack("<4L8x", 2000, 2032, 1, flags << 29) for flags in (5, 4, 0)
    )
    tag = header + bytes(2000) + footer
    tags = [tag, tag + ID3V1, bytes(2000) + alone, ID3V1]
    for cut in range(before + 8, after - 3, 40):
        for tag in (*tags, ID3V2 + content):
            if cut + len(tag) >= after:
                said = read(content[:cut] + tag)
                assert said.startswith(("is cut short", "is damaged: other bytes lie"))
    for tag in tags:
        assert read(content[:after] + tag) == read(content[:after])


@pytest.mark.parametrize("name", ["mp3-bare", "FLAC-PCM_16"])
def test_a_file_that_ends_in_the_tag_before_its_sound_is_cut(read, name):
    assert read((ID3V2 + WHOLE[name])[:500]).startswith("is cut short")


def test_aac_in_segments_each_behind_a_tag_sounds_as_without_tags(tmp_path):
    """As HLS is saved: the windows of AAC overlap from one segment to the next."""
    content, path, waves = WHOLE["aac"], tmp_path / "a.aac", []
    ends = sorted({0, *boundaries(content)[8::8], len(content)})
    segments = [content[start:stop] for start, stop in pairwise(ends)]
    for tag in (b"", ID3V2):
        path.write_bytes(b"".join(tag + segment for segment in segments))
        waves.append(load_audio(path))
    assert len(segments) > 3
    np.testing.assert_allclose(waves[1], waves[0], atol=1e-6)
    path.write_bytes(path.read_bytes()[:-1])
    assert read_header(path).startswith("is cut short")


@pytest.mark.parametrize("lost", [1, 100, 3000])
def test_a_cut_shows_before_a_tag_too(read, lost):
    content = WHOLE["MP3-MPEG_LAYER_III"]
    assert read(ID3V2 + content[:-lost]).startswith("is cut short")


def test_a_header_that_counts_itself_or_a_tag_is_believed(read):
    """Where its bytes end with a frame. FFmpeg 5.1 counts tags of MP3s that were joined, too."""
    content = bytearray(WHOLE["MP3-MPEG_LAYER_III"])
    place = content.index(b"Xing") + 8
    (frames,) = struct.unpack_from(">L", content, place)
    struct.pack_into(">L", content, place, frames + 1)
    found, _ = read(bytes(content))
    assert 32000 <= found <= 32000 + 2304
    struct.pack_into(">L", content, place, frames + 2)
    again, _ = read(bytes(content))
    assert again >= found
    assert read(bytes(content[:-1])).startswith("is cut short")


@pytest.mark.parametrize(("name", "each"), [("mp3-bare", 576), ("mp3-bare-variable", 1152)])
def test_a_vbri_header_counts_the_frames(read, name, each):
    """Of a variable bitrate libsndfile 1.2.2 then reads as much as the first bitrate lets it expect."""
    content = WHOLE[name]
    content = content[re.search(rb"\xff[\xf3\xfb]", content).start() :]
    frames = len(boundaries(content))
    silent = bytearray(content[: boundaries(content)[0]])
    silent[4:] = bytes(len(silent) - 4)
    struct.pack_into(">4s3H2L", silent, 36, b"VBRI", 1, 0, 0, len(silent) + len(content), frames)
    whole = bytes(silent) + content
    assert len(parts_of(whole)) == 1
    found, _ = read(whole)
    assert found == each * frames
    for place in boundaries(whole)[frames // 2 : -2]:
        assert read(whole[:place]).startswith("is cut short")


@pytest.mark.parametrize("place", [4, 8, 20])
def test_a_bit_that_has_changed_before_what_counts_the_frames_shortens_nothing(read, place):
    """libsndfile 1.2.2 then takes the frame for sound, and guesses the length."""
    content = bytearray(WHOLE["MP3-MPEG_LAYER_III"])
    frames, rate = read(bytes(content))
    content[content.index(b"\xff\xf3") + place] ^= 64
    found, same = read(bytes(content))
    assert same == rate
    assert frames <= found <= frames + 2304


@pytest.mark.parametrize("name", ["mp3-bare", "mp3-bare-variable", "aac"])
def test_a_frame_whose_header_has_changed_is_damage_and_not_a_shorter_file(read, name):
    content, ends = WHOLE[name], boundaries(WHOLE[name])
    for place in ends[len(ends) // 3 : len(ends) // 2]:
        changed = bytearray(content)
        changed[place] = 0
        assert read(bytes(changed)) == "is damaged: other bytes lie between its frames"
    assert read(content[:place] + ID3V1 + content[place:]) == read(content)


def test_a_damaged_frame_of_flac_is_not_passed_over_where_nothing_counts_the_samples(read):
    content = bytearray(WHOLE["FLAC-PCM_16"])
    (stated,) = struct.unpack_from(">Q", content, 18)
    struct.pack_into(">Q", content, 18, stated & -(2**36))
    begins = [found.start() for found in re.finditer(rb"\xff\xf8[\x20-\xdf]", content)]
    assert read(bytes(content)) == read(WHOLE["FLAC-PCM_16"])
    for place in (begins[0], begins[len(begins) // 2], begins[-2]):
        changed = bytearray(content)
        changed[place] ^= 1
        assert read(bytes(changed)).startswith("is damaged"), place


SIX_SECONDS = np.rint(20000 * np.random.default_rng(0).uniform(-1, 1, 96000)).astype(np.int16)


def segmented(folder, source):
    """The files of 2.5 s into which FFmpeg cuts FLAC as it encodes, or as it copies a file."""
    frame = av.AudioFrame.from_ndarray(SIX_SECONDS[None], "s16", "mono")
    frame.sample_rate, frame.pts = 16000, 0
    options = {"segment_time": "2.5"}
    with av.open(str(folder / "%d.flac"), "w", "segment", options=options) as container:
        if source is None:
            stream = container.add_stream("flac", rate=16000, layout="mono")
            # The header of a file is written before the encoder knows how many samples there are.
            packets = (packet for given in (frame, None) for packet in stream.encode(given))
        else:
            whole = av.open(str(source))
            stream = container.add_stream_from_template(whole.streams[0])
            packets = [packet for packet in whole.demux() if packet.size]
        for packet in packets:
            packet.stream = stream
            container.mux(packet)
    return sorted(folder.glob("*.flac"))


def test_flac_that_ffmpeg_encoded_into_segments_is_read(tmp_path):
    paths, place = segmented(tmp_path, None), 0
    assert len(paths) == 3
    for path in paths:
        expected, content = SIX_SECONDS[place:] / 2**15, path.read_bytes()
        wave = load_audio(path).numpy()
        np.testing.assert_array_equal(wave, expected[: len(wave)])
        np.testing.assert_array_equal(read_window(path, 5000, 99)[0], expected[5000:5099])
        place += len(wave)
        # A bit that changes in the first frame's number, or a lost frame, is damage.
        begins = [found.start() for found in re.finditer(rb"\xff\xf8[\x20-\xdf]", content)]
        for change in (begins[0] + 4, begins[2]):
            changed = bytearray(content)
            changed[change] ^= 1
            path.write_bytes(changed)
            with pytest.raises(InputError, match="flac is damaged"):
                load_audio(path)
    assert place == 96000


def test_flac_that_ffmpeg_copied_out_of_a_longer_file_is_refused_by_that_reason(tmp_path):
    soundfile.write(tmp_path / "whole", SIX_SECONDS, 16000, format="FLAC")
    first, second, last = segmented(tmp_path, tmp_path / "whole")
    assert read_header(first) == CUT
    said = (
        r"is cut short: .* \(or FFmpeg cut it out of a longer file with -c copy: encode it again\)"
    )
    with pytest.raises(InputError, match=said):
        load_audio(second)
    # The last one ends where the header of the whole file says that this ends.
    wave = load_audio(last)
    np.testing.assert_array_equal(wave, SIX_SECONDS[-len(wave) :] / 2**15)


# Joined end to end


@pytest.mark.parametrize("names", [["FLAC-PCM_16"] * 2, ["FLAC-PCM_16", "FLAC-PCM_24"]])
def test_flac_files_joined_end_to_end_are_refused_where_one_would_be_lost(tmp_path, names):
    path = tmp_path / "a.flac"
    path.write_bytes(b"".join(WHOLE[name] for name in names))
    with pytest.raises(InputError, match=r"a\.flac holds another FLAC file"):
        load_audio(path)


def test_flac_files_whose_frames_were_joined_are_refused(tmp_path):
    """As FFmpeg's concat demuxer joins them: one header, and frames from 0 again."""
    whole = WHOLE["FLAC-PCM_16"]
    place, last = 4, False
    while not last:
        last = bool(whole[place] & 128)
        place += 4 + int.from_bytes(whole[place + 1 : place + 4])
    path = tmp_path / "a.flac"
    path.write_bytes(whole + whole[place:])
    with pytest.raises(InputError, match=r"a\.flac holds another FLAC file"):
        read_window(path, 100, 50)


@pytest.mark.parametrize(
    ("names", "between"),
    [
        (["MP3-MPEG_LAYER_III", "MP3-MPEG_LAYER_III"], b""),
        (["MP3-MPEG_LAYER_III", "mp3-bare", "MP3-MPEG_LAYER_III"], b""),
        (["mp3-bare", "MP3-MPEG_LAYER_III"], ID3V1 + ID3V2),
        (["mp3-bare", "mp3-bare"], APE),
        (["mp3-bare", "mp3-bare-variable"], b""),
        (["aac", "aac"], b""),
        (["ac3", "ac3"], b""),
        (["amr-wb", "amr-wb"], b""),
        (["flv", "flv"], b""),
        (["VOC-PCM_16", "VOC-PCM_16"], b""),
        (["sox", "sox"], b""),
        (["AU-PCM_16", "NIST-PCM_16", "AU-FLOAT"], b""),
        (["NIST-ULAW", "NIST-PCM_16"], ID3V1),
        (["wv", "wv"], b""),
        (["wv", "wv"], ID3V1 + ID3V2),
        (["OGG-VORBIS", "OGG-VORBIS"], b""),
        (["OGG-VORBIS", "OGG-OPUS", "ogg-flac"], b""),
        (["m4a-aac", "m4a-alac"], b""),
        (["WAV-PCM_16", "WAV-FLOAT"], b""),
        (["RF64-PCM_16", "RF64-PCM_16"], b""),
        (["webm", "webm"], b""),
        (["mp4-fragments", "m4a-stereo"], b""),
    ],
)
def test_files_joined_end_to_end_are_read_one_after_the_other(read, names, between):
    rate = writers.recordings()[names[0]][1]
    lengths = [read(WHOLE[name]) for name in names]
    frames, found = read(between.join(WHOLE[name] for name in names))
    assert found == rate
    # Where the rate changes, what follows is brought to that of the first.
    assert frames == pytest.approx(sum(n * rate / own for n, own in lengths), abs=1)
    whole = between.join(WHOLE[name] for name in names)
    assert isinstance(read(whole[:-7]), str)


def remuxed(contents):
    """Packets of MP3 files in one, whose header counts them all, as FFmpeg joins with -c copy."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp3") as container:
        stream = None
        for content in contents:
            with av.open(io.BytesIO(content)) as one:
                stream = stream or container.add_stream_from_template(one.streams.audio[0])
                for packet in [packet for packet in one.demux() if packet.size]:
                    packet.stream, packet.pts, packet.dts = stream, None, None
                    container.mux(packet)
    return out.getvalue()


@pytest.mark.parametrize("second", [(22050, 1), (48000, 2), (44100, 2)])
def test_mp3_of_several_kinds_that_have_one_count_is_read_whole(read, tmp_path, second):
    parts = [
        writers.by_ffmpeg("mp3", "libmp3lame", rate, channels, sample="fltp")
        for rate, channels in ((44100, 1), second)
    ]
    content = remuxed(parts)
    with av.open(io.BytesIO(content)) as container:
        frames = [(frame.sample_rate, frame.to_ndarray().mean(0)) for frame in container.decode()]
    sounds = [
        np.concatenate([sound for _, sound in alike])
        for _, alike in groupby(frames, lambda frame: frame[0])
    ]
    if len(sounds) > 1:
        sounds[1] = soxr.resample(sounds[1], second[0], 44100, "HQ")
    expected = np.concatenate(sounds)
    assert read(content) == (len(expected), 44100)
    np.testing.assert_allclose(load_audio(tmp_path / "a.wav", 44100), expected, atol=1e-5)
    for place in (boundaries(content)[-9], len(content) - 1):
        assert read(content[:place]) == CUT
    # A cut file with another behind it has one frame too many for its bytes, or one too few.
    for place in boundaries(parts[0])[-9:-2]:
        assert read(parts[0][:place] + parts[1]) in (
            CUT,
            "is damaged: other bytes lie between its frames",
        )


def test_mp3_that_ffmpeg_joined_by_its_protocol_has_tags_between_its_frames(read, tmp_path):
    """Its header counts the frames of both files, and the second's own tag and header stay there."""
    first, second = (
        writers.by_ffmpeg("mp3", "libmp3lame", 44100, sample="fltp", seconds=n) for n in (1, 2)
    )
    for name, content in (("first", first), ("second", second)):
        (tmp_path / name).write_bytes(content)
    names = "|".join(str(tmp_path / name) for name in ("first", "second"))
    out = io.BytesIO()
    with (
        av.open(f"concat:{names}", format="mp3") as joined,
        av.open(out, "w", format="mp3") as container,
    ):
        stream = container.add_stream_from_template(joined.streams.audio[0])
        for packet in [packet for packet in joined.demux() if packet.size]:
            packet.stream, packet.pts, packet.dts = stream, None, None
            container.mux(packet)
    content = out.getvalue()
    assert content.count(b"ID3") == 2
    frames, rate = read(content)
    # Where the first ends, its own header would say, which is not there any more.
    assert rate == 44100
    assert 3 * 44100 <= frames < 3 * 44100 + 1152
    sound = load_audio(tmp_path / "a.wav", 44100)
    for start, name in ((0, "first"), (frames - 2 * 44100, "second")):
        alone = load_audio(tmp_path / name, 44100)
        np.testing.assert_allclose(sound[start : start + len(alone)], alone, atol=1e-3)
    for place in (len(content) // 4, len(content) // 2, len(content) - 1):
        assert read(content[:place]) == CUT
    # In other containers the tag is a packet, which gives no sound.
    for kind in ("matroska", "mp4"):
        with av.open(io.BytesIO(first + second), format="mp3") as joined:
            packets = [bytes(packet) for packet in joined.demux() if packet.size]
            tag = next(k for k, packet in enumerate(packets) if packet[:3] == b"ID3")
            out = io.BytesIO()
            with av.open(out, "w", format=kind) as container:
                stream = container.add_stream_from_template(joined.streams.audio[0])
                for number, data in enumerate(packets):
                    packet = av.Packet(data)
                    packet.stream, packet.pts, packet.dts = stream, 1152 * number, 1152 * number
                    packet.time_base, packet.duration = Fraction(1, 44100), 1152
                    container.mux(packet)
        frames, rate = read(out.getvalue())
        assert rate == 44100
        assert 3 * 44100 <= frames < 3 * 44100 + 4 * 1152
        assert 0 < tag < len(packets) - 1


def test_boxes_of_other_kinds_are_passed_over(read):
    content = WHOLE["m4a-aac"]
    index = content.rindex(b"moov") - 4
    other = b"\0\0\0\x10junk" + bytes(8)
    moved = content[:index] + other + content[index:]
    assert read(moved) == read(content)
    assert read(moved[:-1]).startswith("is cut short")
    assert read(content + other) == read(content)


@pytest.mark.parametrize("name", ["m4a-aac", "m4a-stereo", "mp4-fragments", "webm", "webm-live"])
def test_the_end_of_a_line_behind_the_last_box_or_element_is_no_cut(read, name):
    content = WHOLE[name]
    for behind in (b"\n", b"\r\n", b"\n\n\n\n\n\n\n", b"\0", bytes(7), bytes(500) + b"\n"):
        assert read(content + behind) == read(content), behind
    begun = b"\x1f\x43\xb6\x75" if "webm" in name else b"\0\0\2\0moof"
    # Behind a segment that says where it ends nothing is of it.
    assert name == "webm" or all(read(content + begun[:n]) == CUT for n in (3, len(begun) - 1))


def test_a_box_of_samples_that_is_not_there_is_missed(read):
    content = WHOLE["m4a-stereo"]
    place = content.index(b"mdat") - 4
    assert all(read(content[: place + n]) == CUT for n in range(10))


@pytest.mark.parametrize("kind", ["wav", "avi"])
def test_mp3_within_riff_is_whole_or_cut(read, kind):
    content = writers.by_ffmpeg(kind, "libmp3lame", 44100, 2, sample="fltp")
    frames, rate = read(content)
    assert rate == 44100
    assert 0 <= frames - 44100 * writers.SECONDS <= 3456
    assert read(content[: len(content) // 2]).startswith("is cut short")


def test_avi_goes_on_behind_its_first_gigabyte():
    """OpenDML: a second RIFF of the kind AVIX, for the same decoder."""
    first, more = writers.by_ffmpeg("avi", "pcm_s16le"), b"LIST" + struct.pack("<L", 4) + b"movi"
    content = first + b"RIFF" + struct.pack("<L", 4 + len(more)) + b"AVIX" + more
    assert parts_of(content) == [Part(0, len(content))]


def test_frames_by_chance_in_the_pictures_of_dv_are_not_taken_for_sound():
    frames = bytearray(bytes(2656) + WHOLE["mp3-bare"] + bytes(100) + WHOLE["mp3-bare"])
    frames[:4] = b"\x1f\x07\x00\xbf"
    assert parts_of(frames) == [Part(0, len(frames), checked=False)]


def test_a_frame_of_no_length_ends_the_search(read):
    content = bytearray(WHOLE["ac3"])
    frames = [place for place in range(0, len(content), 2) if content[place:][:2] == b"\x0b\x77"]
    content[frames[4] + 4] |= 0xC0
    assert read(bytes(content)) == "is damaged: a frame in it has no length"


@pytest.mark.parametrize("name", ["mp3-bare", "MP3-MPEG_LAYER_III", "aac"])
@pytest.mark.parametrize("frame", [0, 5])
def test_a_piece_of_a_download_that_is_missing_shows(read, name, frame):
    """Zeros up to within a frame, as while the pieces of a file come in any order."""
    joined = WHOLE[name] * 3
    first = boundaries(WHOLE[name])[frame]
    # The end is within a frame, wherever those begin.
    hole = bytearray(joined)
    hole[first : first + 12345] = bytes(12345)
    assert re.match("is damaged|is cut short", read(bytes(hole)))


def test_an_adx_whose_last_block_is_a_packet_of_its_own_is_read(read):
    content = writers.by_ffmpeg("adx", "adpcm_adx", seconds=4096 / 16000)
    assert read(content) == (4096, 16000)
    assert read(content[: len(content) // 2]).startswith("is cut short")


def test_wma_is_as_long_as_it_says(read):
    content = bytearray(
        writers.by_ffmpeg("asf", "wmav2", 44100, seconds=6, settings={"b": "96000"})
    )
    assert read(bytes(content)) == pytest.approx((6 * 44100, 44100), abs=4096)
    half = len(content) // 2
    content[half:] = bytes(len(content) - half)
    assert read(bytes(content)).startswith("is cut short")
    # What was broadcast does not say how long it is.
    place = content.index(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    content[place + 88] |= 1
    assert isinstance(read(bytes(content)), tuple)


@pytest.mark.parametrize("by", ["Microsoft", "VLC"])
def test_wma_ends_when_it_says_whoever_wrote_it(read, by):
    """Microsoft's encoders state otherwise how long it takes to send; VLC counts nothing before."""
    content = bytearray(
        writers.by_ffmpeg("asf", "wmav2", 44100, seconds=6, settings={"b": "96000"})
    )
    samples, rate = read(bytes(content))
    place = content.index(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")) + 64
    end = samples * 10**7 // rate
    stated = (end + 3100 * 10**4, end + 10**7) if by == "Microsoft" else (end, end)
    content[place : place + 24] = struct.pack("<3Q", *stated, 3100)
    assert read(bytes(content)) == (samples, rate)
    three_quarters = len(content) * 3 // 4
    assert read(bytes(content[:three_quarters])) == CUT
    assert read(bytes(content[:three_quarters]) + bytes(len(content) - three_quarters)) == CUT


def test_a_file_is_read_block_by_block():
    content = np.random.default_rng(0).bytes(200_000) + b"ab" * 3
    data, rng = Content(io.BytesIO(content)), np.random.default_rng(1)
    assert len(data) == len(content)
    for first, last in rng.integers(0, len(content) + 1, (300, 2)).tolist():
        assert data[first:last] == content[first:last]
        assert data[first:last:188] == content[first:last:188]
    assert data[70_000] == content[70_000]
    assert data[-5:] == content[-5:]
    assert data[len(content) + 9 :] == b""
    # Also where it lies across two blocks, or overlaps another.
    sought = content[2**16 - 1 : 2**16 + 2]
    assert [*data.places(sought, 0)] == [2**16 - 1]
    assert [*data.places(b"ba", 200_000)] == [200_001, 200_003]
    ends = [found.start() for found in re.finditer(b"\xff", content)]
    assert [*data.places(b"\xff", 0)] == ends
    assert [*data.places(b"\xff", 500, 70_000)] == [
        place for place in ends if 500 <= place < 70_000
    ]


def test_a_file_that_has_become_shorter_is_refused(tmp_path):
    (path := tmp_path / "a.ogg").write_bytes(WHOLE["OGG-VORBIS"])
    with open(path, "rb", buffering=0) as file:
        data = Content(file)
        os.truncate(path, 1000)
        with pytest.raises(Unreadable, match="has become shorter while it was read"):
            find_parts(data)


@pytest.mark.parametrize("name", ["OGG-VORBIS", "mp4-fragments"])
def test_many_zeros_behind_what_has_no_stated_end_are_no_padding(read, name):
    content = WHOLE[name]
    if name == "OGG-VORBIS":
        content = b"".join(writers.pages(content)[:-1])
    assert read(content + bytes(30_000)) == read(content)
    assert read(content + bytes(70_000)).startswith("is cut short")


def test_amr_begun_again_within_a_frame_is_refused(read):
    """The torn frame ends where the mark has its last byte, so that all frames have their length."""
    content = WHOLE["amr-wb"]
    assert read(content[: 9 + 20 * 61 + 52] + content) == (
        "is damaged: it begins again behind its first part"
    )
    assert read(content + content) == (2 * read(content)[0], 16000)


def test_flv_goes_from_tag_to_tag(read):
    content = bytearray(WHOLE["flv"])
    half = len(content) // 2
    content[half : half + 4000] = bytes(4000)
    assert read(bytes(content)) == "is damaged: other bytes lie between its tags"


def shifted(content, target, shift, first=0):
    """Packets in another container, whose times from one of them on are so many seconds later."""
    file = io.BytesIO()
    with (
        av.open(io.BytesIO(content)) as container,
        av.open(file, "w", format=target) as out,
    ):
        stream = out.add_stream_from_template(container.streams.audio[0])
        for number, packet in enumerate(container.demux(audio=0)):
            if packet.size:
                later = round(shift / packet.time_base) if number >= first else 0
                packet.pts, packet.dts = packet.pts + later, packet.dts + later
                packet.stream = stream
                out.mux(packet)
    return file.getvalue()


def test_wma_that_begins_later_is_whole(read):
    """A segment, or the sound of a video: its header states when it ends, not how long it plays."""
    content = writers.by_ffmpeg("asf", "wmav2", 44100, seconds=6, settings={"b": "96000"})
    assert read(shifted(content, "asf", 5)) == read(content)


def test_a_pause_in_opus_is_passed_over(read):
    """As of a call that lost packets: libsndfile 1.2.2 counts it, and FFmpeg plays what is there."""
    content = WHOLE["OGG-OPUS"]
    (frames, rate), (found, other) = read(content), read(shifted(content, "ogg", 1, 40))
    assert found / other == pytest.approx(frames / rate, abs=0.02)


def test_a_frame_that_flac_lacks_is_missed(read):
    """libsndfile 1.2.2 plays silence in its place."""
    content = WHOLE["FLAC-PCM_16"]
    packets = [(p.pos, p.size) for p in av.open(io.BytesIO(content)).demux(audio=0) if p.size]
    assert len(packets) > 4
    for place, size in packets[1:-1]:
        assert read(content[:place] + content[place + size :]) == (
            "is damaged: a frame of it has changed, or is missing"
        )


def test_mp3_with_more_padding_than_sound_is_decoded_to_count_it(tmp_path, read):
    """As short MP3 of LAME 3.97; libsndfile 1.2.2 gives the highest count there is."""
    content = bytearray(writers.by_ffmpeg("mp3", "libmp3lame", sample="fltp", seconds=0.02))
    place = re.search(b"Xing|Info", content).start() + 141
    content[place : place + 3] = (1105 << 12 | 1500).to_bytes(3)
    (tmp_path / "a.mp3").write_bytes(content)
    assert soundfile.info(tmp_path / "a.mp3").frames == 2**63 - 1
    found = read(bytes(content))
    assert isinstance(found, str) or found[0] < 2000


def test_a_recorder_that_was_killed_leaves_more_than_its_header_counts(tmp_path, read):
    """Python's wave writes the length of the first block, and mends it when it is closed."""
    block, path = writers.by_libsndfile("WAV", "PCM_16")[44 : 44 + 2048], tmp_path / "killed.wav"
    with wave.open(str(path), "wb") as recorder:
        recorder.setnchannels(1)
        recorder.setsampwidth(2)
        recorder.setframerate(16000)
        for _ in range(3):
            recorder.writeframesraw(block)
        recorder._file.flush()
        content = path.read_bytes()
    assert read(path.read_bytes()) == (3 * 1024, 16000)
    assert read(content).startswith("holds more than its header counts")
