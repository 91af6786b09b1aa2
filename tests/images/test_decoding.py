"""Decoding of every accepted image format: pixels, refusals and memory."""

import hashlib
import io
import os
import struct
import subprocess
import sys
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from camviz import images
from camviz.errors import CamvizError
from camviz.images import DecodedImage, decode, decode_image, digest

pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
ORIENTATION = 0x0112
WIDTH, HEIGHT = 60, 40
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def smooth(width=WIDTH, height=HEIGHT):
    """Return a smooth image without symmetry, which JPEG keeps."""
    y, x = np.mgrid[0:height, 0:width]
    channels = 255 * x / (width - 1), 255 * y / (height - 1), 127 * (x / (width - 1) + y / (height - 1))
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def save(picture, kind, **options):
    """Return the bytes of a file; `picture` is an array or a PIL image."""
    file = io.BytesIO()
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    picture.save(file, kind, **options)
    return file.getvalue()


def png(width, height, *, color=2, raw=b"", interlaced=False):
    """Return a PNG whose header may state a false size."""
    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, interlaced)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def with_claimed_size(jpeg, width, height):
    """Return the JPEG with another size in its header."""
    at = max(jpeg.find(b"\xff\xc0\x00\x11"), jpeg.find(b"\xff\xc2\x00\x11"))
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def difference(image, expected):
    assert image.mode == "RGB"
    assert not image.info
    return np.abs(np.asarray(image).astype(int) - np.asarray(expected).astype(int)).max()


IMAGE = smooth()
GRAY = np.asarray(Image.fromarray(IMAGE).convert("L"))
GRAY_RGB = np.stack([GRAY] * 3, axis=-1)
PALETTE = Image.fromarray(IMAGE).quantize(32)
HALF_RED = Image.new("RGBA", (WIDTH, HEIGHT), (255, 0, 0, 128))
HALF_RED_ON_WHITE = np.full_like(IMAGE, (255, 127, 127))
OTHER = Image.fromarray(IMAGE[::-1])
CLEAR = Image.new("P", (WIDTH, HEIGHT), 0)
CLEAR.putpalette([0, 0, 0, 10, 20, 30])
CLEAR.paste(1, (30, 0, 60, 40))
CLEAR_ON_WHITE = np.full_like(IMAGE, 255)
CLEAR_ON_WHITE[:, 30:] = (10, 20, 30)
CLEAR_LA = Image.merge("LA", [Image.new("L", (WIDTH, HEIGHT), 100), Image.fromarray(GRAY)])
LA_ON_WHITE = 255 - (255 - 100) * (GRAY_RGB / 255)
SIXTEEN = GRAY.astype(np.uint16) * 257
STRETCHED = (GRAY_RGB - float(GRAY.min())) * 255 / (int(GRAY.max()) - int(GRAY.min()))
DARK_SIXTEEN = np.rint(GRAY_RGB / 255 * (30000 / 257))

FORMATS = {
    "jpeg": (save(IMAGE, "JPEG", quality=95), IMAGE, 6),
    "jpeg progressive": (save(IMAGE, "JPEG", quality=95, progressive=True), IMAGE, 6),
    "jpeg gray": (save(GRAY, "JPEG", quality=95), GRAY_RGB, 3),
    "jpeg cmyk": (save(Image.fromarray(IMAGE).convert("CMYK"), "JPEG", quality=95), IMAGE, 6),
    "mpo": (save(IMAGE, "MPO", save_all=True, append_images=[OTHER.copy()], quality=95), IMAGE, 6),
    "png": (save(IMAGE, "PNG"), IMAGE, 0),
    "png gray": (save(GRAY, "PNG"), GRAY_RGB, 0),
    "png 1 bit": (save(Image.fromarray(GRAY > 99), "PNG"), 255 * (GRAY_RGB > 99), 0),
    "png palette": (save(PALETTE, "PNG"), PALETTE.convert("RGB"), 0),
    "png palette with a clear color": (save(CLEAR, "PNG", transparency=0), CLEAR_ON_WHITE, 0),
    "png color key": (save(CLEAR.convert("RGB"), "PNG", transparency=(0, 0, 0)), CLEAR_ON_WHITE, 0),
    "png half red": (save(HALF_RED, "PNG"), HALF_RED_ON_WHITE, 1),
    "png gray and alpha": (save(CLEAR_LA, "PNG"), LA_ON_WHITE, 1),
    "png 16 bit": (save(SIXTEEN, "PNG"), GRAY_RGB, 0),
    "png 16 bit, dark": (save(np.rint(GRAY * (30000 / 255)).astype(np.uint16), "PNG"), DARK_SIXTEEN, 1),
    "png 12 of 16 bit": (save(np.rint(GRAY / 255 * 4095).astype(np.uint16), "PNG"), GRAY_RGB, 1),
    "tiff 12 of 16 bit": (save(np.rint(GRAY / 255 * 4095).astype(np.uint16), "TIFF"), GRAY_RGB, 1),
    "png 10 of 16 bit": (save(np.rint(GRAY / 255 * 1023).astype(np.uint16), "PNG"), GRAY_RGB, 1),
    "tiff that names its white": (
        save(np.rint(GRAY / 255 * 16383).astype(np.uint16), "TIFF", tiffinfo={281: 16383}),
        GRAY_RGB,
        1,
    ),
    "avif": (save(IMAGE, "AVIF", quality=95), IMAGE, 12),
    "webp": (save(IMAGE, "WEBP", lossless=True), IMAGE, 0),
    "webp half red": (save(HALF_RED, "WEBP", lossless=True), HALF_RED_ON_WHITE, 1),
    "webp animated": (save(IMAGE, "WEBP", lossless=True, save_all=True, append_images=[OTHER.copy()]), IMAGE, 0),
    "gif animated": (save(PALETTE, "GIF", save_all=True, append_images=[OTHER.copy()]), PALETTE.convert("RGB"), 0),
    "gif clear": (save(CLEAR, "GIF", transparency=0), CLEAR_ON_WHITE, 0),
    "bmp": (save(IMAGE, "BMP"), IMAGE, 0),
    "tiff": (save(IMAGE, "TIFF"), IMAGE, 0),
    "tiff pages": (save(IMAGE, "TIFF", save_all=True, append_images=[OTHER.copy()]), IMAGE, 0),
    "tiff cmyk": (save(Image.fromarray(IMAGE).convert("CMYK"), "TIFF", compression="tiff_lzw"), IMAGE, 1),
    "tiff 16 bit": (save(SIXTEEN, "TIFF"), GRAY_RGB, 0),
    "tiff 16 bit big-endian": (save(Image.fromarray(SIXTEEN.astype(">u2")), "TIFF"), GRAY_RGB, 0),
    "tiff 32 bit": (save(GRAY.astype(np.int32) * 257, "TIFF"), GRAY_RGB, 0),
    "tiff 32 bit, wide": (save(GRAY.astype(np.int32) * 90000 - 7, "TIFF"), STRETCHED, 1),
    "tiff float": (save(GRAY.astype(np.float32) / 255, "TIFF"), GRAY_RGB, 0),
    "tiff float to 255": (save(GRAY.astype(np.float32), "TIFF"), GRAY_RGB, 0),
    "tiff float, wide": (save(GRAY * np.float32(1e30), "TIFF"), STRETCHED, 1),
}


@pytest.mark.parametrize(("data", "expected", "tolerance"), FORMATS.values(), ids=FORMATS.keys())
def test_every_format_is_decoded(data, expected, tolerance):
    assert difference(decode(data), expected) <= tolerance


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind, orientation):
    turned = IMAGE.transpose(1, 0, 2)
    stored = {
        1: IMAGE,
        2: IMAGE[:, ::-1],
        3: IMAGE[::-1, ::-1],
        4: IMAGE[::-1],
        5: turned,
        6: turned[::-1],
        7: turned[::-1, ::-1],
        8: turned[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(kind, {})
    image = decode(save(np.ascontiguousarray(stored), kind, exif=exif, **options))
    assert difference(image, IMAGE) <= (6 if kind == "JPEG" else 0)


@pytest.mark.slow
def test_large_jpeg_is_reduced_and_upright():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    large = smooth(2048, 2500)
    image = decode(save(np.ascontiguousarray(large.transpose(1, 0, 2)[::-1]), "JPEG", exif=exif))
    assert image.size == (1024, 1250)
    assert difference(image, Image.fromarray(large).reduce(2)) <= 6


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2047, 3000), (2047, 3000)),
        ((2048, 3001), (1024, 1501)),
        ((3100, 3200), (1034, 1067)),
        ((16, 100_000), (16, 100_000)),
        ((100_000, 16), (100_000, 16)),
    ],
)
def test_large_images_are_reduced_to_a_shorter_side_of_1024(size, expected):
    assert decode(save(Image.new("L", size), "PNG")).size == expected


@pytest.mark.slow
def test_reducing_in_strips_equals_reducing_the_whole():
    large = Image.fromarray(smooth(2100, 2300))
    large.putalpha(Image.fromarray(smooth(2100, 2300)[..., 2]))
    white = Image.alpha_composite(Image.new("RGBA", large.size, "white"), large).convert("RGB")
    assert difference(decode(save(large, "PNG", compress_level=1)), white.reduce(2)) <= 1


def test_values_that_are_not_finite_become_black_or_white():
    values = GRAY.astype(np.float32) / 255
    values[0, :4] = np.nan, np.inf, -np.inf, 0.5
    image = decode(save(values, "TIFF"))
    assert [image.getpixel((x, 0))[0] for x in range(4)] == [0, 255, 0, 128]
    assert difference(image.crop((0, 1, 60, 40)), GRAY_RGB[1:]) == 0
    nothing = decode(save(np.full_like(values, np.nan), "TIFF"))
    assert nothing.getextrema() == ((0, 0),) * 3


def test_color_profile_is_applied():
    swapped = SRGB.replace(b"rXYZ", b"....").replace(b"gXYZ", b"rXYZ").replace(b"....", b"gXYZ")
    expected = IMAGE[..., [1, 0, 2]]
    assert difference(decode(save(IMAGE, "PNG", icc_profile=swapped)), expected) <= 2
    assert difference(decode(save(PALETTE, "PNG", icc_profile=swapped)), PALETTE.convert("RGB")) > 100


@pytest.mark.parametrize("profile", [SRGB, b"no profile at all", SRGB[:300]], ids=["sRGB", "nonsense", "truncated"])
@pytest.mark.parametrize("picture", [IMAGE, GRAY], ids=["color", "gray"])
def test_srgb_and_damaged_profiles_change_nothing(picture, profile):
    expected = np.stack([picture] * 3, axis=-1) if picture.ndim == 2 else picture
    assert difference(decode(save(picture, "PNG", icc_profile=profile)), expected) <= 1


def test_damaged_metadata_is_ignored():
    assert difference(decode(save(IMAGE, "PNG", exif=b"Exif\0\0II*\0garbage")), IMAGE) == 0


def test_every_kind_of_source_is_decoded(tmp_path):
    data = save(HALF_RED, "PNG")
    path = tmp_path / "half red.png"
    path.write_bytes(data)
    file = io.BytesIO(data)
    file.seek(7)
    with path.open("rb") as opened:
        found = [decode(source) for source in (data, bytearray(data), path, str(path), file, opened, HALF_RED)]
        assert not opened.closed
    assert file.tell() == 7
    assert {digest(image) for image in found} == {digest(Image.fromarray(np.asarray(found[0])))}
    assert HALF_RED.mode == "RGBA"


def test_decoded_image_is_decoded_and_hashed_once(tmp_path, monkeypatch):
    path = tmp_path / "half red.png"
    path.write_bytes(save(HALF_RED, "PNG"))
    found = decode_image(str(path))
    assert (found.name, decode_image(path.read_bytes()).name) == ("half red.png", "")
    assert difference(found.pixels, HALF_RED_ON_WHITE) <= 1
    assert found.digest == digest(found.pixels) == decode_image(HALF_RED).digest
    monkeypatch.setattr(images, "_to_rgb", None)  # decoding and hashing would fail from here on
    monkeypatch.setattr(images, "_strips", None)
    assert decode_image(found) is found
    assert found.digest == decode_image(found).digest
    with pytest.raises(AttributeError):
        found.name = "other"  # frozen
    assert repr(DecodedImage(HALF_RED, "a.png")) == "DecodedImage(name='a.png')"


class Pipe(io.RawIOBase):
    """A file that can only be read forward."""

    def __init__(self, data):
        self.inner = io.BytesIO(data)

    def read(self, size=-1):
        return self.inner.read(size)


def test_file_without_seek_is_decoded():
    assert difference(decode(Pipe(save(IMAGE, "PNG"))), IMAGE) == 0


def test_given_image_is_copied():
    given = Image.fromarray(IMAGE)
    result = decode(given)
    result.paste((1, 2, 3), (0, 0, WIDTH, HEIGHT))
    assert difference(given, IMAGE) == 0


AVIF = b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"
SVG = b'<?xml version="1.0"?>\n<!-- a drawing -->\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
REFUSED = {
    "empty": (b"", r"file is empty; expected a photograph in JPEG"),
    "text": (b"hello, world", r"not an image that can be read; expected"),
    "svg": (SVG, r"SVG is a drawing, not a photograph; expected"),
    "pdf": (b"%PDF-1.7 ...", r"PDF is a document"),
    "avif": (AVIF, r"this AVIF is truncated or damaged"),
    "wav": (b"RIFF\x24\x08\0\0WAVEfmt " + bytes(2000), r"this file is not an image that can be read; expected"),
    "avi": (b"RIFF\x24\x08\0\0AVI LIST" + bytes(2000), r"this file is not an image that can be read; expected"),
    "text that begins as a BMP": (b"BM is short for bitmap" + bytes(200), r"not an image that can be read"),
    "a decoder not asked for": (save(IMAGE, "PPM"), r"not an image that can be read"),
    "small": (save(IMAGE[:15], "PNG"), r"at least 16 pixels on each side; this image has 60 x 15"),
    "small jpeg": (save(IMAGE[:, :15], "JPEG"), r"at least 16 pixels on each side; this image has 15 x 40"),
    "small image": (Image.new("RGB", (15, 99)), r"at least 16 pixels on each side; this image has 15 x 99"),
    "large file": (b"\xff\xd8\xff" + bytes(20 * 2**20), r"at most 20 MB"),
    "bomb png": (png(13_400, 13_500), r"at most 40 megapixels; this image has 13400 x 13500 = 180.9"),
    "large png": (png(8000, 5001), r"at most 40 megapixels; this image has 8000 x 5001 = 40.0"),
    "bomb webp": (b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\x3f\0" * 2, r"at most 40 megapixels"),
    "large webp": (
        save(Image.new("RGB", (5000, 4001)), "WEBP", lossless=True, quality=0, method=0),
        r"expected at most 20 megapixels; this WebP has 5000 x 4001 = 20.0",
    ),
    "large jpeg": (
        with_claimed_size(FORMATS["jpeg"][0], 10_001, 10_000),
        r"at most 100 megapixels; this JPEG has 10001 x",
    ),
    "greedy jpeg": (
        with_claimed_size(save(IMAGE, "JPEG", progressive=True, subsampling=0), 10_000, 10_000),
        r"decoding this JPEG would need over 400 MB",
    ),
    "scans apart": (
        with_claimed_size(save(IMAGE, "JPEG", subsampling=0), 5_000, 20_000).replace(
            b"\xff\xda\0\x0c\3", b"\xff\xda\0\x0c\1"
        ),
        r"decoding this JPEG would need over 400 MB",
    ),
    "long png": (save(IMAGE, "PNG")[:-300], r"this PNG is truncated or damaged"),
    "damaged png": (save(IMAGE, "PNG")[:20], r"this PNG is truncated or damaged"),
    "number": (7, r"expected an image as a path, bytes, binary file, PIL image, array or tensor; got int"),
    "text file": (io.StringIO("hello"), r"expected a file opened in binary mode"),
    "no such file": (Path("nowhere.png"), r"cannot read the image 'nowhere.png': No such file"),
    "folder": (Path(), r"cannot read the image '.': Is a directory"),
}


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_files_are_refused_with_a_reason(source, message):
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CamvizError, match=message) as refusal:
            decode(source)
    assert "\n" not in str(refusal.value)
    assert time.perf_counter() - start < 1


def test_heic_is_decoded_by_pillow_heif(monkeypatch):
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is missing: pip install camviz[heic]")
    file = io.BytesIO()
    heif.from_pillow(Image.fromarray(IMAGE)).save(file, quality=-1, matrix_coefficients=0, chroma=444)  # lossless
    data = file.getvalue()
    assert difference(decode(data), IMAGE) == 0
    with pytest.raises(CamvizError, match="HEIF is truncated or damaged"):
        decode(data[:200])
    monkeypatch.setattr(images, "MAX_WEBP_PIXELS", WIDTH * HEIGHT - 1)
    with pytest.raises(CamvizError, match=f"this HEIC has {WIDTH} x {HEIGHT}"):
        decode(data)


def test_heic_without_pillow_heif_names_the_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
    with pytest.raises(CamvizError, match=r"run pip install camviz\[heic\]"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")


@pytest.mark.parametrize("name", [name for name in FORMATS if "bit" not in name and "float" not in name])
def test_truncated_file_is_refused(name):
    data = FORMATS[name][0]
    cut = data[: len(data) // 2]
    if name in ("mpo", "webp animated", "gif animated", "tiff pages"):  # half of these is the whole first frame
        cut = data[: len(data) // 5]
    with pytest.raises(CamvizError, match="is truncated or damaged; expected a complete file"):
        decode(cut)


def test_memory_of_a_tiff_block_counts(monkeypatch):
    def compressed(rows):
        return save(IMAGE, "TIFF", compression="tiff_lzw", tiffinfo={278: rows})

    monkeypatch.setattr(images, "DECODER_BYTES", 4 * WIDTH * HEIGHT + 4 * WIDTH * 10)
    assert difference(decode(compressed(10)), IMAGE) == 0
    with pytest.raises(CamvizError, match="decoding this TIFF would need over 400 MB"):
        decode(compressed(HEIGHT))


def test_digest_depends_on_size_mode_and_every_pixel():
    base = Image.fromarray(np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), dtype=np.uint8))
    other = base.copy()
    red, green, blue = base.getpixel((700, 3))
    other.putpixel((700, 3), (red, green, blue ^ 1))
    gray = Image.new("L", (300, 200), 9)
    distinct = [base, other, gray, Image.new("L", (200, 300), 9), gray.convert("RGB"), gray.resize((100, 200))]
    assert len({digest(image) for image in distinct}) == len(distinct)
    assert digest(base) == digest(base.copy())
    expected = hashlib.sha256(b"RGB 2 1 " + bytes([1, 2, 3, 1, 2, 3])).hexdigest()
    assert digest(Image.new("RGB", (2, 1), (1, 2, 3))) == expected


@pytest.mark.slow
def test_eight_threads_decode_the_same_pixels():
    files = [data for data, _, _ in FORMATS.values()] + [
        save(smooth(2100, 2200), "JPEG"),
        save(smooth(2100, 2200), "PNG"),
    ]
    alone = [digest(decode(data)) for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: digest(decode(data)), files * 8))
    assert together == alone * 8


MEASURE = """
import os, resource, sys
from PIL import Image
from camviz.images import decode
for path in sys.argv[1:]:
    sys.stdout.flush()
    if os.fork() == 0:
        decode(Image.new("RGB", (99, 99)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = decode(path).size
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(os.path.basename(path), *size, round((after - before) * 1024 / 1e6), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in other units elsewhere")
def test_accepted_images_take_less_than_400_mb(tmp_path):
    thin, square, turned = (2047, 19_540), (6324, 6324), Image.Exif()
    turned[ORIENTATION] = 6
    gray = Image.linear_gradient("L")
    rgba = Image.merge("RGBA", [gray, gray.rotate(90), gray.rotate(180), gray])
    passes = [(8, 8, 0, 0), (8, 8, 4, 0), (4, 8, 0, 4), (4, 4, 2, 0), (2, 4, 0, 2), (2, 2, 1, 0), (1, 2, 0, 1)]
    rows = b"".join(
        bytes(1 + 4 * len(range(left, thin[0], across))) * len(range(top, thin[1], down))
        for across, down, left, top in passes
    )
    deflate = {"compression": "tiff_adobe_deflate"}
    files = {
        "alpha.png": (save(rgba.resize(thin, 0), "PNG", compress_level=1), thin),
        "interlaced.png": (png(*thin, color=6, raw=rows, interlaced=True), thin),
        "sixteen.png": (save(Image.new("I;16", thin, 9000), "PNG", compress_level=1), thin),
        "clear.png": (save(gray.resize(square, 0).convert("P"), "PNG", compress_level=1, transparency=1), (1054, 1054)),
        "turned.tif": (save(rgba.resize(thin, 0), "TIFF", exif=turned, **deflate), thin[::-1]),
        "float.tif": (save(gray.convert("F").resize(thin, 0), "TIFF", **deflate), thin),
        "alpha.webp": (
            save(Image.new("RGBA", (4472, 4472), (9, 8, 7, 6)), "WEBP", lossless=True, quality=0, method=0),
            (1118, 1118),
        ),
        "turned.jpg": (save(Image.new("RGB", thin, "red"), "JPEG", exif=turned), thin[::-1]),
        "large.jpg": (save(Image.new("CMYK", (10_000, 10_000)), "JPEG"), (1250, 1250)),
        "thin.jpg": (save(Image.new("L", (2000, 50_000)), "JPEG"), (1000, 25_000)),
        "scans.jpg": (save(Image.new("RGB", (10_000, 10_000)), "JPEG", progressive=True), (1250, 1250)),
    }
    for name, (data, _) in files.items():
        (tmp_path / name).write_bytes(data)
    run = [sys.executable, "-W", "error::RuntimeWarning", "-c", MEASURE, *(str(tmp_path / name) for name in files)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    output = subprocess.run(run, capture_output=True, text=True, timeout=120, env=environment, check=True).stdout
    measured = {name: (int(w), int(h), int(took)) for name, w, h, took in map(str.split, output.splitlines())}
    assert {name: (w, h) for name, (w, h, _) in measured.items()} == {name: size for name, (_, size) in files.items()}
    assert {name: took for name, (_, _, took) in measured.items() if took > 400} == {}
    assert measured["alpha.png"][2] > 150  # the measurement sees the image


@pytest.mark.parametrize("address", ["https://example.org/cat.jpg", Path("http://example.org/cat.jpg"), "s3://a/b.png"])
def test_web_address_is_refused(address):
    with pytest.raises(CamvizError, match="is an address, and CamViz reads only files: download the image"):
        decode(address)
