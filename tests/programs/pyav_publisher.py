"""ffmpeg's WHIP muxer as PyAV's wheel holds it: `pyav_publisher.py URL TOKEN CERTIFICATE KEY`.

Says one JSON object a line on standard output; ends once a line comes in on standard input.
"""

from __future__ import annotations

import json
import select
import sys
import time
from typing import Any

import av

SOURCES = "testsrc2=size=640x360:rate=30[out0];sine=sample_rate=48000[out1]"
PICTURES = {"profile": "baseline", "preset": "ultrafast", "tune": "zerolatency", "g": "60"}


def tell(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)  # noqa: T201


def told_to_leave() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


def main(url: str, token: str, certificate: str, key: str) -> None:
    avformat = ".".join(map(str, av.library_versions["libavformat"]))
    tell("version", version=f"PyAV {av.__version__}, libavformat {avformat}")
    options = {"authorization": token, "cert_file": certificate, "key_file": key}
    source = av.open(SOURCES, format="lavfi")
    with source, av.open(url, "w", format="whip", options=options) as out:
        video = out.add_stream("libx264", rate=30, options=PICTURES)
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        audio = out.add_stream("libopus", rate=48_000, layout="stereo")
        resampler = av.AudioResampler("s16", "stereo", 48_000, 960)
        began_s = time.monotonic()
        for frame in source.decode(video=0, audio=0):
            if told_to_leave():
                break
            time.sleep(max(0.0, began_s + frame.time - time.monotonic()))
            if isinstance(frame, av.VideoFrame):
                out.mux(video.encode(frame.reformat(format="yuv420p")))
            else:
                for part in resampler.resample(frame):
                    out.mux(audio.encode(part))
    tell("left", status=200)


main(*sys.argv[1:5])
