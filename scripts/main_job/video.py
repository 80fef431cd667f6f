"""The demo's own clip: moving pictures, a clock and a tone, made once and kept."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from offchain.config import cache_dir_default

CLIP_SECONDS: Final = 20
CLIP_NAME: Final = "clip-640x360-v1.mp4"
FFMPEG_SECONDS_MAX: Final = 180


class VideoFailed(Exception):
    """The clip could not be made. Says why, and what mends it."""


def demo_clip() -> Path:
    """Give the path of the clip, and make it first if it is not there. Raises VideoFailed.

    H.264 baseline (no B-frames, a keyframe each second, 600 kbit/s) and Opus, as WebRTC wants
    them, so that a publisher can send the packets as they are.
    """
    clip = cache_dir_default() / CLIP_NAME
    if clip.is_file():
        return clip
    clip.parent.mkdir(parents=True, exist_ok=True)
    made = clip.with_name(f".{os.getpid()}-{CLIP_NAME}")
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y"]
    # testsrc has moving colours and a running clock of its own: no font file is needed.
    command += ["-f", "lavfi", "-i", f"testsrc=size=640x360:rate=30:duration={CLIP_SECONDS}"]
    command += ["-f", "lavfi", "-i", f"sine=frequency=440:beep_factor=4:duration={CLIP_SECONDS}"]
    command += ["-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryfast", "-bf", "0"]
    command += ["-g", "30", "-keyint_min", "30", "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
    command += ["-b:v", "600k", "-maxrate", "600k", "-bufsize", "600k"]
    command += ["-c:a", "libopus", "-ac", "2", "-ar", "48000", "-b:a", "64k", str(made)]
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=FFMPEG_SECONDS_MAX
        )
        made.replace(clip)
    except FileNotFoundError:
        raise VideoFailed(
            "ffmpeg is not installed: run scripts/setup, or `apt-get install ffmpeg`"
        ) from None
    except subprocess.CalledProcessError as error:
        raise VideoFailed(
            f"ffmpeg could not make the demo's clip: {error.stderr.strip()}"
        ) from None
    except subprocess.TimeoutExpired:
        raise VideoFailed(
            f"ffmpeg took more than {FFMPEG_SECONDS_MAX} s for the demo's clip; try again when the "
            "machine is less busy, or give a file with --video"
        ) from None
    finally:
        made.unlink(missing_ok=True)
    return clip
