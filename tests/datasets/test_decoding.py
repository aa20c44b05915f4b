"""What is decoded is what was written, whole or in windows, by either library."""

import io
import math
import struct
import sys
from fractions import Fraction
from pathlib import Path
from zlib import crc32

import av
import numpy as np
import pytest
import soundfile
import soxr
import torch
from scipy.signal import correlate

from audiopg.datasets import decoding
from audiopg.datasets.audio import load_audio, load_clip, read_header, read_window
from audiopg.datasets.containers import Part, Unreadable
from audiopg.datasets.decoding import Piece, at_rate, count, examine, mono_blocks
from audiopg.errors import InputError
from audiopg.frontend import fit_length

sys.path.insert(0, str(Path(__file__).parent))
import writers

ALL = writers.recordings()
# Telephony takes the most from a sound; of AMR-WB any bits were written.
COARSE = {"amr": 0.7, "WAV-NMS_ADPCM_16": 0.9, "WAV-GSM610": 0.9, "amr-wb": None}
# Coders and decoders lag, by 1,105 samples for MP3, which is heard where no header tells. Of WMA
# FFmpeg 8's own coder and decoder lose the first frame.
LATE = {"mp3-bare": 1105, "mp3-bare-variable": 1105, "mp2": 481, "wav-mp3": 1105, "wma": -2048}
LATE |= dict.fromkeys(("aac", "flv", "mp4-fragments", "m4a-aac", "m4a-stereo"), 1024)
LATE |= dict.fromkeys(("ac3", "eac3", "mp4-ac3"), 256)


# Two ways to resample Opus, and two to round a prediction.
TOLERANCE = {"OGG-OPUS": 0.02, "WAV-MS_ADPCM": 0.01}


@pytest.fixture
def path_of(tmp_path):
    def path_of(name):
        path = tmp_path / name
        path.write_bytes(ALL[name][0])
        return path

    return path_of


def by_ffmpeg(path, channel=None):
    """All samples, with FFmpeg's decoder."""
    pieces = [Piece(path, Part(0, path.stat().st_size))]
    return np.concatenate([block for _, block in mono_blocks(pieces, channel=channel)])


@pytest.mark.parametrize("name", [name for name in ALL if COARSE.get(name, 1)])
def test_the_sound_is_the_one_that_was_written(path_of, name):
    rate, samples = ALL[name][1], ALL[name][2]
    found, own = (
        x.numpy() if i == 0 else x for i, x in enumerate(read_window(path_of(name), 0, 10**6))
    )
    channels = 2 if name in ("m4a-stereo", "mov-ima") else 1
    written = writers.sound(rate, channels).mean(axis=0)
    lag = int(correlate(found, written).argmax()) - (len(written) - 1)
    assert own == rate
    assert abs(lag - LATE.get(name, 0)) <= (40 if name in COARSE else 2)
    found, written = found[max(0, lag) :][:samples], written[max(0, -lag) :]
    length = min(len(found), len(written))
    found, written = found[:length], written[:length]
    assert np.corrcoef(found, written)[0, 1] > COARSE.get(name, 0.99)
    assert found.std() / written.std() == pytest.approx(1, abs=0.2 if name in COARSE else 0.06)


@pytest.mark.parametrize("name", ["mp3-bare", "mp3-bare-variable"])
def test_mp3_without_a_header_has_the_delay_and_a_last_frame_filled_up(path_of, name):
    """As `audiopg.datasets.decoding` says; libsndfile, where it reads on to the end, agrees."""
    rate, samples = ALL[name][1:3]
    frame = 1152 if rate >= 32000 else 576
    expected = -(-(samples + 1105) // frame) * frame
    assert count(examine(path_of(name))) == (expected, rate)
    if name == "mp3-bare":
        with soundfile.SoundFile(path_of(name)) as file:
            assert len(file.read()) == expected


@pytest.mark.parametrize("name", ALL)
def test_a_window_is_a_part_of_the_whole(path_of, name):
    path = path_of(name)
    frames, rate = read_header(path)
    whole, _ = read_window(path, 0, frames + 1)
    assert len(whole) == frames
    for first in (0, 1, frames // 3, frames - 5000, frames - 1):
        window, found = read_window(path, first, 4000)
        assert found == rate
        assert len(window) == min(4000, frames - first)
        # FFmpeg's decoder of AAC draws the noise that stands for noise anew after a seek.
        tolerance = 0.02 if name == "m4a-stereo" else 1e-4
        np.testing.assert_allclose(window, whole[first : first + 4000], atol=tolerance, rtol=0)


@pytest.mark.parametrize("options", [{}, {"movflags": "empty_moov", "frag_duration": "500000"}])
@pytest.mark.parametrize(("codec", "sample"), [("aac", "fltp"), ("alac", "s16p"), ("flac", "s16")])
def test_a_hole_in_the_times_of_mp4_moves_no_window(tmp_path, monkeypatch, codec, sample, options):
    """As a recorder leaves it that was paused; without one, FFmpeg goes to the window at once."""
    seek, sought = decoding._seek, []
    monkeypatch.setattr(decoding, "_seek", lambda *args: sought.append(seek(*args)) or sought[-1])
    wave = (20000 * writers.sound(16000, 1, 6)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave, "s16", "mono")
    frame.sample_rate, frame.pts = 16000, 0
    for hole in (0, 30000):
        path = tmp_path / f"{hole}.mp4"
        with av.open(str(path), "w", options=options) as container:
            stream = container.add_stream(codec, rate=16000, layout="mono")
            stream.codec_context.format = sample
            packets = [*stream.encode(frame), *stream.encode(None)]
            for packet in (packet for packet in packets if packet.size):
                late = hole * (packet.pts > 32000)
                packet.pts, packet.dts = packet.pts + late, packet.dts + late
                container.mux(packet)
        whole, _ = read_window(path, 0, 10**6)
        window, _ = read_window(path, 80000, 4000)
        np.testing.assert_allclose(window, whole[80000:84000], atol=1e-3)
        assert [origin is not None for origin in sought] == [False, not hole]
        sought.clear()


@pytest.mark.parametrize("options", [{}, {"movflags": "empty_moov", "frag_duration": "500000"}])
def test_a_window_of_mp4_whose_first_packets_give_no_frame_is_a_part_of_the_whole(
    tmp_path, options
):
    """As of libfaac, whose first packet holds its name: an element of padding, and the end."""
    file, rate = tmp_path / "a.mp4", 44100
    with av.open(str(file), "w", options=options) as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        # Noise that stands for noise is another after a seek.
        stream.options = {"aac_pns": "0"}
        frame = av.AudioFrame.from_ndarray(writers.sound(rate, 1, 4), "fltp", "mono")
        frame.sample_rate = rate
        names = [av.Packet(bytes([0b11000001, 0b11000000])) for _ in range(2)]
        packets = [*stream.encode(frame), *stream.encode(None)]
        for number, packet in enumerate([*names, *(one for one in packets if one.size)]):
            packet.stream, packet.time_base = stream, Fraction(1, rate)
            packet.pts = packet.dts = 1024 * number
            packet.duration = 1024
            container.mux(packet)
    with av.open(str(file)) as container:
        whole = np.concatenate([one.to_ndarray()[0] for one in container.decode(audio=0)])
    assert read_header(file) == (len(whole), rate)
    for first in (20000, 100000, len(whole) - 3000):
        window, _ = read_window(file, first, 10**6)
        np.testing.assert_allclose(window, whole[first:], atol=1e-3)


def with_edits(content, edits):
    """An MP4 whose index is at its end, playing these parts of it: milliseconds, from a sample on."""
    index = content.rindex(b"moov")
    body = struct.pack(">4sLL", b"elst", 0, len(edits))
    body += b"".join(struct.pack(">LLL", *edit, 1 << 16) for edit in edits)
    place = content.index(b"elst", index) - 4
    size = int.from_bytes(content[place : place + 4])
    edited = bytearray(content[:place] + struct.pack(">L", len(body) + 4) + body)
    edited += content[place + size :]
    for name in (b"moov", b"trak", b"edts"):
        place = content.index(name, index) - 4
        whole = int.from_bytes(content[place : place + 4])
        struct.pack_into(">L", edited, place, whole + len(edited) - len(content))
    return bytes(edited)


@pytest.mark.parametrize(("codec", "sample"), [("alac", "s16p"), ("libmp3lame", "fltp")])
def test_a_window_where_two_edits_of_mp4_meet_is_a_part_of_the_whole(tmp_path, codec, sample):
    """FFmpeg seeks to the frame behind the seam, which is counted as if it began before it."""
    (path := tmp_path / "a.mov").write_bytes(
        with_edits(
            writers.by_ffmpeg("mov", codec, 44100, sample=sample, seconds=6),
            [(1234, 777), (1777, 3 * 44100 + 333)],
        )
    )
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    whole = np.concatenate(frames) / (2.0**15 if codec == "alac" else 1)
    np.testing.assert_allclose(load_audio(path, 44100), whole, atol=1e-6)
    for first in range(16500, len(whole) - 900, 900):
        window, _ = read_window(path, first, 300)
        np.testing.assert_allclose(window, whole[first : first + 300], atol=1e-3)


def test_a_file_is_looked_at_again_only_where_it_has_changed(path_of, monkeypatch):
    path, looks, find = path_of("mp3-bare"), [], decoding.find_parts

    def look(data):
        looks.append(len(data))
        return find(data)

    monkeypatch.setattr(decoding, "find_parts", look)
    # A file that has just been written may be written again, within what clocks of files tell.
    for _ in range(2):
        read_window(path, 0, 100)
    assert len(looks) == 2
    monkeypatch.setattr(decoding, "_SETTLED_SECONDS", -math.inf)
    expected = read_window(path, 0, 100)[0]
    for first in (0, 5000):
        read_window(path, first, 100)
    monkeypatch.chdir(path.parent)
    assert torch.equal(read_window(path.name, 0, 100)[0], expected)
    assert len(looks) == 3
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match="cut short"):
        read_window(path, 0, 100)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("seconds", [3.3, 20])
@pytest.mark.parametrize(("kind", "settings"), [("OGG", {}), ("MP3", {"bitrate_mode": "VARIABLE"})])
def test_any_window_of_a_long_file_is_what_libsndfile_reads_at_once(
    tmp_path, kind, settings, seconds, channels
):
    path = tmp_path / "a"
    # Without noise the pages of Ogg are long, and of MP3 a frame draws on many before it.
    t = np.arange(round(44100 * seconds)) / 44100
    glide, tone = np.sin(2 * np.pi * (200 + 400 * t) * t), np.sin(2 * np.pi * 500 * t)
    wave = 0.5 * np.stack([glide, tone])[:channels]
    soundfile.write(path, wave.T, 44100, format=kind, **settings)
    whole = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
    np.testing.assert_allclose(load_audio(path, 44100), whole, atol=1e-6)
    for first in range(0, len(whole), 20011 * channels):
        window, _ = read_window(path, first, 4000)
        np.testing.assert_allclose(window, whole[first : first + 4000], atol=1e-5)


@pytest.mark.parametrize("samples", [1, 5000, 31999, 32000, 70000])
@pytest.mark.parametrize("rate", [1000, 8000, 11025, 16000, 22051, 44100])
def test_a_clip_is_cut_as_from_the_whole(tmp_path, samples, rate):
    path = tmp_path / "a.wav"
    soundfile.write(path, writers.sound(rate, 2, 3.3).T, rate, "FLOAT")
    expected = fit_length(load_audio(path), samples)
    np.testing.assert_allclose(load_clip(path, samples), expected, atol=1e-5)
    np.testing.assert_allclose(
        load_clip(path, samples, header=read_header(path)), expected, atol=1e-5
    )


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in ALL
        if name.startswith(("WAV", "FLAC", "OGG", "AIFF"))
        and "G721" not in name
        and "NMS" not in name
    ],
)
def test_both_libraries_agree(path_of, name):
    path = path_of(name)
    own, found = soundfile.SoundFile(path), by_ffmpeg(path)
    if name == "OGG-OPUS":
        found = soxr.resample(found, 48000, 16000)
    own = own.read(own.frames, dtype="float32")
    np.testing.assert_allclose(found, own, atol=TOLERANCE.get(name, 2e-5))


@pytest.mark.parametrize(
    ("kind", "codec", "sample"),
    [
        ("wav", "pcm_u8", "u8"),
        ("wav", "pcm_s16le", "s16"),
        ("wav", "pcm_s32le", "s32"),
        ("wav", "pcm_f32le", "flt"),
        ("wav", "pcm_f64le", "dbl"),
        ("wv", "wavpack", "s16p"),
        ("wv", "wavpack", "fltp"),
    ],
)
@pytest.mark.parametrize("layout", ["stereo", "7.1", "hexadecagonal"])
def test_channels_are_averaged_whatever_the_layout_of_samples(
    tmp_path, kind, codec, sample, layout
):
    rng = np.random.default_rng(0)
    # PyAV dies of a frame of eight or more planes.
    channels = rng.uniform(-0.9, 0.9, ({"stereo": 2, "7.1": 8}.get(layout, 16), 3000))
    scale, shift, kind_of = {
        "u8": (127, 128, np.uint8),
        "s16": (32767, 0, np.int16),
        "s32": (2**31 - 1, 0, np.int32),
    }.get(sample.rstrip("p"), (1, 0, np.float64 if sample == "dbl" else np.float32))
    wave = (channels * scale + shift).astype(kind_of).T.reshape(1, -1)
    path = tmp_path / "a"
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=16000, layout=layout)
        stream.codec_context.format = sample
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), sample.rstrip("p"), layout)
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    np.testing.assert_allclose(
        by_ffmpeg(path), channels.mean(axis=0), atol=0.02 if scale == 127 else 1e-4
    )


@pytest.mark.parametrize("channels", [2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])
def test_a_channel_of_ogg_is_the_one_that_ffmpeg_puts_there(tmp_path, codec, channels):
    t, path = np.arange(24000) / 48000, tmp_path / "a.ogg"
    # Tones that are low enough for a channel of nothing but bass.
    wave = 0.3 * np.sin(2 * np.pi * 20 * np.arange(2, channels + 2) * t[:, None])
    soundfile.write(path, wave, 48000, codec, format="OGG")
    for channel in range(channels):
        found, expected = load_audio(path, 48000, channel=channel), by_ffmpeg(path, channel)
        assert np.corrcoef(found[5000:20000], expected[5000:20000])[0, 1] > 0.99
    with pytest.raises(InputError, match=f"has no channel {channels + 1}, but {channels}"):
        load_audio(path, channel=channels)


@pytest.mark.parametrize("channels", [1, 2, 16])
def test_integers_of_64_bits_are_read(tmp_path, channels):
    wave = np.random.default_rng(0).uniform(-0.9, 0.9, (5000, channels))
    samples = np.rint(wave * 2.0**63).astype("<i8").tobytes()
    layout = struct.pack("<HHLLHH", 1, channels, 16000, 16000 * 8 * channels, 8 * channels, 64)
    header = b"RIFF" + struct.pack("<L", 36 + len(samples)) + b"WAVEfmt \x10\0\0\0" + layout
    path = tmp_path / "a.wav"
    path.write_bytes(header + b"data" + struct.pack("<L", len(samples)) + samples)
    assert read_header(path) == (5000, 16000)
    np.testing.assert_allclose(load_audio(path), wave.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"]
)
def test_w64_has_the_kind_of_samples_that_its_extensible_header_names(tmp_path, subtype):
    wavex, path = tmp_path / "a.wav", tmp_path / "a.w64"
    soundfile.write(wavex, writers.sound(16000, 2).T, 16000, subtype, format="WAVEX")
    content = wavex.read_bytes()
    layout, data = content[20:60], content[content.index(b"data") + 8 :]
    assert layout[:2] == b"\xfe\xff"
    # The layout of FFmpeg's, as of whatever has more than two channels or 48 kHz.
    marks = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    body = b"wave" + marks + b"fmt " + marks + struct.pack("<Q", 24 + len(layout)) + layout
    body += b"data" + marks + struct.pack("<Q", 24 + len(data)) + data
    mark = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
    path.write_bytes(mark + struct.pack("<Q", 24 + len(body)) + body)
    expected = soundfile.read(wavex, dtype="float32")[0].mean(axis=1)
    np.testing.assert_allclose(load_audio(path), expected, atol=1e-6)


def in_wav(samples, rate=48000):
    """WAV of two channels in 16 bits, of any bytes."""
    layout = struct.pack("<HHLLHH", 1, 2, rate, 4 * rate, 4, 16)
    header = b"RIFF" + struct.pack("<L", 36 + len(samples)) + b"WAVEfmt \x10\0\0\0" + layout
    return header + b"data" + struct.pack("<L", len(samples)) + samples


def test_ac3_within_wav_is_no_noise(tmp_path):
    """What S/PDIF carries is the sound that the same stream is in a file of its own."""
    (path := tmp_path / "a.wav").write_bytes(in_wav(writers.by_ffmpeg("spdif", "ac3", 48000, 2)))
    with av.open(io.BytesIO(writers.by_ffmpeg("ac3", "ac3", 48000, 2))) as container:
        frames = [frame.to_ndarray().mean(axis=0) for frame in container.decode(audio=0)]
    np.testing.assert_allclose(load_audio(path, 48000), np.concatenate(frames), atol=1e-5)


def test_noise_that_holds_the_mark_of_coded_sound_is_noise(tmp_path):
    noise = np.random.default_rng(0).integers(-(2**15), 2**15, (48000, 2), dtype="<i2")
    noise[1000] = np.frombuffer(bytes.fromhex("fe7f0180"), "<i2")
    (path := tmp_path / "a.wav").write_bytes(in_wav(noise.tobytes()))
    np.testing.assert_allclose(load_audio(path, 48000), noise.mean(axis=1) / 2**15, atol=1e-6)


def test_a_stream_that_changes_its_rate_has_that_of_its_start(tmp_path):
    """As broadcasts do; here frames of MP3 at two rates in one WAV file."""
    rates = (16000, 24000)
    bare = {"sample": "fltp", "write_xing": "0", "id3v2_version": "0"}
    data = b"".join(writers.by_ffmpeg("mp3", "libmp3lame", rate, **bare) for rate in rates)
    layout = struct.pack("<HHLLHHHHLHHH", 0x55, 1, 16000, 3000, 1, 0, 12, 1, 2, 144, 1, 1393)
    body = b"WAVEfmt \x1e\0\0\0" + layout + b"data" + struct.pack("<L", len(data)) + data
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + struct.pack("<L", len(body)) + body)
    frames, rate = read_header(path)
    assert rate == 16000
    # Two seconds of each, and the delay of coder and decoder.
    assert frames / rate == pytest.approx(4, abs=0.2)
    whole = load_audio(path)
    assert len(whole) == frames
    # Before the change, across it, and behind it, where a sample is another than at the second rate.
    for first in (20000, 33000, 40000, frames - 700):
        window, found = read_window(path, first, 900)
        assert found == rate
        assert torch.equal(window, whole[first : first + 900])


@pytest.mark.parametrize(("mode", "size", "samples"), [(7, 32, 160), (8, 61, 320)])
def test_amr_without_its_mark_is_as_long_as_its_frames(tmp_path, mode, size, samples):
    """As GStreamer's encoders write it; FFmpeg estimates some 3 % more."""
    rng, path = np.random.default_rng(0), tmp_path / "a.amr"
    path.write_bytes(b"".join(bytes([mode << 3 | 4]) + rng.bytes(size - 1) for _ in range(250)))
    assert read_header(path) == (250 * samples, 50 * samples)


@pytest.mark.parametrize("place", [1, 187, 1000, 5001])
@pytest.mark.parametrize(("kind", "codec"), [("ac3", "ac3"), ("eac3", "eac3"), ("vob", "ac3")])
def test_a_capture_that_begins_within_a_frame_is_read_from_the_next(tmp_path, kind, codec, place):
    content = writers.by_ffmpeg(kind, codec, 48000)[place:]
    (path := tmp_path / "a").write_bytes(content)
    frames, torn = [], 0
    with av.open(io.BytesIO(content)) as container:
        for packet in container.demux(audio=0):
            try:
                frames += [frame.to_ndarray()[0] for frame in packet.decode()]
            except av.error.InvalidDataError:
                torn += 1
    assert torn <= 1
    assert len(frames) > 40
    # Each decoder of AC-3 draws the noise that stands for noise anew.
    np.testing.assert_allclose(load_audio(path, 48000), np.concatenate(frames), atol=0.05)


def counted_otherwise(content, more, first=0):
    """An Ogg file whose pages, from one of those with sound on, count so many more samples."""
    pages = [bytearray(page) for page in writers.pages(content)]
    sounding = [page for page in pages if any(page[6:14])]
    for page in sounding[first:]:
        struct.pack_into("<q", page, 6, struct.unpack_from("<q", page, 6)[0] + more)
    return list(map(writers.with_checksum, pages))


def test_vorbis_may_lack_less_than_a_block_of_what_its_pages_count(tmp_path):
    wave = 0.3 * np.random.default_rng(0).normal(size=80000).astype(np.float32)
    soundfile.write(file := io.BytesIO(), wave, 16000, format="OGG", subtype="VORBIS")
    # As FFmpeg writes some: of the second page's packets 144 samples are counted and not there.
    pages = counted_otherwise(file.getvalue(), 144, 1)
    (path := tmp_path / "a.ogg").write_bytes(b"".join(pages))
    whole, _ = soundfile.read(path, dtype="float32")
    assert len(whole) == 80000
    np.testing.assert_array_equal(load_audio(path), np.pad(whole, (0, 144)))
    at = next(place for place, page in enumerate(pages) if any(page[6:14]))
    path.write_bytes(b"".join([*pages[: at + 2], *pages[at + 3 :]]))
    with pytest.raises(InputError, match=r"is damaged: "):
        load_audio(path)


@pytest.mark.parametrize("before", [1000, 20000])
def test_vorbis_that_begins_before_its_count_does_is_read_whole(tmp_path, before):
    """As FFmpeg cuts it with -ss and -c copy: of the first page not all samples are counted."""
    content = writers.by_libsndfile("OGG", "VORBIS", 48000)
    whole, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    (path := tmp_path / "a.ogg").write_bytes(b"".join(counted_otherwise(content, -before)))
    assert len(soundfile.read(path)[0]) == 96000 - before
    assert read_header(path) == (96000, 48000)
    np.testing.assert_allclose(load_audio(path, 48000), whole, atol=1e-4)


@pytest.mark.parametrize("subtype", ["OPUS", "VORBIS"])
def test_ogg_whose_samples_are_not_counted_from_0_is_read_whole_and_in_place(tmp_path, subtype):
    """As Opus that FFmpeg copied out of WebM: libsndfile gives the samples to skip, and not the last."""
    content = writers.by_libsndfile("OGG", subtype, 48000)
    whole, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    (path := tmp_path / "a.ogg").write_bytes(b"".join(counted_otherwise(content, 48)))
    assert read_header(path) == (96000, 48000)
    np.testing.assert_allclose(load_audio(path, 48000), whole, atol=1e-3)
    np.testing.assert_allclose(read_window(path, 70000, 9000)[0], whole[70000:79000], atol=1e-3)


def test_opus_in_webm_begins_where_its_own_header_says(path_of, tmp_path):
    """FFmpeg 5.1 writes a CodecDelay of 1/6 to 1/2 of that where the encoder was given 8 to 24 kHz."""
    path = path_of("webm")
    whole, content = load_audio(path, 48000), bytearray(path.read_bytes())
    place = content.index(b"\x56\xaa") + 3
    delay = slice(place, place + (content[place - 1] & 15))
    assert int.from_bytes(content[delay]) == 6_500_000
    for part in (6, 3, 2):
        content[delay] = (6_500_000 // part).to_bytes(delay.stop - delay.start)
        (tmp_path / "late.webm").write_bytes(content)
        assert load_audio(tmp_path / "late.webm", 48000).equal(whole)
        for first in (0, 100, 700, 50000):
            window, _ = read_window(tmp_path / "late.webm", first, 1000)
            assert window.equal(whole[first : first + 1000])


@pytest.mark.parametrize(("name", "rate", "channels"), [("g722", 16000, 1), ("sbc", 44100, 2)])
def test_what_is_known_by_its_name_alone_is_read(tmp_path, name, rate, channels):
    path = tmp_path / f"a.{name.upper()}"
    path.write_bytes(writers.by_ffmpeg(name, name, rate, channels))
    assert read_header(path)[1] == rate
    sound, expected = load_audio(path, rate).numpy(), writers.sound(rate, channels).mean(axis=0)
    assert abs(len(sound) - len(expected)) < 128
    delay = int(correlate(sound, expected).argmax()) - len(expected) + 1
    assert 0 <= delay < 100
    assert np.corrcoef(sound[delay:][:30000], expected[:30000])[0, 1] > 0.99
    # Another file is what its content says.
    path.write_bytes(writers.by_libsndfile("WAV", "PCM_16"))
    assert read_header(path) == (32000, 16000)


def test_opus_that_ends_within_is_read_to_its_end(tmp_path):
    """As where FFmpeg 5.1 copies two files that were joined; libsndfile 1.2.2 fails at the join."""
    pages = [
        bytearray(page)
        for page in writers.pages(writers.by_ffmpeg("ogg", "libopus", 48000, seconds=6))
    ]
    # Counted from 0, and the end of the first file left a packet uncounted.
    for number, page in enumerate(pages[2:], 2):
        (samples,) = struct.unpack_from("<q", page, 6)
        page[6:14] = struct.pack("<q", samples - 312 - 960 * (number > len(pages) // 2))
    path = tmp_path / "joined.opus"
    path.write_bytes(b"".join(map(writers.with_checksum, pages)))
    # Packets of 20 ms, each of which ends in a segment of less than 255 bytes.
    packets = sum(each < 255 for page in pages[2:] for each in page[27 : 27 + page[26]])
    (skipped,) = struct.unpack_from("<H", pages[0], 28 + 10)
    samples, rate = read_header(path)
    assert rate == 48000
    assert samples == pytest.approx(960 * packets - skipped, abs=960)
    assert len(load_audio(path, 48000)) == samples
    assert len(read_window(path, samples - 1000, 1000)[0]) == 1000


def test_opus_captured_from_a_radio_stream_is_read_from_where_it_begins(tmp_path):
    """Its headers, and behind them pages that count from the beginning of the stream."""
    wave = np.tile(writers.sound(48000)[0], 3)
    soundfile.write(file := io.BytesIO(), wave, 48000, format="OGG", subtype="OPUS")
    whole, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")
    pages = writers.pages(file.getvalue())
    first = next(place for place, page in enumerate(pages) if any(page[6:14]))
    (before,) = struct.unpack_from("<q", pages[first], 6)
    (path := tmp_path / "a.opus").write_bytes(b"".join(pages[:first] + pages[first + 1 :]))
    assert read_header(path) == (len(whole) - before, 48000)
    sound = load_audio(path, 48000)
    # The first packets are heard without those before them.
    np.testing.assert_allclose(sound[9600:], whole[before + 9600 :], atol=0.01)
    np.testing.assert_array_equal(read_window(path, 30000, 9000)[0], sound[30000:39000])
    path.write_bytes(b"".join(pages[:first] + pages[first + 1 : -2] + pages[-1:]))
    assert read_header(path) == "is damaged: a page of it is missing"


def test_a_lost_page_of_one_packet_is_damage_and_no_shorter_end(tmp_path):
    pages = writers.pages(writers.by_ffmpeg("ogg", "libopus", 48000, page_duration="1"))
    assert len(pages) > 80
    path = tmp_path / "a.ogg"
    path.write_bytes(b"".join(pages))
    load_audio(path)
    path.write_bytes(b"".join(pages[:40] + pages[41:]))
    with pytest.raises(InputError, match=r"is damaged"):
        load_audio(path)


def test_another_rate_is_resampled_as_soxr_does():
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=n).astype(np.float32) for n in (5000, 12345))
    blocks = [
        (8000, first[:10]),
        (8000, first[10:]),
        *((44100, part) for part in np.split(second, 5)),
    ]
    found = list(at_rate(blocks))
    assert {rate for rate, _ in found} == {8000}
    expected = np.concatenate([first, soxr.resample(second, 44100, 8000, "HQ")])
    np.testing.assert_array_equal(np.concatenate([block for _, block in found]), expected)


def test_what_lies_above_the_new_nyquist_frequency_does_not_fold_back(tmp_path):
    rate, path = 48000, tmp_path / "a.mka"
    tone = np.sin(2 * np.pi * 8500 * np.arange(rate) / rate).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone[None], "flt", "mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
    assert load_audio(path)[500:-500].abs().max() < 1e-5


def test_headers_are_read_without_decoding_where_they_tell(path_of, monkeypatch):
    monkeypatch.setattr(decoding, "_by_ffmpeg", lambda *_, **__: pytest.fail("decoded"))
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("decoded"))
    for name in ("WAV-PCM_16", "W64-PCM_16", "OGG-VORBIS", "MP3-MPEG_LAYER_III", "WAV-GSM610"):
        assert count(examine(path_of(name))) == (ALL[name][2], ALL[name][1])


def test_tags_in_any_encoding_do_no_harm(path_of):
    path = path_of("mp3-bare")
    frame = b"TIT2\0\0\0\x06\0\0\x03caf\xe9\xff"
    path.write_bytes(b"ID3\x03\0\0\0\0\0" + bytes([len(frame)]) + frame + path.read_bytes())
    assert read_header(path)[1] == 16000


@pytest.mark.parametrize("text", ["#EXTM3U\n#EXTINF:2,\n{}\n", "ffconcat version 1.0\nfile {}\n"])
def test_a_playlist_opens_no_other_file(path_of, text, tmp_path):
    path_of("aac")
    (tmp_path / "list.mp3").write_text(text.format("aac"))
    assert read_header(tmp_path / "list.mp3").startswith("is damaged, or in a format")


def test_a_file_that_libsndfile_takes_for_a_header_does_no_harm(path_of, tmp_path, monkeypatch):
    # What is read from memory has no name, so libsndfile looks for its header in "._" of the
    # current folder, and then reads no MP3. See `findings/sd2_in_memory.sh`.
    path = path_of("MP3-MPEG_LAYER_III")
    (tmp_path / "._").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(io.BytesIO(path.read_bytes()))
    expected, rate = soundfile.read(path, dtype="float32")
    pieces = examine(path)
    assert count(pieces) == (len(expected), rate)
    found = np.concatenate([block for _, block in mono_blocks(pieces)])
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_picture_holds_no_sound(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert read_header(path) == "holds no sound, or none that FFmpeg reads"


def test_a_file_that_shrinks_under_the_reader_is_damaged(path_of):
    path = path_of("WAV-PCM_16")
    pieces = examine(path)
    path.write_bytes(path.read_bytes()[:40000])
    with pytest.raises(Unreadable, match="is damaged: 19978 of its 32000 samples can be read"):
        list(mono_blocks(pieces))


def test_damage_within_is_refused(path_of):
    for name in ("FLAC-PCM_16", "flac-piped", "m4a-alac"):
        path = path_of(name)
        content = bytearray(path.read_bytes())
        content[len(content) // 2 :][:1000] = bytes(1000)
        content[len(content) // 2 : len(content) // 2 + 1000] = bytes(1000)
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"{name} is damaged"):
            load_audio(path)


@pytest.mark.parametrize("name", ["wv", "tta"])
def test_a_block_with_another_checksum_is_damage(path_of, name):
    path = path_of(name)
    content = bytearray(path.read_bytes())
    for place in (1500, len(content) // 2, len(content) - 600):
        content[place] ^= 1
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"{name} is damaged"):
            load_audio(path)
        content[place] ^= 1


def test_a_frame_of_monkeys_audio_with_another_checksum_is_damage(tmp_path):
    """No encoder is at hand: three frames that say, by a flag, that they are silent."""
    blocks, path = 4096, tmp_path / "a.ape"
    frame = struct.pack("<LLQ", 2**31 | crc32(bytes(4 * blocks)) >> 1, 3, 0)
    head = struct.pack("<4sHH7L16x", b"MAC ", 3990, 0, 52, 24, 12, 0, 3 * len(frame), 0, 0)
    head += struct.pack("<HH3LHHL", 2000, 32, blocks, blocks, 3, 16, 2, 44100)
    head += struct.pack("<3L", *range(88, 88 + 3 * len(frame), len(frame)))
    path.write_bytes(content := head + 3 * frame)
    assert (load_audio(path, 44100) == torch.zeros(3 * blocks)).all()
    for place in (88, 88 + len(frame), 88 + 2 * len(frame)):
        path.write_bytes(content[:place] + bytes([frame[0] ^ 1]) + content[place + 1 :])
        with pytest.raises(InputError, match="is damaged"):
            load_audio(path)


def test_flac_whose_table_of_places_does_not_fit_is_read_in_windows_too(tmp_path):
    path, wave = tmp_path / "a.flac", writers.sound(16000, 1, 6)[0]
    soundfile.write(path, wave, 16000)
    content = path.read_bytes()
    points = b"".join(struct.pack(">QQH", place, 0, 4096) for place in (0, 30000, 60000))
    table = b"\x03" + len(points).to_bytes(3) + points
    path.write_bytes(content[:42] + table + content[42:])
    assert read_header(path) == (96000, 16000)
    for first in (17000, 40000, 90000):
        np.testing.assert_allclose(
            read_window(path, first, 700)[0], wave[first : first + 700], atol=1e-4
        )


@pytest.mark.parametrize("counted", [48000, 80000, 94208])
@pytest.mark.parametrize("kind", ["sound", "silence", "stereo"])
def test_flac_with_more_samples_than_its_header_counts_is_not_shortened(tmp_path, kind, counted):
    path, rest = tmp_path / "a.flac", b"TAG" + bytes(125)
    noise = 0.1 * np.random.default_rng(0).normal(size=(96000, 2))
    sounds = {"sound": writers.sound(16000, 1, 6)[0], "silence": np.zeros(96000), "stereo": noise}
    soundfile.write(path, sounds[kind], 16000)
    content = bytearray(path.read_bytes())
    path.write_bytes(content + rest)
    assert len(load_audio(path)) == 96000
    content[22:26] = struct.pack(">L", counted)
    path.write_bytes(content + rest)
    with pytest.raises(InputError, match=r"a\.flac holds more samples than its header counts"):
        load_audio(path)


def test_a_chain_of_rates_is_brought_to_the_first(tmp_path):
    path = tmp_path / "a.ogg"
    parts = [io.BytesIO() for _ in range(2)]
    for part, rate in zip(parts, (22050, 48000), strict=True):
        soundfile.write(part, writers.sound(rate)[0], rate, "VORBIS", format="OGG")
    path.write_bytes(b"".join(part.getvalue() for part in parts))
    assert read_header(path) == (4 * 22050, 22050)
    found, _ = read_window(path, 0, 10**6)
    np.testing.assert_allclose(
        found[2 * 22050 + 500 : -500], writers.sound(22050)[0][500:-500], atol=0.1
    )


@pytest.mark.parametrize(("kind", "late"), [("VORBIS", 0), ("OPUS", 20), ("FLAC", 0)])
def test_an_empty_packet_at_the_end_of_ogg_is_passed_over(tmp_path, kind, late):
    """As VLC 3.0.24 writes it: the last page has nothing but one, and its Opus begins 20 samples late."""
    content = ALL["ogg-flac"][0] if kind == "FLAC" else writers.by_libsndfile("OGG", kind, 48000)
    (path := tmp_path / "a.ogg").write_bytes(content)
    samples, rate = read_header(path)
    whole = load_audio(path, rate)
    *before, last = counted_otherwise(content, late)
    end = bytearray(last[:27] + b"\0")
    end[26] = 1
    end[18] += 1
    last = bytearray(last)
    last[5] &= ~4
    path.write_bytes(b"".join([*before, *map(writers.with_checksum, (last, end))]))
    # Only a page with sound, and this mark, says how much of its last packet is none.
    besides = 960 if kind == "OPUS" else 0
    assert 0 <= read_header(path)[0] - samples <= besides
    np.testing.assert_allclose(load_audio(path, rate)[:samples], whole, atol=1e-3)


@pytest.mark.parametrize("padding", [bytes(188), bytes(4096), b"\xff" * 4096])
def test_padding_behind_a_transport_stream_is_passed_over(tmp_path, padding):
    content = writers.by_ffmpeg("mpegts", "aac", 48000)
    (path := tmp_path / "a.ts").write_bytes(content)
    whole, header = load_audio(path), read_header(path)
    path.write_bytes(content + padding)
    assert read_header(path) == header
    assert load_audio(path).equal(whole)


@pytest.mark.parametrize("first", [0.3, 0.9])
def test_small_packets_of_zeros_are_no_sound(tmp_path, first):
    """Opus takes them for frames of its shortest kind; a file whose index is in front lacks its end."""
    settings = {"b": "12k", "application": "voip"}
    content = bytearray(
        writers.by_ffmpeg("mp4", "libopus", 48000, settings=settings, movflags="+faststart")
    )
    (path := tmp_path / "a.mp4").write_bytes(content)
    assert isinstance(read_header(path), tuple)
    place = int(first * len(content))
    path.write_bytes(content[:place] + bytes(len(content) - place))
    assert read_header(path) == "is damaged: zeros are in the place of its packets"


@pytest.mark.parametrize("kind", ["mp4", "matroska"])
def test_flac_is_checked_in_other_containers_too(tmp_path, kind):
    content = bytearray(writers.by_ffmpeg(kind, "flac", sample="s16", strict="-2"))
    (path := tmp_path / "a").write_bytes(content)
    assert isinstance(read_header(path), tuple)
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert read_header(path).startswith("is damaged")


def test_a_stream_that_begins_on_the_way_takes_nothing_from_the_sound(tmp_path):
    """PyAV 18.1 then fails behind the last packet; where the sound goes on in it, it would be lost."""
    sound, more = (
        writers.by_ffmpeg("flv", codec, 44100, sample="fltp", seconds=20)
        for codec in ("libmp3lame", "aac")
    )
    (path := tmp_path / "a.flv").write_bytes(sound)
    whole, header = load_audio(path), read_header(path)
    picture = b"\x09\0\0\x14" + (20000).to_bytes(3) + bytes(4) + b"\x12" + bytes(19) + b"\0\0\0\x1f"
    path.write_bytes(sound + picture)
    assert read_header(path) == header
    assert load_audio(path).equal(whole)
    path.write_bytes(sound + more[13:])
    assert read_header(path) == "goes on in another stream, which would be lost"


def test_channels_of_opus_without_places_keep_their_numbers(tmp_path):
    """Mapping family 255 (RFC 7845, 5.1.1.3)."""
    (path := tmp_path / "a.opus").write_bytes(b"")
    rate, frequencies = 48000, (300, 500, 700, 1100, 1300)
    wave = np.sin(2 * np.pi * np.outer(frequencies, np.arange(rate)) / rate).astype(np.float32)
    with av.open(path, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=rate, layout="5.0")
        stream.options = {"mapping_family": "255"}
        frame = av.AudioFrame.from_ndarray(wave.T.reshape(1, -1).copy(), "flt", "5.0")
        frame.sample_rate = rate
        container.mux([*stream.encode(frame), *stream.encode(None)])
    for channel, frequency in enumerate(frequencies):
        spectrum = np.abs(np.fft.rfft(load_audio(path, rate, channel=channel)[:rate]))
        assert spectrum.argmax() == frequency


def test_what_vorbis_fills_up_to_a_bitrate_is_no_hole(tmp_path):
    """libvorbis keeps a lowest bitrate by zeros, so that packets of silence are nothing else."""
    content = io.BytesIO(writers.by_libsndfile("OGG", "VORBIS", 48000))
    path = tmp_path / "a.mka"
    with av.open(content) as source, av.open(path, "w", format="matroska") as container:
        stream = container.add_stream_from_template(source.streams.audio[0])
        for number, packet in enumerate(source.demux(audio=0)):
            copied = av.Packet(bytes(80) if 10 <= number < 40 else bytes(packet))
            copied.pts, copied.dts, copied.time_base = packet.pts, packet.dts, packet.time_base
            copied.stream = stream
            container.mux([copied] if packet.size else [])
    whole = load_audio(path, 48000)
    # Of nothing but zeros, a packet is a short block.
    assert (whole == 0).sum() == pytest.approx(30 * 128, abs=2 * 1024)
    assert len(whole) > 48000
